//! A node that is killed again and again, at any moment: while it starts, while it is written to, while it keeps its
//! state and removes what it kept before. What it acknowledged is there ever after, decided once; and whatever digest
//! anyone saw of it, a replay of its log from the start gives the same.
//!
//! `TRADEWIND_TEST_KILLS=1000 cargo test --release --test tradewind-tests kills -- --nocapture` kills it that often, and
//! `TRADEWIND_TEST_KILLS=forever` until something is wrong.

mod archive;
mod oracle;
mod publisher;

pub use oracle::Oracle;
pub use publisher::{Publisher, publish_until};

use super::program::PATIENCE;
use super::{TestEnv, Way};
use crate::support::for_each_seed;
use archive::Archive;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// So many unless the environment says otherwise.
const KILLS: u64 = 12;
const THREADS: u64 = 4;
/// After so many kills the log is replayed from its start; then after half as many again.
const REPLAY_AFTER: u64 = 100;
/// The interval between reports of progress.
const TELL_AFTER: Duration = Duration::from_secs(10);

#[test]
fn what_was_acknowledged_outlives_every_kill_and_is_decided_once() {
    let asked = std::env::var("TRADEWIND_TEST_KILLS").ok();
    let kills = match asked.as_deref() {
        None => Some(KILLS),
        Some("forever") => None,
        Some(kills) => Some(kills.parse().expect("TRADEWIND_TEST_KILLS is a whole number, or forever")),
    };
    let seed = match (std::env::var("TRADEWIND_TEST_SEED"), asked) {
        (Ok(seed), _) => seed.parse().expect("TRADEWIND_TEST_SEED is a whole number"),
        (Err(_), None) => 1,
        (Err(_), Some(_)) => {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right, about");
            u64::from(since_1970.subsec_nanos())
        }
    };
    for_each_seed("process::kills", vec![seed], |seed| {
        let mut run = Run::start(seed);
        while kills.is_none_or(|kills| run.counts.kills < kills) {
            run.round();
            if run.told.elapsed() > TELL_AFTER {
                run.tell();
            }
            if run.counts.kills >= run.replay_at {
                run.replay_at += run.counts.kills / 2;
                run.replay(1);
            }
        }
        run.end();
    });
}

/// When a node is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before it is ready, or just then.
    Startup,
    /// While commands come.
    Load,
    /// While commands come and a checkpoint is taken, or older ones are removed.
    Checkpoint,
}

#[derive(Default)]
struct Counts {
    kills: u64,
    /// Of these before the node was ready.
    starting: u64,
    /// Of these with a checkpoint that was begun and not finished.
    tore_checkpoint: u64,
    /// Of these with an old checkpoint half removed.
    tore_removal: u64,
    /// Starts that came to be ready.
    restarts: u64,
    /// Of these with a checkpoint.
    from_checkpoint: u64,
    checks: u64,
    acknowledged: u64,
    replays: u64,
}

struct Run {
    seed: u64,
    random: Random,
    env: TestEnv,
    archive: Archive,
    oracle: Oracle,
    publishers: Vec<Publisher>,
    counts: Counts,
    /// Folders that are known to be no whole checkpoint.
    torn: BTreeSet<PathBuf>,
    /// The time that a start and a checkpoint took the last time.
    start_took: Duration,
    checkpoint_took: Duration,
    replay_at: u64,
    began: Instant,
    told: Instant,
}

impl Run {
    fn start(seed: u64) -> Run {
        println!("kills: seed {seed}");
        let began = Instant::now();
        let env = TestEnv::start_as(&way(2));
        let start_took = began.elapsed();
        let oracle = Oracle::opening(&env);
        Run {
            seed,
            random: Random(seed),
            archive: Archive::beside(env.data()),
            env,
            oracle,
            publishers: (0..THREADS).map(Publisher::new).collect(),
            counts: Counts::default(),
            torn: BTreeSet::new(),
            start_took,
            checkpoint_took: Duration::from_millis(30),
            replay_at: REPLAY_AFTER,
            began,
            told: began,
        }
    }

    /// Starts the node, and kills it.
    fn round(&mut self) {
        let moment = [Moment::Startup, Moment::Load, Moment::Checkpoint, Moment::Checkpoint][self.random.index(4)];
        let way = way(1 + u32::try_from(self.random.below(3)).expect("it is small"));
        if moment == Moment::Startup {
            self.env.begin(&way);
            // Beyond its end too, since starts differ.
            pass(self.random.part_of(self.start_took * 5 / 4));
            self.kill();
            self.counts.starting += 1;
            return;
        }
        self.begin(&way);
        self.load(moment);
    }

    /// Starts the node, waits until it is ready, and checks everything.
    fn begin(&mut self, way: &Way) {
        let started = Instant::now();
        self.env.begin(way);
        self.env.wait_ready();
        self.start_took = started.elapsed();
        self.counts.restarts += 1;
        let said = self.env.program().stderr();
        assert!(!said.contains("refused"), "a kill leaves no checkpoint that is damaged: {said}");
        self.counts.from_checkpoint += u64::from(said.contains("the state of a checkpoint is read"));
        self.check();
    }

    fn check(&mut self) {
        self.oracle.check(&self.env, &mut self.publishers);
        self.counts.checks += 1;
    }

    /// Lets commands come, and kills the node under the hands of those that send them.
    fn load(&mut self, moment: Moment) {
        let enough = 1 + self.random.below(60);
        let keeps_first = self.random.below(2) == 0;
        // Often around its end: that is where it becomes one, and others go.
        let took = self.checkpoint_took;
        let least = [Duration::ZERO, took * 7 / 8][self.random.index(2)];
        let after = least + self.random.part_of(took * 9 / 8 - least);
        let (api, archive) = (self.env.client(), &self.archive);
        let took_us = AtomicU64::new(0);
        // The log may be deleted behind a checkpoint.
        let keep = || {
            archive.follow();
            let started = Instant::now();
            if api.send("POST", "/api/v1/checkpoints", &[], Some(b"")).is_ok_and(|answer| answer.status == 201) {
                took_us.store(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        };
        let is_killed = AtomicBool::new(false);
        let env = &mut self.env;
        let (acknowledged, seen) = publish_until(&env.client(), &mut self.publishers, enough, || {
            std::thread::scope(|scope| {
                if keeps_first {
                    keep();
                }
                if moment == Moment::Checkpoint {
                    scope.spawn(|| {
                        while !is_killed.load(Ordering::Relaxed) {
                            keep();
                        }
                    });
                    pass(after);
                }
                env.kill();
                is_killed.store(true, Ordering::Relaxed);
            });
        });
        self.counts.acknowledged += acknowledged;
        self.oracle.saw(seen);
        match took_us.into_inner() {
            0 => {}
            us => self.checkpoint_took = Duration::from_micros(us),
        }
        self.kill();
    }

    /// Kills the node, if nobody has, and looks at what that left.
    fn kill(&mut self) {
        self.env.kill();
        self.counts.kills += 1;
        self.archive.follow();
        let Ok(entries) = std::fs::read_dir(self.env.data().join("checkpoints")) else { return };
        let folders = entries.map(|entry| entry.expect("nobody removes it now").path());
        let (torn, whole): (BTreeSet<_>, BTreeSet<_>) = folders.partition(|path| !path.join("manifest.json").exists());
        let epoch = |path: &PathBuf| -> Option<u64> { path.file_name()?.to_str()?.parse().ok() };
        let newest = whole.iter().filter_map(epoch).max();
        for path in &torn {
            if !self.torn.contains(path) {
                let is_old = epoch(path) < newest;
                *if is_old { &mut self.counts.tore_removal } else { &mut self.counts.tore_checkpoint } += 1;
            }
        }
        self.torn = torn;
    }

    /// Holds every digest that anyone saw against a replay of the whole log.
    fn replay(&mut self, workers: usize) {
        self.archive.follow();
        self.oracle.replay(&self.archive, workers);
        self.counts.replays += 1;
    }

    /// Everything is acknowledged at last, the node stops in good order, and nothing is different after that.
    fn end(mut self) {
        self.begin(&way(2));
        for publisher in &mut self.publishers {
            publisher.publish(&self.env).expect("nobody ends the node now");
            self.counts.acknowledged += 1;
        }
        self.check();
        self.env.stop();
        self.begin(&way(3));
        self.env.stop();
        for workers in [1, 3] {
            self.replay(workers);
        }
        self.tell();
        let hit = self.counts.starting > 0 && self.counts.from_checkpoint > 0;
        assert!(hit || self.counts.kills < KILLS, "the kills hit too little to mean anything");
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        let Counts {
            kills,
            starting,
            tore_checkpoint,
            tore_removal,
            restarts,
            from_checkpoint,
            checks,
            acknowledged,
            replays,
        } = &self.counts;
        let (lost, twice) = (self.oracle.lost, self.oracle.twice);
        let (seconds, digests) = (self.began.elapsed().as_secs_f64(), self.oracle.digests_held());
        println!(
            "kills: {kills} ({starting} while starting, {tore_checkpoint} tore a checkpoint, {tore_removal} a removal), \
             restarts {restarts} ({from_checkpoint} from a checkpoint), checks {checks}, commands acknowledged \
             {acknowledged}, lost {lost}, twice {twice}, digests equal to replay {digests} in {replays} replays, \
             seed {}, {seconds:.0} s",
            self.seed
        );
    }
}

/// Quick to keep its state and to close epochs, in small segments, so that there are many.
fn way(workers: u32) -> Way {
    let variables = vec![
        ("TRADEWIND_LOG_SEGMENT_BYTES", (1 << 20).to_string()),
        ("TRADEWIND_CHECKPOINTS_INTERVAL_S", "1".to_owned()),
        ("TRADEWIND_EPOCHS_EPOCH_MS_MAX", "20".to_owned()),
        ("TRADEWIND_ENGINE_WORKERS", workers.to_string()),
    ];
    Way { variables, ..Way::default() }
}

/// Lets that much time pass: what is tested is a moment that nothing announces.
fn pass(time: Duration) {
    let (_silent, nothing) = mpsc::channel::<()>();
    assert!(time < PATIENCE && nothing.recv_timeout(time).is_err());
}

/// Numbers that follow from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("it is small")
    }

    /// Any part of a time.
    fn part_of(&mut self, time: Duration) -> Duration {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(us.max(1)))
    }
}
