//! Whatever the limits, the workers and the log's holes, each partition gives the same inputs at the same epochs.

use super::*;
use crate::input::codec::encode;
use crate::input::sealed_epochs::LogPosition;
use crate::log::journal::Journal;
use crate::log::{CutLimit, Partitions, Record, Watch, journal};
use crate::testing::contract_tests::{append, read_to, text};
use crate::testing::{Bell, Disk, Random};
use dataflows::contract::epoch::{Epochs, RULES};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::ports::{AppendCallback, Publication};
use dataflows::shop::command::Command;
use dataflows::shop::orders::CancelOrder;
use dataflows::shop::stock::{MoveReason, MoveStock};
use std::collections::BTreeMap;
use std::sync::mpsc;

/// The inputs that a source gave of each partition.
type History = BTreeMap<TopicPartition, Vec<(Epoch, Input)>>;

const ALONE: Worker = Worker { index: 0, peers: 1 };

fn journal() -> Journal {
    Journal::open_on(Arc::new(Disk::default()), &Partitions::uniform(2), journal::JournalConfig::default()).unwrap()
}

/// One whose front is deleted close to any floor.
fn journal_of_small_segments() -> Journal {
    let config = journal::JournalConfig { segment_bytes: 1000, ..journal::JournalConfig::default() };
    Journal::open_on(Arc::new(Disk::default()), &Partitions::uniform(2), config).unwrap()
}

fn no_fatal() -> Fatal {
    Arc::new(|error| panic!("{error}"))
}

fn order(id: &str) -> Record {
    let cancel = CancelOrder { order_id: id.into(), reason: None, occurred_at: None };
    encode(Publication::of(id, &Command::CancelOrder(cancel)), 0)
}

fn movement(id: &str) -> Record {
    let movement = MoveStock {
        sku: id.into(),
        location: "main".into(),
        quantity: 1,
        reason: MoveReason::Received,
        reference: None,
        occurred_at: None,
    };
    encode(Publication::of(id, &Command::MoveStock(movement)), 0)
}

fn seal(log: &dyn Log, epochs: &mut Epochs, cut: &Cut) -> EpochRecord {
    let record = epochs.next_record(cut, Timestamp::from_micros(epochs.now.micros() + 1));
    epochs.accept(&record).unwrap();
    append(log, vec![(TopicPartition::EPOCHS, text(&serde_json::to_string(&record).unwrap()))]).unwrap();
    record
}

/// A log with commands, dead letters, epochs and records that are none. Cuts lag behind the ends by any amount, each
/// partition by its own, as a foreign sequencer or another log could have it.
fn random_log(log: &dyn Log, random: &mut Random) -> (History, Vec<EpochRecord>) {
    let places: Vec<TopicPartition> = log.partitions().covered().collect();
    let mut all: BTreeMap<TopicPartition, Vec<(Origin, Record)>> = BTreeMap::new();
    let (mut epochs, mut records) = (Epochs::default(), Vec::new());
    for step in 0..60 {
        for number in 0..random.below(12) {
            let at = places[random.below(places.len())];
            let id = format!("{step}-{number}");
            let record = [order(&id), movement(&id), text("dead")][random.below(3)].clone();
            let origins = append(log, vec![(at, record.clone())]).unwrap();
            all.entry(at).or_default().push((origins[0], record));
        }
        let ends = log.ends().unwrap();
        let mut cut = Cut::default();
        for at in &places {
            let (last, end) = (epochs.cut.get(*at).unwrap_or(0), ends.get(*at).unwrap());
            let next = last + random.below(usize::try_from(end - last).unwrap() + 1) as u64;
            cut.set(*at, if step == 59 { end } else { next });
        }
        if random.below(3) > 0 || step == 59 {
            records.push(seal(log, &mut epochs, &cut));
        }
        if random.below(4) == 0 {
            append(log, vec![(TopicPartition::EPOCHS, text("no epoch"))]).unwrap();
        }
    }
    let mut history = History::new();
    for (at, of) in all {
        let epoch = |origin: Origin| records.iter().find(|record| record.cut.covers(origin)).unwrap().epoch;
        let input = |(origin, record): (Origin, Record)| (epoch(origin), codec::decode(origin, &record));
        history.insert(at, of.into_iter().map(input).collect());
    }
    (history, records)
}

fn random_config(random: &mut Random) -> SourceConfig {
    SourceConfig {
        uncovered_records_max: 1 + random.below(30),
        held_bytes_max: 1 + random.below(50_000),
        unread_records_max: random.below(20) as u64,
        epochs_ahead_max: 1 + random.below(10),
        covered_records_max: 1 + random.below(50) as u64,
        read_records_max: 1 + random.below(20),
        read_bytes_max: 1 + random.below(3000),
    }
}

/// Reads everything with limits by chance, and holds every stride against them.
fn read_all(mut source: LogSource, last: Epoch, random: &mut Random, seed: u64) -> (History, Vec<EpochRecord>) {
    let (mut history, mut epochs) = (History::new(), Vec::new());
    let config = source.config.clone();
    source = source.until(last);
    let bell = Bell::default();
    source.wake(bell.waker());
    bell.until(|| {
        loop {
            let (epochs_max, inputs_max) = (1 + random.below(8), 1 + random.below(40));
            let bytes_max = 1 + random.below(30_000);
            let stride = match source.poll(epochs_max, inputs_max, bytes_max) {
                SourcePoll::Stride(stride) => stride,
                SourcePoll::Pending => return None,
                SourcePoll::End => return Some(()),
            };
            assert!((1..=epochs_max).contains(&stride.epochs.len()), "seed {seed}");
            assert!(stride.inputs.len() <= inputs_max || stride.epochs.len() == 1, "seed {seed}");
            assert!(stride.bytes <= bytes_max || stride.epochs.len() == 1, "seed {seed}");
            assert!(stride.inputs.is_sorted_by_key(|(epoch, _)| *epoch), "seed {seed}");
            let uncovered: usize = source.parts.iter().map(|part| part.queue.len() - part.before(part.sealed)).sum();
            assert!(uncovered < config.uncovered_records_max + config.read_records_max, "seed {seed}");
            epochs.extend(stride.epochs.iter().map(|record| (**record).clone()));
            for (epoch, input) in stride.inputs {
                history.entry(input.origin().topic_partition()).or_default().push((epoch, input));
            }
        }
    });
    (history, epochs)
}

fn check(log: Arc<dyn Log>, seed: u64) {
    let mut random = Random::new(seed);
    let (expected, records) = random_log(&*log, &mut random);
    let last = records.last().unwrap().epoch;
    let sealed = SealedEpochs::read(&*log, LogPosition::default()).unwrap();
    for peers in [1, 2, 3, 20] {
        let mut found = History::new();
        for index in 0..peers {
            let worker = Worker { index, peers };
            let config = random_config(&mut random);
            let source = LogSource::open(Arc::clone(&log), &sealed, worker, no_fatal(), config).unwrap();
            let (history, epochs) = read_all(source, last, &mut random, seed);
            assert_eq!(epochs, records, "seed {seed}, worker {index} of {peers}: every worker gives every epoch");
            for (at, inputs) in history {
                assert!(found.insert(at, inputs).is_none(), "seed {seed}: {at} is read by one worker");
            }
        }
        assert_eq!(found, expected, "seed {seed}, {peers} workers");
    }
}

#[test]
fn any_limits_and_workers_give_the_same_inputs_at_the_same_epochs() {
    for seed in 0..60 {
        check(Arc::new(journal()), seed);
    }
}

#[test]
fn a_log_with_holes_gives_the_same() {
    for seed in 100..140 {
        check(Arc::new(Holes(journal())), seed);
    }
}

#[test]
fn it_begins_after_a_checkpoint_as_if_it_had_never_stopped() {
    let log: Arc<dyn Log> = Arc::new(journal());
    let (expected, records) = random_log(&*log, &mut Random::new(5));
    let sealed = SealedEpochs::read(&*log, place_after(&*log, Epoch(10))).unwrap();
    let source = LogSource::open(Arc::clone(&log), &sealed, ALONE, no_fatal(), SourceConfig::default()).unwrap();
    let (history, epochs) = read_all(source, records.last().unwrap().epoch, &mut Random::new(6), 6);
    assert_eq!(epochs, records[10..]);
    assert_eq!(history, after(expected, Epoch(10)));
}

/// The place where a checkpoint of that epoch is.
fn place_after(log: &dyn Log, epoch: Epoch) -> LogPosition {
    let (mut place, mut from) = (LogPosition::default(), Cut::default());
    from.set(TopicPartition::EPOCHS, 0);
    for LogRecord { origin, record } in read_to(&mut *log.reader(&from).unwrap(), &log.ends().unwrap()) {
        if place.epochs.last < epoch {
            drop(place.epochs.accept_bytes(&record.value.unwrap()));
            place.offset = origin.offset + 1;
        }
    }
    place
}

fn after(mut history: History, last: Epoch) -> History {
    history.values_mut().for_each(|inputs| inputs.retain(|(epoch, _)| *epoch > last));
    history.retain(|_, inputs| !inputs.is_empty());
    history
}

#[test]
fn it_begins_at_the_front_of_a_log_that_was_deleted_up_to_there() {
    for seed in 200..220 {
        let logs: [Arc<dyn Log>; 2] =
            [Arc::new(journal_of_small_segments()), Arc::new(Holes(journal_of_small_segments()))];
        for log in logs {
            let random = &mut Random::new(seed);
            let (expected, records) = random_log(&*log, random);
            let kept = Epoch(5 + random.below(20) as u64);
            let place = place_after(&*log, kept);
            log.delete_before(&place.floor()).unwrap();
            assert!(log.starts().unwrap().get(TopicPartition::EPOCHS) > Some(0), "seed {seed}");
            let sealed = SealedEpochs::read(&*log, place).unwrap();
            let mut found = History::new();
            for index in 0..3 {
                let worker = Worker { index, peers: 3 };
                let config = random_config(random);
                let source = LogSource::open(Arc::clone(&log), &sealed, worker, no_fatal(), config).unwrap();
                let (history, epochs) = read_all(source, records.last().unwrap().epoch, random, seed);
                assert_eq!(epochs, records.iter().filter(|record| record.epoch > kept).cloned().collect::<Vec<_>>());
                found.extend(history);
            }
            assert_eq!(found, after(expected, kept), "seed {seed}, after {kept}");
        }
    }
}

#[test]
fn what_is_deleted_before_it_is_read_is_fatal() {
    let log: Arc<dyn Log> = Arc::new(journal_of_small_segments());
    let (_, records) = random_log(&*log, &mut Random::new(8));
    let sealed = SealedEpochs::read(&*log, LogPosition::default()).unwrap();
    let (say, fatal) = mpsc::sync_channel(10);
    let hook: Fatal = Arc::new(move |error| say.send(error).unwrap());
    let config =
        SourceConfig { read_records_max: 3, epochs_ahead_max: 1, covered_records_max: 1, ..SourceConfig::default() };
    let open = |fatal: Fatal| LogSource::open(Arc::clone(&log), &sealed, ALONE, fatal, config.clone());
    let mut source = open(hook).unwrap();
    assert!(matches!(source.poll(1, 1, 1), SourcePoll::Stride(_)));
    log.delete_before(&place_after(&*log, Epoch(20)).floor()).unwrap();
    let mut given = 1;
    while let SourcePoll::Stride(stride) = source.poll(1, 1, 1) {
        given += stride.epochs.len();
    }
    assert!(given < 20 && given < records.len(), "{given} epochs, of those that it still had");
    let errors: Vec<Error> = fatal.try_iter().collect();
    assert!(matches!(errors[..], [Error::Deleted { .. }]), "{errors:?}");
    assert_eq!(source.poll(1, 1, 1), SourcePoll::Pending, "and told once");
    assert!(matches!(open(no_fatal()).err(), Some(Error::Deleted { asked: 0, .. })));
}

#[test]
fn a_live_epoch_wakes_the_worker() {
    let log: Arc<dyn Log> = Arc::new(journal());
    let sealed = SealedEpochs::read(&*log, LogPosition::default()).unwrap();
    let mut source = LogSource::open(Arc::clone(&log), &sealed, ALONE, no_fatal(), SourceConfig::default()).unwrap();
    let bell = Bell::default();
    source.wake(bell.waker());
    assert_eq!(source.poll(10, 10, usize::MAX), SourcePoll::Pending);
    let at = TopicPartition::new(Topic::Orders, 1);
    let origins = append(&*log, vec![(at, order("o"))]).unwrap();
    assert_eq!(source.poll(10, 10, usize::MAX), SourcePoll::Pending, "no cut covers it");
    assert_eq!(source.held(), 1, "but it is decoded already");
    let record = seal(&*log, &mut Epochs::default(), &log.ends().unwrap());
    let stride = bell.until(|| match source.poll(10, 10, usize::MAX) {
        SourcePoll::Stride(stride) => Some(stride),
        SourcePoll::Pending => None,
        SourcePoll::End => panic!("a live source has no end"),
    });
    let input = codec::decode(origins[0], &order("o"));
    assert_eq!((stride.epochs, stride.inputs), (vec![Arc::new(record)], vec![(Epoch(1), input)]));
}

#[test]
fn an_epoch_of_other_rules_is_fatal_after_those_before_it() {
    let log: Arc<dyn Log> = Arc::new(journal());
    let sealed = SealedEpochs::read(&*log, LogPosition::default()).unwrap();
    let mut epochs = Epochs::default();
    seal(&*log, &mut epochs, &log.ends().unwrap());
    let mut other = epochs.next_record(&Cut::default(), Timestamp::from_micros(0));
    other.rules = RULES + 1;
    append(&*log, vec![(TopicPartition::EPOCHS, text(&serde_json::to_string(&other).unwrap()))]).unwrap();
    let (say, fatal) = mpsc::sync_channel(10);
    let hook: Fatal = Arc::new(move |error| say.send(error).unwrap());
    let mut source = LogSource::open(Arc::clone(&log), &sealed, ALONE, hook, SourceConfig::default()).unwrap();
    assert!(matches!(source.poll(10, 10, usize::MAX), SourcePoll::Stride(Stride { epochs, .. }) if epochs.len() == 1));
    assert_eq!(
        [source.poll(10, 10, usize::MAX), source.poll(10, 10, usize::MAX)],
        [SourcePoll::Pending, SourcePoll::Pending]
    );
    let errors: Vec<Error> = fatal.try_iter().collect();
    assert!(matches!(errors[..], [Error::Rules { epoch: Epoch(2), known: RULES, .. }]), "{errors:?}");
}

#[test]
fn large_records_are_held_by_their_bytes() {
    const RECORD_BYTES: usize = 100_000;
    let log: Arc<dyn Log> = Arc::new(journal());
    let mut epochs = Epochs::default();
    let large = text(&"x".repeat(RECORD_BYTES));
    let partitions: Vec<TopicPartition> = log.partitions().covered().collect();
    for number in 0..60 {
        append(&*log, vec![(partitions[number % partitions.len()], large.clone())]).unwrap();
        seal(&*log, &mut epochs, &log.ends().unwrap());
    }
    let sealed = SealedEpochs::read(&*log, LogPosition::default()).unwrap();
    let config = SourceConfig {
        held_bytes_max: 10 * DECODED_BYTES * RECORD_BYTES,
        read_records_max: 2,
        ..SourceConfig::default()
    };
    let mut source = LogSource::open(Arc::clone(&log), &sealed, ALONE, no_fatal(), config).unwrap();
    let mut given = 0;
    while let SourcePoll::Stride(stride) = source.poll(100, 100, 5 * DECODED_BYTES * RECORD_BYTES) {
        given += stride.epochs.len();
        assert!((1..=5).contains(&stride.inputs.len()), "{}", stride.inputs.len());
        assert!(source.held() <= 12, "{}", source.held());
    }
    assert_eq!((given, source.held(), source.held_bytes), (60, 0, 0));
}

/// A log where every other offset holds nothing, as transaction markers leave it.
struct Holes(Journal);

struct HolesReader(Box<dyn LogReader>);

fn scaled(cut: &Cut, scale: impl Fn(u64) -> u64) -> Cut {
    let mut other = Cut::default();
    cut.iter().for_each(|(at, next)| other.set(at, scale(next)));
    other
}

impl Log for Holes {
    fn partitions(&self) -> &Partitions {
        self.0.partitions()
    }

    fn append(&self, records: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        let spread = |origin: Origin| Origin { offset: origin.offset * 2, ..origin };
        self.0.append(records, Box::new(move |result| done(result.map(|all| all.into_iter().map(spread).collect()))));
    }

    fn starts(&self) -> Result<Cut, Error> {
        Ok(scaled(&self.0.starts()?, |start| start * 2))
    }

    fn ends(&self) -> Result<Cut, Error> {
        Ok(scaled(&self.0.ends()?, |next| next * 2))
    }

    fn cut_after(&self, _: &Cut, _: CutLimit) -> Result<Cut, Error> {
        self.ends()
    }

    fn reader(&self, starts: &Cut) -> Result<Box<dyn LogReader>, Error> {
        Ok(Box::new(HolesReader(self.0.reader(&scaled(starts, |next| next.div_ceil(2)))?)))
    }

    fn delete_before(&self, floor: &Cut) -> Result<(), Error> {
        self.0.delete_before(&scaled(floor, |next| next / 2))
    }

    fn watch(&self, waker: Waker) -> Watch {
        self.0.watch(waker)
    }
}

impl LogReader for HolesReader {
    fn poll(&mut self, limit: ReadLimit, into: &mut Vec<LogRecord>) -> Result<(), Error> {
        let from = into.len();
        self.0.poll(limit, into)?;
        into[from..].iter_mut().for_each(|found| found.origin.offset *= 2);
        Ok(())
    }

    fn position(&self, at: TopicPartition) -> Option<u64> {
        self.0.position(at).map(|position| position * 2)
    }

    fn wake(&mut self, waker: Waker) {
        self.0.wake(waker);
    }
}
