//! What is kept of the state: taken, listed, checked and copied by command, read at a restart, and refused by name when
//! it is damaged.

use super::{Program, TestEnv, Way, shop};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Runs a command to its end: its exit code, what it printed, what it complained of.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = Program::start(arguments, &[]).end();
    (ended.code, ended.stdout, ended.stderr)
}

/// A node with a few orders in every state, and a checkpoint behind half of them.
fn node() -> TestEnv {
    let env = TestEnv::start_as(&Way::workers(2));
    shop::stock(&env, "A", "reserve", 50);
    for n in 0..10 {
        let body = if n % 2 == 0 { shop::order("A", 1) } else { shop::unpaid_order("A", 1) };
        env.post("/api/v1/orders", &format!("o{n}"), &body).expect(201);
        if n == 5 {
            env.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
        }
    }
    env.post("/api/v1/orders/o0/shipments", "s0", &serde_json::json!({})).expect(201);
    env
}

/// The folders of the checkpoints, the newest last.
fn kept(data: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(data.join("checkpoints")).unwrap();
    let mut kept: Vec<(u64, PathBuf)> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().parse().unwrap(), path))
        .collect();
    kept.sort();
    kept.into_iter().map(|(_, path)| path).collect()
}

fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_node_goes_on_from_what_it_kept() {
    let mut env = node();
    let first = env.get("/api/v1/checkpoints").ok().json()["data"][0]["epoch"].as_u64().unwrap();
    env.post("/api/v1/orders", "late", &shop::order("A", 1)).expect(201);
    let before = env.digests();
    env.kill();
    env.restart(&Way::workers(3));
    assert_eq!(env.digests(), before);
    env.assert_sound();
    // What came before is no longer to be seen, and what was decided is still known.
    assert_eq!(
        env.get(&format!("/api/v1/orders/o0?as_of={}", first - 1)).problem(),
        (410, "epoch_forgotten".to_owned())
    );
    let again = env.post("/api/v1/orders", "o1", &shop::unpaid_order("A", 1)).expect(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    let put = env.call(
        "PUT",
        "/api/v1/products/A",
        &[("idempotency-key", "put-A")],
        shop::product("reserve", &["A"]).to_string(),
    );
    assert_eq!((put.status, put.header("idempotent-replayed")), (201, "true"));
    assert_eq!(env.digests()["orders"], before["orders"]);
    assert_eq!(env.digests()["stock"], before["stock"]);
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name_and_the_one_before_is_used() {
    let mut env = node();
    let taken: Value = env.call("POST", "/api/v1/checkpoints", &[], "").expect(201).json();
    let before = env.digests();
    env.stop();
    let data = env.data().to_str().unwrap().to_owned();
    let (code, stdout, _) = run(&["checkpoint", "verify", "--data", &data]);
    assert_eq!((code, stdout.lines().count()), (Some(0), 5), "{stdout}");
    assert!(stdout.starts_with(&format!("folder {data}\nverified in {data}\n")), "{stdout}");
    assert!(stdout.lines().nth(3).unwrap().contains(taken["digest"].as_str().unwrap()), "{stdout}");

    let kept = kept(env.data());
    assert_eq!(kept.len(), 2);
    damage(&kept[1].join("orders.rows"));
    let (code, _, stderr) = run(&["checkpoint", "verify", "--data", &data]);
    assert_eq!(code, Some(1));
    let name = kept[1].join("orders.rows").display().to_string();
    assert!(stderr.contains(&format!("{name} is damaged")), "{stderr}");
    env.restart(&Way::default());
    assert_eq!(env.digests(), before);
    let ended = env.stop();
    assert!(ended.stderr.contains(&name) && ended.stderr.contains("refused"), "{}", ended.stderr);

    // Without the one before, the whole log is there still.
    std::fs::remove_file(kept[0].join("stock.rows")).unwrap();
    env.restart(&Way::default());
    assert_eq!(env.digests(), before);
    env.assert_sound();
}

#[test]
fn a_copy_is_a_backup() {
    let mut env = node();
    let listed = env.get("/api/v1/checkpoints").ok().json();
    let (to, data) = (env.client().base().to_owned(), env.data().to_str().unwrap().to_owned());
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [copy, again, other] = folders.each_ref().map(|folder| folder.path().to_str().unwrap().to_owned());
    // A node that runs is asked, and continues meanwhile.
    let (code, stdout, stderr) = run(&["checkpoint", "copy", &copy, "--to", &to, "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let copied: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&copied["data"][0], &copied["node"]), (&listed["data"][0], &Value::from(to.clone())));
    let place = format!("{data}/checkpoints/{}", copied["data"][0]["epoch"]);
    assert_eq!(copied["data"][0]["place"], place);
    let (code, stdout, stderr) = run(&["checkpoint", "verify", "--to", &to]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with(&format!("node {to}\nverified in {data}\n")) && stdout.contains("rows"), "{stdout}");
    // A folder that is not empty is refused, whichever process has it; so is the folder of a node that runs.
    let (code, _, stderr) = run(&["checkpoint", "copy", &copy, "--to", &to]);
    assert!(code == Some(1) && stderr.contains("is not empty: it is the folder of another node"), "{stderr}");
    std::fs::write(Path::new(&other).join("notes"), "mine").unwrap();
    let (code, _, stderr) = run(&["checkpoint", "copy", &other, "--to", &to]);
    assert!(code == Some(1) && stderr.contains("is not empty"), "{stderr}");
    let (code, _, stderr) = run(&["checkpoint", "copy", &format!("{other}/notes"), "--to", &to]);
    assert!(code == Some(1) && stderr.contains("cannot be copied into"), "{stderr}");
    let new = format!("{other}/new");
    for command in [&["copy", new.as_str()][..], &["verify"], &["list"]] {
        let (code, _, stderr) = run(&[&["checkpoint"], command, &["--data", &data]].concat());
        assert!(code == Some(1) && stderr.contains(&format!("the node at {to}, process ")), "{command:?}: {stderr}");
    }
    let before = env.digests();
    let [folder, again_folder, _other] = folders;
    let mut second = TestEnv::start_in(folder, &Way::default());
    assert_backup(&second, &before);
    // Of the folder of a node that is stopped: the same again.
    env.stop();
    let (code, stdout, stderr) = run(&["checkpoint", "copy", &again, "--data", &data]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with(&format!("folder {data}\ncopied from {data} to {again}\n")), "{stdout}");
    second.stop();
    assert_backup(&TestEnv::start_in(again_folder, &Way::default()), &before);
}

/// The copy of a node continues as the node does.
fn assert_backup(copy: &TestEnv, before: &std::collections::BTreeMap<String, String>) {
    for view in ["orders", "stock", "payments", "products", "revenue", "operations"] {
        assert_eq!(copy.digests()[view], before[view], "{view}");
    }
    copy.assert_sound();
}

#[test]
fn only_a_running_node_takes_one_and_the_old_ones_go() {
    let mut env = node();
    let to = env.client();
    for n in 0..3 {
        env.post("/api/v1/orders", &format!("more{n}"), &shop::order("A", 1)).expect(201);
        let (code, stdout, stderr) = run(&["checkpoint", "now", "--to", to.base()]);
        assert_eq!((code, stdout.lines().count()), (Some(0), 3), "{stderr}");
    }
    let (_, stdout, _) = run(&["checkpoint", "list", "--to", to.base(), "--json"]);
    let listed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert!(listed["data"][0]["epoch"].as_u64() > listed["data"][1]["epoch"].as_u64());
    assert_eq!(kept(env.data()).len(), 2);
    assert!(env.get("/metrics").text().contains("tradewind_checkpoint_age_seconds"));
    let data = env.data().to_str().unwrap().to_owned();
    env.stop();
    let (code, _, stderr) = run(&["checkpoint", "now", "--data", &data]);
    assert!(code == Some(1) && stderr.contains("only a running node"), "{stderr}");
    let (_, stdout, _) = run(&["checkpoint", "list", "--data", &data, "--json"]);
    let in_folder: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&in_folder["data"], &in_folder["folder"]), (&listed["data"], &Value::from(data)));
}
