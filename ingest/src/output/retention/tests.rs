//! Any history of epochs, of a follower and of looks at what is old: what the follower lacks and what is young stays, and
//! the rest goes.

use super::*;
use crate::log::storage::Storage;
use crate::log::{Partitions, Record, journal};
use crate::output::publisher::published as published_epoch;
use crate::output::reader;
use crate::output::reader::{EpochBatch, OutputReader, Step};
use crate::testing::contract_tests::append;
use crate::testing::{Disk, ManualClock, Random};
use bytes::Bytes;
use dataflows::contract::changes::ViewDigests;
use dataflows::contract::domain::Domain;
use dataflows::shop::row::View;
use smol_str::SmolStr;

const KEPT_MS: i64 = 1_000;

struct TestEnv {
    disk: Disk,
    journal: Arc<Journal>,
    retention: Retention,
    clock: Arc<ManualClock>,
    /// The time of each epoch, from 1.
    times_ms: Vec<i64>,
    followed: Epoch,
}

fn retention(journal: &Arc<Journal>, clock: &Arc<ManualClock>) -> Retention {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Retention::new(Arc::clone(journal), KEPT_MS.unsigned_abs(), clock, Signal::default())
}

fn open(disk: &Disk) -> Arc<Journal> {
    let config =
        journal::JournalConfig { segment_bytes: 2_000, index_distance_bytes: 500, ..journal::JournalConfig::default() };
    Arc::new(Journal::open_on(Arc::new(disk.clone()), &Partitions::outputs(2), config).unwrap())
}

impl TestEnv {
    fn new() -> TestEnv {
        let disk = Disk::default();
        let journal = open(&disk);
        let clock = Arc::<ManualClock>::default();
        let retention = retention(&journal, &clock);
        TestEnv { disk, journal, retention, clock, times_ms: Vec::new(), followed: Epoch(0) }
    }

    fn last(&self) -> Epoch {
        Epoch(self.times_ms.len() as u64)
    }

    /// An epoch with some changes, an event, and a dead letter whose time is anything.
    fn publish(&mut self, random: &mut Random) {
        let now_ms = self.times_ms.last().unwrap_or(&1_700_000_000_000) + random.below(100) as i64;
        self.times_ms.push(now_ms);
        let mut moved = Cut::default();
        for (n, at) in self.records(random) {
            let header = |name, value: u64| (SmolStr::new_static(name), Some(Bytes::from(value.to_string())));
            let mut headers = vec![header("tw_epoch", self.last().0), header("tw_n", n)];
            headers.push((SmolStr::new_static("ce_type"), Some(Bytes::from_static(b"tradewind.OrderCreated.v1"))));
            let timestamp_ms = if at.topic == Topic::DeadLetters { random.next().cast_signed() } else { now_ms };
            let key = Some(Bytes::from(format!("key {}", random.below(8))));
            let value = Some(Bytes::from("value ".repeat(random.below(20))));
            let origin = append(&*self.journal, vec![(at, Record { key, value, headers, timestamp_ms })]).unwrap()[0];
            if at.topic != Topic::DeadLetters {
                moved.set(at, origin.offset + 1);
            }
        }
        let progress = Progress::of(self.last(), &ViewDigests::default(), &moved);
        append(&*self.journal, vec![progress.record(now_ms)]).unwrap();
    }

    fn records(&self, random: &mut Random) -> Vec<(u64, TopicPartition)> {
        let mut any = |topic| TopicPartition::new(topic, u32::from(random.below(2) == 0));
        let changes = (1..4).map(|n| (n, any(Topic::View(View::ALL[0])))).collect::<Vec<_>>();
        let others = [(1, any(Topic::Events(Domain::ALL[0]))), (1, any(Topic::DeadLetters))];
        changes.into_iter().chain(others).collect()
    }

    /// Opens everything again.
    fn reopen(&mut self) {
        self.journal = open(&Disk::default());
        self.retention = retention(&self.journal, &self.clock);
        self.journal = open(&self.disk);
        self.retention = retention(&self.journal, &self.clock);
    }

    fn look(&mut self) -> Floor {
        let floor = self.retention.step(Some(self.followed)).unwrap();
        let Some(newest_ms) = self.times_ms.last() else { return floor };
        let is_old = |epoch: &Epoch| {
            let time_ms = usize::try_from(epoch.0).ok().and_then(|number| self.times_ms.get(number - 1));
            time_ms.is_some_and(|time_ms| time_ms + KEPT_MS < *newest_ms)
        };
        let next = floor.epoch.next();
        assert!(floor.epoch == Epoch(0) || (floor.epoch <= self.followed && is_old(&floor.epoch)), "{floor:?}");
        let expected = if is_old(&next) { Holder::Follower } else { Holder::Age };
        assert_eq!(floor.holder, expected, "{floor:?}");
        assert!(floor.holder == Holder::Age || next > self.followed);
        floor
    }

    /// The epochs that a follower gets after that epoch.
    fn behind(&self, epoch: Epoch) -> Vec<EpochBatch> {
        let mut published =
            OutputReader::open(&*self.journal, epoch.next(), reader::OutputReaderConfig::default()).unwrap();
        let mut all = Vec::new();
        loop {
            match published.step().unwrap() {
                Step::Epoch(whole) => all.push(whole),
                Step::More => {}
                Step::Idle => return all,
            }
        }
    }
}

#[test]
fn what_is_young_or_not_followed_yet_stays_and_the_rest_goes() {
    for seed in 0..30 {
        // Shown when the test fails.
        println!("seed {seed}");
        let random = &mut Random::new(seed);
        let mut env = TestEnv::new();
        assert_eq!(env.look(), Floor { epoch: Epoch(0), holder: Holder::Age });
        for _ in 0..300 {
            match random.below(10) {
                0 => {
                    let floor = env.look();
                    let rest = env.behind(env.followed);
                    let numbers: Vec<u64> = rest.iter().map(|whole| whole.epoch.0).collect();
                    assert_eq!(numbers, (env.followed.0 + 1..=env.last().0).collect::<Vec<_>>());
                    assert!(rest.iter().all(|whole| (whole.events.len(), whole.changes.len()) == (1, 3)));
                    assert_eq!(published_epoch(&*env.journal).unwrap(), env.last());
                    // A look at the same again changes nothing.
                    assert_eq!(env.look(), floor);
                }
                1 => env.followed = Epoch(env.followed.0 + random.below(60) as u64).min(env.last()),
                2 if random.below(10) == 0 => env.reopen(),
                _ => env.publish(random),
            }
        }
        env.followed = env.last();
        assert_eq!(env.look().holder, Holder::Age);
        let young = env.times_ms.iter().filter(|time_ms| **time_ms + KEPT_MS >= env.times_ms[env.times_ms.len() - 1]);
        let kept =
            env.journal.ends().unwrap().get(PROGRESS).unwrap() - env.journal.starts().unwrap().get(PROGRESS).unwrap();
        // A file holds about seven epochs; a base as large as what it would set free stays.
        assert!(kept <= young.count() as u64 + 25, "{kept} epochs are kept");
        assert!(env.disk.names().iter().any(|name| name.ends_with(".base")));
    }
}

#[test]
fn how_long_removals_are_there_counts_from_when_readers_have_them_also_between_two_epochs() {
    let random = &mut Random::new(1);
    let mut env = TestEnv::new();
    let since_ms = |env: &TestEnv| {
        let front: serde_json::Value = serde_json::from_slice(&env.disk.read("front").unwrap()).unwrap();
        front["front"]["base"]["removals"]["since_ms"].as_i64()
    };
    let mut look_after = |env: &mut TestEnv, pause_ms: i64| {
        (0..100).for_each(|_| env.publish(random));
        env.followed = env.last();
        let now_ms = env.times_ms[env.times_ms.len() - 1] + pause_ms;
        env.clock.set(now_ms * 1_000);
        env.look();
        now_ms
    };
    let first_ms = look_after(&mut env, 900);
    assert_eq!(since_ms(&env), Some(first_ms));
    // A clock that goes back makes nothing older: the newest epoch's time counts.
    let newest_ms = look_after(&mut env, -100_000) + 100_000;
    assert!(newest_ms - first_ms >= KEPT_MS);
    assert_eq!(since_ms(&env), Some(newest_ms));
}
