//! Which checkpoints count, which go, and how far the log is dropped.

use super::*;
use crate::log::journal::Journal;
use crate::log::{Partitions, journal};
use crate::testing::Disk;
use crate::testing::contract_tests::{append, text};
use dataflows::contract::changes::ViewDigests;
use dataflows::contract::epoch::{Cut, Epochs};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::engine::snapshot::SnapshotTable;
use dataflows::ports::{SnapshotExpired, StateReader};
use smol_str::SmolStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// An empty shop at an epoch.
#[derive(Clone, Default)]
struct Empty(Arc<AtomicU64>, ViewDigests);

impl StateSource for Empty {
    fn pin(&self) -> Option<Box<dyn StateReader>> {
        Some(Box::new(self.clone()))
    }
}

impl StateReader for Empty {
    fn epoch(&self) -> Epoch {
        Epoch(self.0.load(Ordering::Relaxed))
    }

    fn standings(&self) -> &ViewDigests {
        &self.1
    }

    fn rows(
        &self,
        _: SnapshotTable,
        _: Option<&SmolStr>,
        _: usize,
        _: usize,
        _: &mut Vec<u8>,
    ) -> Result<(usize, Option<SmolStr>), SnapshotExpired> {
        Ok((0, None))
    }
}

const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);

struct TestEnv {
    disk: Disk,
    shop: Empty,
    log: Arc<dyn Log>,
    epochs: Epochs,
}

impl TestEnv {
    fn new() -> TestEnv {
        let disk = Disk::default();
        let config = journal::JournalConfig { segment_bytes: 1, ..journal::JournalConfig::default() };
        let log = Journal::open_on(disk.folder("log"), &Partitions::uniform(1), config).unwrap();
        TestEnv { disk, shop: Empty::default(), log: Arc::new(log), epochs: Epochs::default() }
    }

    fn keeper(&self) -> CheckpointManager {
        let folder = self.disk.folder("checkpoints");
        let last = list(&*folder).unwrap().into_iter().find_map(|(_, manifest)| manifest.ok());
        let parts = CheckpointParts {
            folder,
            holder: Arc::new(self.shop.clone()),
            durables: Vec::new(),
            log: Arc::clone(&self.log),
            from: last.as_ref().map_or_else(LogPosition::default, Manifest::place),
            last,
        };
        CheckpointManager::new(parts, CheckpointConfig::default(), Signal::default()).unwrap()
    }

    /// Another epoch of one command.
    fn decide(&mut self) {
        append(&*self.log, vec![(ORDERS, text("a command"))]).unwrap();
        let mut cut = Cut::default();
        cut.set(ORDERS, self.epochs.cut.get(ORDERS).unwrap_or(0) + 1);
        let record = self.epochs.next_record(&cut, Timestamp::from_micros(self.epochs.now.micros() + 1));
        self.epochs.accept(&record).unwrap();
        append(&*self.log, vec![(TopicPartition::EPOCHS, text(&serde_json::to_string(&record).unwrap()))]).unwrap();
        self.shop.0.store(record.epoch.0, Ordering::Relaxed);
    }

    /// An epoch and its checkpoint.
    fn take(&mut self, keeper: &mut CheckpointManager) {
        self.decide();
        keeper.take().unwrap();
        keeper.tidy().unwrap();
    }

    /// The epochs of the folders that are there, and the first command that is.
    fn stands(&self) -> (Vec<u64>, u64) {
        let mut there = epochs(&*self.disk.folder("checkpoints")).unwrap();
        there.sort_unstable();
        (there, self.log.starts().unwrap().get(ORDERS).unwrap())
    }

    fn damage(&self, file: &str) {
        self.disk.put(&format!("checkpoints/{file}"), b"damaged".to_vec());
    }
}

#[test]
fn two_are_kept_and_the_log_from_the_older_of_them_on() {
    let mut env = TestEnv::new();
    let mut keeper = env.keeper();
    env.take(&mut keeper);
    assert_eq!(env.stands(), (vec![1], 0));
    env.take(&mut keeper);
    assert_eq!(env.stands(), (vec![1, 2], 1));
    env.take(&mut keeper);
    assert_eq!(env.stands(), (vec![2, 3], 2));
}

#[test]
fn a_damaged_one_counts_for_nothing_whatever_its_number() {
    for damaged in ["3/orders.rows", "3/manifest.json"] {
        let mut env = TestEnv::new();
        let mut keeper = env.keeper();
        (0..3).for_each(|_| env.take(&mut keeper));
        env.damage(damaged);
        env.damage("999/manifest.json");
        // Which of them are right is looked at again by every process.
        let mut keeper = env.keeper();
        env.take(&mut keeper);
        assert_eq!(env.stands(), (vec![2, 4, 999], 2), "{damaged}: the older whole one and its log are there");
        env.take(&mut keeper);
        assert_eq!(env.stands(), (vec![4, 5, 999], 4));
    }
}

#[test]
fn while_only_one_is_whole_nothing_is_removed() {
    let mut env = TestEnv::new();
    let mut keeper = env.keeper();
    (0..3).for_each(|_| env.take(&mut keeper));
    env.damage("2/orders.rows");
    env.damage("3/orders.rows");
    let mut keeper = env.keeper();
    env.take(&mut keeper);
    assert_eq!(env.stands(), (vec![2, 3, 4], 2));
    env.take(&mut keeper);
    assert_eq!(env.stands(), (vec![4, 5], 4));
}

#[test]
fn one_of_a_later_epoch_than_the_log_has_counts_for_nothing() {
    let mut env = TestEnv::new();
    let mut keeper = env.keeper();
    env.take(&mut keeper);
    // A whole checkpoint, but of another shop.
    let folder = env.disk.folder("checkpoints");
    let mut place = LogPosition::default();
    place.epochs.last = Epoch(77);
    let other = Empty(Arc::new(AtomicU64::new(77)), ViewDigests::default());
    write(&*folder, &other, &place).unwrap();
    env.take(&mut keeper);
    env.take(&mut keeper);
    assert_eq!(env.stands(), (vec![2, 3, 77], 2));
}

#[test]
fn a_manifest_that_does_not_agree_with_itself_is_damaged() {
    let mut env = TestEnv::new();
    let mut keeper = env.keeper();
    env.take(&mut keeper);
    let folder = env.disk.folder("checkpoints").folder("1");
    let manifest = crate::checkpoint::manifest(&*folder).unwrap().unwrap();
    check_files(&*folder, &manifest).unwrap();
    let other = Manifest { digest: format!("{:032x}", 1), ..manifest };
    let error = check_files(&*folder, &other).unwrap_err().to_string();
    assert!(error.contains("manifest.json is damaged"), "{error}");
}
