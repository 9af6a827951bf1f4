//! The pace and the clock as plain rules, and sequencers at work on a journal, alone and racing.

use super::*;
use crate::input::sealed_epochs::LogPosition;
use crate::log::journal::Journal;
use crate::log::{Partitions, journal};
use crate::testing::contract_tests::{append, beginning, text};
use crate::testing::{Bell, Disk, DiskFaults, ManualClock, PATIENCE};
use dataflows::contract::epoch::{EpochRecord, RULES};
use dataflows::contract::topic::Topic;
use std::sync::mpsc;

const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::Stock, 1);

/// A journal, a clock, and what sequencers reported.
struct TestEnv {
    disk: Disk,
    log: Arc<dyn Log>,
    clock: Arc<ManualClock>,
    behind: mpsc::Receiver<Duration>,
    stalled: mpsc::Receiver<Option<String>>,
    fatal: mpsc::Receiver<Error>,
    report: Report,
}

fn env_on(disk: Disk) -> TestEnv {
    let journal = Journal::open_on(Arc::new(disk.clone()), &Partitions::uniform(2), journal::JournalConfig::default());
    let (say_behind, behind) = mpsc::sync_channel(100);
    let (say_stalled, stalled) = mpsc::sync_channel(100);
    let (say_fatal, fatal) = mpsc::sync_channel(100);
    let report = Report {
        clock_behind: Arc::new(move |by| say_behind.send(by).unwrap()),
        stalled: Arc::new(move |why| say_stalled.send(why).unwrap()),
        fatal: Arc::new(move |error| say_fatal.send(error).unwrap()),
    };
    TestEnv { disk, log: Arc::new(journal.unwrap()), clock: Arc::default(), behind, stalled, fatal, report }
}

fn env() -> TestEnv {
    env_on(Disk::default())
}

/// Quick when there is something, and silent when there is not.
fn quick() -> SequencerConfig {
    SequencerConfig {
        epoch_ms_min: 0,
        epoch_ms_max: 3_600_000,
        retry_ms_min: 1,
        retry_ms_max: 5,
        ..SequencerConfig::default()
    }
}

impl TestEnv {
    fn start(&self, config: SequencerConfig) -> Sequencer {
        let sealed = SealedEpochs::read(&*self.log, LogPosition::default()).unwrap();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Sequencer::start(Arc::clone(&self.log), &sealed, clock, self.report.clone(), config).unwrap()
    }

    /// The epochs that count, as any reader sees them, once the last of them ends there.
    fn epochs_to(&self, cut: &Cut) -> Vec<EpochRecord> {
        let bell = Bell::default();
        let mut follower = EpochFollower::new(&*self.log, LogPosition::default()).unwrap();
        follower.wake(bell.waker());
        let mut all = Vec::new();
        bell.until(|| {
            while follower.poll(10, &mut |record| all.push(record)).unwrap() {}
            (!all.is_empty() && !follower.epochs().cut.is_before(cut)).then_some(())
        });
        all
    }

    fn append(&self, at: TopicPartition, count: usize) {
        append(&*self.log, vec![(at, text("x")); count]).unwrap();
    }

    fn ends(&self) -> Cut {
        self.log.ends().unwrap().without_epochs()
    }

    /// An epoch record in the log, as some sequencer wrote it.
    fn write(&self, record: &EpochRecord) {
        append(&*self.log, vec![(TopicPartition::EPOCHS, text(&serde_json::to_string(record).unwrap()))]).unwrap();
    }
}

#[test]
fn it_cuts_at_once_then_paced_and_at_least_every_second() {
    let config = SequencerConfig::default();
    let ms = Duration::from_millis;
    assert_eq!(config.due(None, PendingCut::Nothing), Due::Now);
    assert_eq!(config.due(Some(ms(7)), PendingCut::Some), Due::Now);
    assert_eq!(config.due(Some(ms(2)), PendingCut::Some), Due::Pause(ms(3)));
    assert_eq!(config.due(Some(ms(2)), PendingCut::MoreThanAnEpoch), Due::Now);
    assert_eq!(config.due(Some(ms(2)), PendingCut::Nothing), Due::Idle(ms(998)));
    assert_eq!(config.due(Some(ms(1000)), PendingCut::Nothing), Due::Now);
}

#[test]
fn time_rises_creeps_through_a_backlog_and_never_falls() {
    let at = Timestamp::from_micros;
    let mut epochs = Epochs::default();
    assert_eq!(next_now(&epochs, at(50), true), at(50), "there is nothing to creep from");
    epochs.last = Epoch(1);
    epochs.now = at(50);
    assert_eq!(next_now(&epochs, at(90), false), at(90));
    assert_eq!(next_now(&epochs, at(90), true), at(51));
    assert_eq!(next_now(&epochs, at(50), false), at(51));
    assert_eq!(next_now(&epochs, at(10), false), at(51));
}

#[test]
fn a_fresh_log_gets_a_full_cut_and_then_what_moved() {
    let env = env();
    env.clock.set(1_000_000);
    let sequencer = env.start(quick());
    let first = env.epochs_to(&Cut::default());
    assert_eq!(first[0].cut, beginning(&*env.log).without_epochs(), "every partition, and not epochs itself");
    assert_eq!((first[0].epoch, first[0].now), (Epoch(1), Timestamp::from_micros(1_000_000)));
    env.clock.set(2_000_000);
    env.append(ORDERS, 3);
    let all = env.epochs_to(&env.ends());
    let mut moved = Cut::default();
    moved.set(ORDERS, 3);
    let expected =
        EpochRecord { v: 1, epoch: Epoch(2), now: Timestamp::from_micros(2_000_000), rules: RULES, cut: moved };
    assert_eq!(all[1..], [expected]);
    sequencer.stop();
    env.append(ORDERS, 1);
    assert_eq!(env.log.ends().unwrap().get(TopicPartition::EPOCHS), Some(2), "stopped means stopped");
}

#[test]
fn a_backlog_is_cut_into_small_epochs_while_time_creeps() {
    let env = env();
    env.clock.set(1_000);
    env.start(quick()).stop();
    env.write(&Epochs::default().next_record(&beginning(&*env.log).without_epochs(), Timestamp::from_micros(1_000)));
    for _ in 0..50 {
        env.append(ORDERS, 7);
        env.append(STOCK, 3);
    }
    // The process was away for an hour.
    env.clock.set(3_600_000_000);
    let sequencer = env.start(SequencerConfig { epoch_records_max: 20, ..quick() });
    let all = env.epochs_to(&env.ends());
    assert_eq!(all.len(), 26, "500 records by 20");
    for pair in all.windows(2) {
        let creeps = pair[1].now.micros() - pair[0].now.micros();
        assert!(pair[0].epoch == Epoch(1) && pair[0].now.micros() == 1_000 || creeps == 1, "{pair:?}");
        let [orders, stock] = [ORDERS, STOCK].map(|at| pair[1].cut.get(at).unwrap_or(0));
        assert!(orders <= 150 || stock == 0 || stock == 150, "each gives as much while both wait: {pair:?}");
    }
    env.append(ORDERS, 1);
    let all = env.epochs_to(&env.ends());
    assert_eq!(all.last().unwrap().now, Timestamp::from_micros(3_600_000_000), "then it is the wall clock again");
    sequencer.stop();
}

#[test]
fn a_clock_that_is_behind_is_reported_and_not_obeyed() {
    let env = env();
    env.clock.set(5_000_000);
    let sequencer = env.start(quick());
    env.epochs_to(&env.ends());
    env.clock.set(3_000_000);
    for _ in 0..3 {
        env.append(ORDERS, 1);
        env.epochs_to(&env.ends());
    }
    let behind = env.behind.recv_timeout(PATIENCE).unwrap();
    assert_eq!(behind, Duration::from_secs(2));
    // It steps back once more.
    env.clock.set(1_000_000);
    env.append(ORDERS, 1);
    env.epochs_to(&env.ends());
    assert_eq!(env.behind.recv_timeout(PATIENCE).unwrap(), Duration::from_secs(4), "reported when it changes");
    env.clock.set(9_000_000);
    env.append(ORDERS, 1);
    let all = env.epochs_to(&env.ends());
    let times: Vec<i64> = all.iter().map(|record| record.now.micros()).collect();
    assert_eq!(times, [5_000_000, 5_000_001, 5_000_002, 5_000_003, 5_000_004, 9_000_000]);
    assert_eq!(env.behind.recv_timeout(PATIENCE).unwrap(), Duration::ZERO, "and when it is over");
    sequencer.stop();
}

#[test]
fn two_sequencers_on_one_log_make_one_history() {
    let env = env();
    env.clock.set(1);
    let sequencers = [env.start(quick()), env.start(quick()), env.start(quick())];
    for number in 0..300 {
        env.append(if number % 3 == 0 { STOCK } else { ORDERS }, 1 + number % 4);
    }
    let all = env.epochs_to(&env.ends());
    sequencers.into_iter().for_each(Sequencer::stop);
    let numbers: Vec<u64> = all.iter().map(|record| record.epoch.0).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>(), "none lost, none twice");
    assert!(all.windows(2).all(|pair| pair[0].now < pair[1].now));
    let sealed = SealedEpochs::read(&*env.log, LogPosition::default()).unwrap();
    let cut = sealed.end().epochs.cut.clone().without_epochs();
    assert_eq!(cut, env.ends(), "every reader ends at the same cut");
    assert_eq!(env.epochs_to(&env.ends())[..all.len()], all[..], "and sees the same epochs");
}

#[test]
fn it_goes_on_after_the_disk_was_full() {
    let env = env();
    env.clock.set(1);
    let sequencer = env.start(quick());
    env.epochs_to(&env.ends());
    env.append(ORDERS, 5);
    env.epochs_to(&env.ends());
    let (refused, refusals) = mpsc::sync_channel(10_000);
    env.disk.fail(DiskFaults { room_bytes: Some(0), ..DiskFaults::default() });
    env.log.append(vec![(ORDERS, text("x"))], Box::new(move |result| drop(refused.send(result))));
    assert!(matches!(refusals.recv_timeout(PATIENCE).unwrap(), Err(AppendError::Full(_))));
    // Room for the command, and not for the record of its epoch, which is tried again and again.
    env.disk.fail(DiskFaults { room_bytes: Some(200), ..DiskFaults::default() });
    env.append(ORDERS, 1);
    assert!(env.stalled.recv_timeout(PATIENCE).unwrap().is_some_and(|why| why.contains("no room")));
    env.disk.fail(DiskFaults::default());
    assert_eq!(env.stalled.recv_timeout(PATIENCE).unwrap(), None);
    assert_eq!(env.epochs_to(&env.ends()).len(), 3);
    sequencer.stop();
    assert!(env.fatal.try_recv().is_err());
}

#[test]
fn epochs_of_other_rules_stop_it() {
    let env = env();
    env.clock.set(1);
    let mut record = Epochs::default().next_record(&env.ends(), Timestamp::from_micros(1));
    record.rules = RULES + 1;
    let sequencer = env.start(SequencerConfig { epoch_ms_min: 3_600_000, ..quick() });
    env.epochs_to(&env.ends());
    record.epoch = Epoch(2);
    record.now = Timestamp::from_micros(2);
    env.write(&record);
    let error = env.fatal.recv_timeout(PATIENCE).unwrap();
    let is_rules = matches!(error, Error::Rules { epoch: Epoch(2), found, known: RULES } if found == RULES + 1);
    assert!(is_rules, "{error}");
    sequencer.stop();
    let error = SealedEpochs::read(&*env.log, LogPosition::default()).unwrap_err();
    assert!(error.to_string().contains(&format!("rules {}, and this build has rules {RULES}", RULES + 1)), "{error}");
}

#[test]
fn a_cut_beyond_the_logs_end_stops_the_start() {
    let env = env();
    let mut ends = env.ends();
    ends.set(ORDERS, 5);
    env.write(&Epochs::default().next_record(&ends, Timestamp::from_micros(1)));
    let error = SealedEpochs::read(&*env.log, LogPosition::default()).unwrap_err();
    assert!(matches!(error, Error::LogTruncated { at: ORDERS, cut: 5, end: 0, .. }), "{error}");
    assert!(error.to_string().starts_with("log_truncated"), "{error}");
    env.append(ORDERS, 5);
    assert_eq!(SealedEpochs::read(&*env.log, LogPosition::default()).unwrap().end().offset, 1);
    let beyond = LogPosition { offset: 9, ..LogPosition::default() };
    assert!(matches!(SealedEpochs::read(&*env.log, beyond), Err(Error::LogTruncated { cut: 9, end: 1, .. })));
}

#[test]
fn what_does_not_count_is_passed_by() {
    let env = env();
    env.clock.set(10);
    append(&*env.log, vec![(TopicPartition::EPOCHS, text("no epoch")), (TopicPartition::EPOCHS, Record::default())])
        .unwrap();
    let sequencer = env.start(quick());
    assert_eq!(env.epochs_to(&env.ends())[0].epoch, Epoch(1));
    sequencer.stop();
    let env = env_on(env.disk.copy());
    assert_eq!(SealedEpochs::read(&*env.log, LogPosition::default()).unwrap().end().offset, 3);
}
