//! A disk that is full, and one that takes no writes. Both need rights that not every machine gives: without them the
//! tests say that they are skipped.

use super::super::shop::{received, stock};
use super::super::{Answer, Program, TestEnv, Way};
use crate::support::skipped;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A small disk in memory, mounted where only those see it who enter it. Gone when its holder ends, which ends with us.
pub struct Disk {
    holder: Child,
    is_of_user: bool,
}

impl Disk {
    /// Mounts one at a folder, and fills all but a megabyte of it with a file; none if that is not allowed here.
    pub fn at(folder: &Path) -> Option<Disk> {
        // A user that is not root may be it in a namespace of its own.
        [false, true].into_iter().find_map(|is_of_user| {
            let mut command = Command::new("unshare");
            command.arg("--mount").args(is_of_user.then_some("--map-root-user"));
            let line = "mount -t tmpfs -o size=24m none \"$0\" && head -c 23m /dev/zero > \"$0/filler\" && echo mounted \
                        && exec cat";
            command.args(["sh", "-c", line]).arg(folder);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut disk = Disk { holder: command.spawn().ok()?, is_of_user };
            let mut said = String::new();
            BufReader::new(disk.holder.stdout.take()?).read_line(&mut said).ok()?;
            (said == "mounted\n").then_some(disk)
        })
    }

    /// The way in of a command.
    pub fn enter(&self) -> String {
        let as_user = if self.is_of_user { "--user --preserve-credentials " } else { "" };
        format!("exec nsenter --target {} --mount {as_user}-- \"$0\" \"$@\"", self.holder.id())
    }

    /// Makes room.
    pub fn clear(&self, folder: &Path) {
        let mut command = Command::new("sh");
        command.args(["-c", &self.enter(), "rm"]).arg(folder.join("filler"));
        assert!(command.status().expect("there is a shell").success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Files that cannot be changed, not even by who has them open, until this is dropped.
pub struct Frozen(Vec<PathBuf>);

impl Frozen {
    /// The folder and all in it; none if that is not allowed here.
    pub fn of(folder: &Path) -> Option<Frozen> {
        let inside = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let mut frozen = Frozen(Vec::new());
        for path in inside.chain([folder.to_owned()]) {
            frozen.0.push(path.clone());
            if !Frozen::set("+i", &path) {
                return None;
            }
        }
        Some(frozen)
    }

    fn set(what: &str, path: &Path) -> bool {
        let changed = Command::new("chattr").arg(what).arg(path).stderr(Stdio::null()).status();
        changed.is_ok_and(|status| status.success())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // The folder was the last.
        while let Some(path) = self.0.pop() {
            Frozen::set("-i", &path);
        }
    }
}

fn receive(env: &TestEnv, n: u64) -> Answer {
    let movement = json!({"quantity": 1, "reason": "received", "reference": "\u{10348}".repeat(256)});
    env.post("/api/v1/stock/A/movements", &format!("k{n}"), &movement)
}

/// What a node must show once its disk takes writes again: all that it took is decided, and what it refused can come.
fn goes_on(env: &mut TestEnv, taken: u64, way: &Way) {
    env.until_ready(true);
    for n in 0..taken {
        assert_eq!(env.decided(&format!("k{n}")).json()["status"], "succeeded");
    }
    // Refused is refused, or in the log: the same command again is safe either way.
    receive(env, taken).expect(201);
    assert_eq!(env.decided(&format!("k{taken}")).json()["status"], "succeeded");
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 2 + taken);
    env.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
    env.assert_sound();
    let digests = env.digests();
    env.kill();
    env.restart(way);
    assert_eq!(env.digests(), digests);
}

#[test]
fn a_full_disk_stops_what_needs_room_and_nothing_else() {
    let folder = TempDir::with_prefix("tradewind-disk-").expect("there is room for a folder");
    let Some(disk) = Disk::at(folder.path()) else {
        return skipped("a full disk needs one of its own, and none can be mounted here");
    };
    // Many epochs, so that soon there is no room for the next one.
    let variables = vec![("TRADEWIND_EPOCHS_EPOCH_MS_MAX", "20".to_owned())];
    let way = Way { shell: Some(disk.enter()), variables, ..Way::default() };
    let mut env = TestEnv::start_in(folder, &way);
    stock(&env, "A", "reserve", 1);
    let mut taken = 0;
    let full = loop {
        let answer = receive(&env, taken);
        if !matches!(answer.status, 201 | 202) {
            break answer;
        }
        taken += 1;
        assert!(taken < 1_000, "the disk does not fill");
    };
    assert_eq!(full.problem(), (503, "storage_full".to_owned()));
    env.until_ready(false);
    let why = env.get("/health/ready").expect(503).json()["why"].to_string();
    assert!(why.contains("no room"), "{why}");
    // There is no room for a checkpoint either; what can be read still is.
    let refused = env.call("POST", "/api/v1/checkpoints", &[], "");
    assert_eq!(refused.problem(), (503, "log_unavailable".to_owned()));
    env.get("/api/v1/stock/A").ok();
    env.get("/health/live").ok();
    disk.clear(env.data());
    goes_on(&mut env, taken, &way);
}

#[test]
fn a_disk_that_takes_no_writes_is_named_and_waited_for() {
    let mut env = TestEnv::start();
    stock(&env, "A", "reserve", 1);
    receive(&env, 0).expect(201);
    let log = env.data().join("log");
    let Some(frozen) = Frozen::of(&log) else {
        return skipped("files that nobody may change need chattr +i, which is not allowed here");
    };
    assert_eq!(receive(&env, 1).problem(), (503, "log_unavailable".to_owned()));
    env.until_ready(false);
    env.get("/api/v1/stock/A").ok();
    drop(frozen);
    goes_on(&mut env, 1, &Way::default());

    // A node does not start where it cannot write, and says where that is.
    env.stop();
    let frozen = Frozen::of(&log).expect("it could be frozen before");
    let data = env.data().display().to_string();
    let ended = Program::run(&["up", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains(&log.display().to_string()), "{}", ended.stderr);
    drop(frozen);
    env.restart(&Way::default());
    env.post("/api/v1/stock/A/movements", "last", &received(1)).expect(201);
}

/// Why the node is not ready, or nothing.
fn unready(env: &TestEnv) -> Option<String> {
    env.get("/health/ready").json()["why"].as_str().map(str::to_owned)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_holds_the_log_makes_the_node_unready_when_it_stands_still_and_an_index_does_not() {
    let variables =
        vec![("TRADEWIND_OUTPUTS_STALLED_S", "1".to_owned()), ("TRADEWIND_CHECKPOINTS_INTERVAL_S", "1".to_owned())];
    let env = TestEnv::start_as(&Way { variables, ..Way::default() });
    stock(&env, "A", "reserve", 1);
    env.until_ready(true);
    for (folder, sink) in [("outputs", "outputs"), ("checkpoints", "checkpoints")] {
        let Some(frozen) = Frozen::of(&env.data().join(folder)) else {
            return skipped("files that nobody may change need chattr +i, which is not allowed here");
        };
        let stalled = |why: String| why.starts_with("stalled: ") && why.contains(sink);
        until(&format!("{sink} stand still"), || unready(&env).is_some_and(stalled));
        // It still decides and answers.
        receive(&env, 0).expect(201);
        assert!(env.get("/api/v1/status").ok().json()["stalled"][sink].is_string());
        assert!(env.get("/metrics").text().contains(&format!("tradewind_stalled{{sink=\"{sink}\"}} 1")));
        drop(frozen);
        until("it resumes by itself", || unready(&env).is_none());
    }
    let frozen = Frozen::of(&env.data().join("search")).expect("it could be frozen before");
    let variant = json!({"sku": "P", "price": {"amount": "1", "currency": "GBP"}});
    let product = json!({"title": "Kettle", "category": ["Kitchen"], "variants": [variant]});
    env.call("PUT", "/api/v1/products/P", &[], product.to_string()).expect(201);
    until("the index stands still", || env.get("/api/v1/status").ok().json()["stalled"]["search"].is_string());
    assert_eq!(unready(&env), None);
    drop(frozen);
    until("the index resumes", || env.get("/api/v1/status").ok().json()["stalled"].get("search").is_none());
}
