//! What is published, as a reader that keeps to the contract's rule has it: each record once and in order, however often
//! publishers stopped, repeated what they were not told of, and were at it at once.

use crate::rule_s::{sealed, workload};
use crate::support::{Way, for_each_seed, run, seeds};
use dataflows::contract::changes::{Changes, digest_text};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::ports::Sink;
use dataflows::shop::row::View;
use ingest::log::journal::Journal;
use ingest::log::{Log, LogRecord, Partitions, ReadLimit, Record, journal};
use ingest::output::publisher::{EpochRecords, Outbox, OutputPublisher, Progress, PublisherConfig, published};
use ingest::output::reader;
use ingest::output::reader::{EpochBatch, OutputReader, PublishedChange, PublishedEvent, Step};
use ingest::testing::{Disk, FaultyLog, LogFaults, Random};
use std::collections::BTreeMap;
use std::sync::Arc;

fn number(record: &Record, name: &str) -> u64 {
    let found = record.headers.iter().find(|(header, _)| header == name).and_then(|(_, value)| value.as_deref());
    let text = std::str::from_utf8(found.expect("every record says its place")).unwrap();
    text.parse().expect("a place is a number")
}

type TakenRecords = BTreeMap<TopicPartition, Vec<(u64, Record)>>;

/// The state that a reader takes of each partition, with its offset: only what is beyond the last that it took.
fn taken(log: &dyn Log) -> TakenRecords {
    let mut records: Vec<LogRecord> = Vec::new();
    let limit = ReadLimit { records_max: usize::MAX, bytes_max: usize::MAX };
    log.reader(&log.starts().unwrap()).unwrap().poll(limit, &mut records).unwrap();
    let mut last: BTreeMap<TopicPartition, (u64, u64)> = BTreeMap::new();
    let mut taken = TakenRecords::new();
    for LogRecord { origin, record } in records {
        let (at, place) = (origin.topic_partition(), (number(&record, "tw_epoch"), number(&record, "tw_n")));
        if last.get(&at).is_none_or(|last| place > *last) {
            last.insert(at, place);
            taken.entry(at).or_default().push((origin.offset, record));
        }
    }
    taken
}

/// Holds what was published against these epochs, which are all.
pub fn check(log: &dyn Log, epochs: &[Arc<Changes>]) {
    let mut expected: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
    for changes in epochs {
        let mut records = EpochRecords::new(Arc::clone(changes));
        while let Some((at, record)) = records.next(log.partitions()) {
            expected.entry(at).or_default().push(record);
        }
    }
    let mut found = taken(log);
    let progress = found.remove(&TopicPartition::new(Topic::Progress, 0)).unwrap_or_default();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (at, records) in &found {
        let records: Vec<&Record> = records.iter().map(|(_, record)| record).collect();
        assert_eq!(records, expected[at].iter().collect::<Vec<_>>(), "{at}");
    }
    let progress: Vec<Progress> =
        progress.iter().map(|(_, record)| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap()).collect();
    let of = |changes: &Arc<Changes>| (changes.epoch(), digest_text(changes.standings.digest()));
    let told: Vec<_> = progress.iter().map(|progress| (progress.epoch, progress.digest.clone())).collect();
    assert_eq!(told, epochs.iter().map(of).collect::<Vec<_>>(), "every epoch is complete");
    check_offsets(&found, &progress);
}

/// Before the offsets of an epoch's progress, a reader finds everything of each view up to that epoch.
fn check_offsets(found: &TakenRecords, progress: &[Progress]) {
    for Progress { epoch, digest: _, offsets, events: _ } in progress {
        for (view, partitions) in offsets {
            let view = View::from_name(view).expect("a view");
            for (partition, next) in partitions {
                let records = found.get(&TopicPartition::new(Topic::View(view), *partition));
                let late = records
                    .into_iter()
                    .flatten()
                    .find(|(offset, record)| *offset >= *next && number(record, "tw_epoch") <= epoch.0);
                assert!(
                    late.is_none(),
                    "{view:?}/{partition} is not complete at epoch {epoch} before {next}: {late:?}"
                );
            }
        }
    }
}

/// What a follower of whole epochs must hand on for these changes.
fn whole(changes: &Arc<Changes>, partitions: &Partitions) -> EpochBatch {
    let now = Timestamp::from_micros(changes.record.now.micros().div_euclid(1000) * 1000);
    let mut whole = EpochBatch { epoch: changes.epoch(), now, events: Vec::new(), changes: Vec::new() };
    let mut records = EpochRecords::new(Arc::clone(changes));
    let text = |bytes: Option<&[u8]>| std::str::from_utf8(bytes.unwrap()).unwrap().into();
    while let Some((at, record)) = records.next(partitions) {
        let (n, key) = (number(&record, "tw_n"), record.key.as_deref());
        match at.topic {
            Topic::Events(_) => {
                let fact = &changes.events[whole.events.len()].fact;
                let data = record.value.clone().unwrap();
                whole.events.push(PublishedEvent { n, name: fact.name().into(), key: text(key), data });
            }
            Topic::View(view) => {
                whole.changes.push(PublishedChange { view, n, key: text(key), value: record.value.clone() });
            }
            Topic::DeadLetters => {}
            other => panic!("nothing is published to {other:?} here"),
        }
    }
    whole
}

/// Follows the topics as whole epochs, and begins again at times.
struct EpochReader {
    published: OutputReader,
    next: usize,
}

impl EpochReader {
    fn new(log: &dyn Log, next: usize) -> EpochReader {
        let config =
            reader::OutputReaderConfig { records_max: 3, bytes_max: 1 << 20, ahead_max: 5, ahead_bytes_max: 3_000 };
        EpochReader { published: OutputReader::open(log, Epoch(next as u64 + 1), config).unwrap(), next }
    }

    /// Continues as far as it can now.
    fn step(&mut self, log: &dyn Log, all: &[Arc<Changes>]) {
        loop {
            match self.published.step().unwrap() {
                Step::Epoch(found) => {
                    assert_eq!(found, whole(&all[self.next], log.partitions()));
                    self.next += 1;
                }
                Step::More => {}
                Step::Idle => return,
            }
        }
    }
}

/// One publisher with the epochs that its node gives it.
struct Node {
    publisher: OutputPublisher,
    outbox: Outbox,
    next: usize,
}

impl Node {
    fn start(log: &Arc<dyn Log>, random: &mut Random) -> Node {
        let published = published(&**log).unwrap();
        let config = PublisherConfig {
            append_bytes_max: 1 + random.below(4_000),
            append_epochs_max: 1 + random.below(6),
            acknowledge_ms_max: u64::MAX,
            ..PublisherConfig::default()
        };
        let outbox = Outbox::new(published, config);
        // It begins at or before what is published, as a restart does.
        let back = random.below(10) as u64;
        let next = usize::try_from(published.0.saturating_sub(back)).unwrap();
        Node { publisher: OutputPublisher::new(Arc::clone(log), outbox.clone()), outbox, next }
    }
}

#[test]
fn publishers_that_stop_repeat_and_race_never_contradict() {
    for_each_seed("outputs", seeds(700, 3), |seed| {
        let mut random = Random::new(seed);
        let all = run(&sealed(&workload(seed)), Way { workers: 1, stride: 9, in_flight: 9 });
        let disk = Disk::default();
        let partitions = Partitions::outputs(3);
        let packed = journal::JournalConfig { is_packed: true, ..journal::JournalConfig::default() };
        let (journal, mut writer) = Journal::open_stepped(Arc::new(disk), &partitions, packed).unwrap();
        let journal: Arc<dyn Log> = Arc::new(journal);
        let faults = LogFaults::default();
        let faulty: Arc<dyn Log> = Arc::new(FaultyLog::new(Arc::clone(&journal), faults.clone(), false));
        let mut nodes = [Node::start(&journal, &mut random), Node::start(&journal, &mut random)];
        let last = Epoch(all.len() as u64);
        faults.set(Some((random.clone(), 12)));
        let mut following = EpochReader::new(&*journal, 0);
        let mut steps = 0;
        while nodes.iter().all(|node| node.outbox.published() < last) {
            steps += 1;
            assert!(steps < 100_000, "no end");
            let node = &mut nodes[random.below(2)];
            match random.below(12) {
                0..=3 => {
                    if let Some(changes) = all.get(node.next) {
                        node.outbox.apply(changes);
                        node.next += 1;
                    }
                }
                4..=7 => drop(node.publisher.step()),
                8..=10 => drop(writer.step()),
                _ => faults.release(),
            }
            if random.below(40) == 0 {
                following.step(&*journal, &all);
            }
            if random.below(400) == 0 {
                following = EpochReader::new(&*journal, following.next);
            }
            if random.below(200) == 0 {
                faults.set(None);
                nodes[random.below(2)] = Node::start(&faulty, &mut random);
                faults.set((random.below(3) > 0).then(|| (random.clone(), 12)));
            }
        }
        while writer.step() {}
        check(&*journal, &all);
        following.step(&*journal, &all);
        assert_eq!(following.next, all.len(), "every epoch is complete");
    });
}

/// What the log takes its time for is told, and not sent again.
#[test]
fn what_is_not_acknowledged_yet_is_told_and_not_repeated() {
    let all = run(&sealed(&workload(1)), Way { workers: 1, stride: 9, in_flight: 9 });
    let disk = Arc::new(Disk::default());
    let (journal, mut writer) =
        Journal::open_stepped(disk, &Partitions::outputs(3), journal::JournalConfig::default()).unwrap();
    let journal: Arc<dyn Log> = Arc::new(journal);
    let mut outbox = Outbox::new(Epoch(0), PublisherConfig { acknowledge_ms_max: 0, ..PublisherConfig::default() });
    let mut publisher = OutputPublisher::new(Arc::clone(&journal), outbox.clone());
    all.iter().for_each(|changes| outbox.apply(changes));
    for _ in 0..5 {
        publisher.step().unwrap();
    }
    let why = outbox.stalled().expect("it stands still").why;
    assert!(why.contains("outputs are not acknowledged"), "{why}");
    while outbox.published() < Epoch(all.len() as u64) {
        publisher.step().unwrap();
        writer.step();
    }
    assert_eq!(outbox.stalled(), None);
    check(&*journal, &all);
    let records: usize = taken(&*journal).values().map(Vec::len).sum();
    assert_eq!(journal.ends().unwrap().iter().map(|(_, end)| end).sum::<u64>(), records as u64, "each is there once");
}

/// An epoch waits to be published by its bytes, and the core waits with it.
#[test]
fn what_waits_to_be_published_is_bounded_by_bytes() {
    let all = run(&sealed(&workload(1)), Way { workers: 1, stride: 9, in_flight: 9 });
    let (journal, mut writer) =
        Journal::open_stepped(Arc::new(Disk::default()), &Partitions::outputs(3), journal::JournalConfig::default())
            .unwrap();
    let journal: Arc<dyn Log> = Arc::new(journal);
    let bytes_max = 10_000;
    let outbox = Outbox::new(Epoch(0), PublisherConfig { bytes_waiting_max: bytes_max, ..PublisherConfig::default() });
    let mut publisher = OutputPublisher::new(Arc::clone(&journal), outbox.clone());
    let last = Epoch(all.len() as u64);
    let core = {
        let (mut outbox, all) = (outbox.clone(), all.clone());
        std::thread::spawn(move || all.iter().for_each(|changes| outbox.apply(changes)))
    };
    let mut most = 0;
    while outbox.published() < last {
        let (epochs, bytes) = (outbox.waiting(), outbox.waiting_bytes());
        // One epoch may have more than all may.
        assert!(bytes <= bytes_max || epochs <= 1, "{bytes} bytes of {epochs} epochs wait");
        most = most.max(epochs);
        publisher.step().unwrap();
        writer.step();
    }
    core.join().unwrap();
    assert!(most > 1 && outbox.waiting_bytes() == 0, "{most}");
    check(&*journal, &all);
}
