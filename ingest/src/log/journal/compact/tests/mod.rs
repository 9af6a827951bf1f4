//! The records left of compacted topics: any history of appends, moves of the front and restarts against a plain model,
//! from wherever it is read; readers that are under way; repeated records; a disk without room.

mod crash;
mod golden;

use super::*;
use crate::log::journal::Journal;
use crate::log::{Log, LogReader, Partitions, ReadLimit};
use crate::testing::contract_tests::{LIMIT, append, by_partition, read_to};
use crate::testing::{Disk, DiskFaults, Random};
use bytes::Bytes;
use dataflows::contract::domain::Domain;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::shop::row::View;
use smol_str::SmolStr;
use std::collections::BTreeMap;

const ORDERS: TopicPartition = TopicPartition::new(Topic::View(View::ALL[0]), 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::View(View::ALL[1]), 1);
const EVENTS: TopicPartition = TopicPartition::new(Topic::Events(Domain::ALL[0]), 0);
const PLACES: [TopicPartition; 3] = [ORDERS, STOCK, EVENTS];
const KEYS: usize = 6;

/// By partition, records by their offsets.
type Model = BTreeMap<TopicPartition, BTreeMap<u64, Record>>;
/// The rows that records come to.
type Rows = BTreeMap<(TopicPartition, Bytes), Bytes>;

/// Many segments, and commits of a few records.
fn config() -> JournalConfig {
    JournalConfig {
        segment_bytes: 400,
        commit_bytes_max: 300,
        batch_records_max: 3,
        read_window_bytes: 64,
        index_distance_bytes: 100,
        index_marks_max: 5,
        ..JournalConfig::default()
    }
}

fn open(disk: &Disk) -> Result<Journal, Error> {
    open_as(disk, config())
}

fn open_as(disk: &Disk, config: JournalConfig) -> Result<Journal, Error> {
    Journal::open_on(Arc::new(disk.clone()), &Partitions::outputs(2), config)
}

fn keeping(now_ms: i64, removals_kept_ms: i64) -> Compaction {
    Compaction { now_ms: Arc::new(move || now_ms), removals_kept_ms, ..Compaction::default() }
}

fn record(key: usize, value: Option<String>, timestamp_ms: i64) -> Record {
    let key = Some(Bytes::from(format!("key {key}")));
    Record { key, value: value.map(Bytes::from), headers: Vec::new(), timestamp_ms }
}

fn fold(rows: &mut Rows, at: TopicPartition, record: &Record) {
    let key = (at, record.key.clone().unwrap());
    match &record.value {
        Some(value) => drop(rows.insert(key, value.clone())),
        None => drop(rows.remove(&key)),
    }
}

/// A journal on a disk, and what it must hold.
struct TestEnv {
    disk: Disk,
    journal: Journal,
    /// All that was ever appended.
    all: Model,
    /// The records left before the front.
    left: Model,
    /// The removals before the front, and since when.
    removals: Option<(i64, BTreeMap<TopicPartition, u64>)>,
    now_ms: i64,
}

impl TestEnv {
    fn new() -> TestEnv {
        let disk = Disk::default();
        TestEnv {
            journal: open(&disk).unwrap(),
            disk,
            all: Model::new(),
            left: Model::new(),
            removals: None,
            now_ms: 0,
        }
    }

    /// The same history, on what `disk` has.
    fn on(&self, disk: &Disk) -> TestEnv {
        let (all, left, removals) = (self.all.clone(), self.left.clone(), self.removals.clone());
        TestEnv { journal: open(disk).unwrap(), disk: disk.clone(), all, left, removals, now_ms: self.now_ms }
    }

    fn append(&mut self, records: Vec<(TopicPartition, Record)>) {
        let origins = append(&self.journal, records.clone()).unwrap();
        for (origin, (at, record)) in origins.iter().zip(records) {
            self.all.entry(at).or_default().insert(origin.offset, record);
        }
    }

    fn append_any(&mut self, random: &mut Random) {
        self.now_ms += 1;
        let any = |random: &mut Random| {
            let value = (random.below(4) > 0).then(|| "v".repeat(random.below(60)) + &self.now_ms.to_string());
            (PLACES[random.below(PLACES.len())], record(random.below(KEYS), value, self.now_ms))
        };
        let records = (0..=random.below(4)).map(|_| any(random)).collect();
        self.append(records);
    }

    /// The front's offset of a partition, and its position.
    fn front(&self) -> (impl Fn(TopicPartition) -> u64 + use<>, u64) {
        let shared = &self.journal.shared;
        let front = lock(&shared.state).index.front().clone();
        let slots = PLACES.map(|at| (at, shared.layout.slot(at).unwrap()));
        let position = front.position;
        (move |at| slots.iter().find(|(of, _)| *of == at).map_or(0, |(_, slot)| front.ends[*slot]), position)
    }

    fn base_bytes(&self) -> u64 {
        lock(&self.journal.shared.state).base.as_ref().map_or(0, |base| base.bytes)
    }

    /// Moves the front, and the model's as far; returns true if it moved.
    fn compact(&mut self, floor: &Cut, removals_kept_ms: i64) -> bool {
        let ((_, before), base_bytes) = (self.front(), self.base_bytes());
        self.journal.compact_before(floor, &keeping(self.now_ms, removals_kept_ms)).unwrap();
        let (front, after) = self.front();
        let free = after - before;
        assert!(free == 0 || free >= base_bytes, "a base of {base_bytes} bytes is written again for {free}");
        if free > 0 {
            self.leave(front, removals_kept_ms);
        }
        free > 0
    }

    /// Leaves in the model what is kept before that front.
    fn leave(&mut self, front: impl Fn(TopicPartition) -> u64, removals_kept_ms: i64) {
        let is_due = |since_ms: i64| self.now_ms - since_ms >= removals_kept_ms;
        let forgotten = self.removals.take_if(|(since_ms, _)| is_due(*since_ms)).map(|(_, ends)| ends);
        self.removals.get_or_insert_with(|| (self.now_ms, [ORDERS, STOCK].map(|at| (at, front(at))).into()));
        for at in [ORDERS, STOCK] {
            let Some(all) = self.all.get(&at) else { continue };
            let last: BTreeMap<_, u64> =
                all.range(..front(at)).map(|(offset, record)| (record.key.clone(), *offset)).collect();
            let was_left = self.left.get(&at).cloned().unwrap_or_default();
            let left = last.into_values().map(|offset| (offset, all[&offset].clone())).filter(|(offset, record)| {
                // A key that was forgotten before does not come back.
                let is_known = was_left.contains_key(offset) || was_left.keys().all(|left| left < offset);
                let is_old = forgotten.as_ref().is_some_and(|ends| *offset < ends[&at]);
                offset + 1 == front(at) || (is_known && !(is_old && record.value.is_none()))
            });
            let left = left.collect();
            self.left.insert(at, left);
        }
    }

    /// The records that a reader of one partition must give from there on.
    fn expected(&self, at: TopicPartition, from: u64) -> Vec<(u64, Record)> {
        let (front, _) = self.front();
        let nothing = BTreeMap::new();
        let left = self.left.get(&at).unwrap_or(&nothing).range(from..front(at).max(from));
        let rest = self.all.get(&at).unwrap_or(&nothing).range(from.max(front(at))..);
        left.chain(rest).map(|(offset, record)| (*offset, record.clone())).collect()
    }

    /// Everything is read that must be, from any place, together and alone.
    fn check(&self) {
        let ends = self.journal.ends().unwrap();
        let read = |from: &Cut| by_partition(&read_to(&mut *self.journal.reader(from).unwrap(), &ends));
        let starts = self.journal.starts().unwrap();
        let all = PLACES.map(|at| (at, self.expected(at, starts.get(at).unwrap())));
        let all: BTreeMap<_, _> = all.into_iter().filter(|(_, records)| !records.is_empty()).collect();
        assert_eq!(read(&starts), all);
        let (front, _) = self.front();
        for at in PLACES {
            let end = ends.get(at).unwrap();
            for asked in [0, front(at) / 2, front(at).saturating_sub(1), front(at), front(at).midpoint(end), end] {
                let mut from = Cut::default();
                from.set(at, asked);
                if at == EVENTS && asked < front(at) {
                    assert!(matches!(self.journal.reader(&from), Err(Error::Deleted { .. })), "{at} {asked}");
                } else {
                    let found = read(&from).remove(&at).unwrap_or_default();
                    assert_eq!(found, self.expected(at, asked), "{at} from {asked}");
                }
            }
        }
        self.check_files();
    }

    /// No file is there that is not needed, and they take as much as is reported.
    fn check_files(&self) {
        let (_, front) = self.front();
        let files: Vec<String> =
            self.disk.names().into_iter().filter(|name| !["front", "meta"].contains(&&**name)).collect();
        let bases: Vec<&String> = files.iter().filter(|name| CompactedPrefix::is_name(name)).collect();
        let expected: Vec<String> = (front > 0).then(|| CompactedPrefix::name(front)).into_iter().collect();
        assert_eq!(bases, expected.iter().collect::<Vec<_>>());
        let bytes: usize = files.iter().map(|name| self.disk.bytes(name).len()).sum();
        assert_eq!(bytes as u64, self.journal.bytes(), "{files:?}");
    }
}

/// A floor at some distance of each partition from the end.
fn any_floor(env: &TestEnv, random: &mut Random) -> Cut {
    let mut floor = Cut::default();
    let lag = 1 + random.below(20);
    let ends = env.journal.ends().unwrap();
    ends.iter().for_each(|(at, end)| floor.set(at, end.saturating_sub(random.below(lag) as u64)));
    floor
}

/// A reader of views that lives on while the front moves, and the rows that it has.
struct ViewReader {
    since_ms: i64,
    reader: Box<dyn LogReader>,
    rows: Rows,
    next: BTreeMap<TopicPartition, u64>,
}

impl ViewReader {
    fn new(env: &TestEnv) -> ViewReader {
        let mut from = Cut::default();
        [ORDERS, STOCK].into_iter().for_each(|at| from.set(at, 0));
        let reader = env.journal.reader(&from).unwrap();
        ViewReader { since_ms: env.now_ms, reader, rows: Rows::new(), next: BTreeMap::new() }
    }

    /// Reads some more records; returns true if that was all.
    fn goes_on(&mut self, env: &TestEnv, records_max: usize) -> bool {
        let mut found = Vec::new();
        self.reader.poll(ReadLimit { records_max, ..LIMIT }, &mut found).unwrap();
        for (at, records) in by_partition(&found) {
            for (offset, record) in records {
                let next = self.next.entry(at).or_default();
                assert!(offset >= *next && record == env.all[&at][&offset], "{at} {offset}");
                *next = offset + 1;
                fold(&mut self.rows, at, &record);
            }
        }
        found.is_empty()
    }

    /// At its end it has the rows that all records come to.
    fn ends(mut self, env: &TestEnv) {
        while !self.goes_on(env, 100) {}
        let mut rows = Rows::new();
        for at in [ORDERS, STOCK] {
            env.all.get(&at).into_iter().flatten().for_each(|(_, record)| fold(&mut rows, at, record));
            assert_eq!(self.reader.position(at), env.journal.ends().unwrap().get(at));
        }
        assert_eq!(self.rows, rows);
    }
}

#[test]
fn any_history_is_as_the_model_says_and_readers_under_way_come_to_its_rows() {
    let mut moves = 0;
    for seed in 0..60 {
        // Shown when the test fails.
        println!("seed {seed}");
        let random = &mut Random::new(seed);
        let mut env = TestEnv::new();
        let mut readers: Vec<ViewReader> = Vec::new();
        for _ in 0..200 {
            match random.below(12) {
                0 => {
                    // Removals are kept for at least as long as any reader is under way, however long the front waited.
                    let since_ms = readers.first().map_or(env.now_ms, |reader| reader.since_ms);
                    let kept_ms = env.now_ms - since_ms + 1 + random.below(50) as i64;
                    let floor = any_floor(&env, random);
                    moves += u32::from(env.compact(&floor, kept_ms));
                }
                1 => {
                    env.check();
                    readers.drain(..).for_each(|reader| reader.ends(&env));
                    let disk = env.disk.clone();
                    drop(std::mem::replace(&mut env.journal, open(&Disk::default()).unwrap()));
                    let is_packed = random.below(2) == 0;
                    env.journal = open_as(&disk, JournalConfig { is_packed, ..config() }).unwrap();
                    env.check();
                }
                2 => readers.push(ViewReader::new(&env)),
                3 | 4 => {
                    for reader in &mut readers {
                        reader.goes_on(&env, 1 + random.below(10));
                    }
                }
                _ => env.append_any(random),
            }
        }
        env.check();
        readers.drain(..).for_each(|reader| reader.ends(&env));
    }
    assert!(moves > 200, "the front moved {moves} times");
}

/// A change of a view as publishers have it.
fn published(epoch: u64, n: u64, key: usize, value: Option<String>) -> Record {
    let header = |name: &'static str, value: u64| (SmolStr::new_static(name), Some(Bytes::from(value.to_string())));
    let headers = vec![header("tw_epoch", epoch), header("tw_n", n)];
    Record { headers, ..record(key, value, epoch.cast_signed()) }
}

#[test]
fn what_publishers_repeat_is_never_what_is_left_of_a_key() {
    for seed in 0..100 {
        println!("seed {seed}");
        let random = &mut Random::new(seed);
        let mut env = TestEnv::new();
        let (mut epochs, mut complete, mut rows): (Vec<Vec<Record>>, usize, Rows) = (Vec::new(), 0, Rows::new());
        for _ in 0..40 {
            for _ in 0..random.below(4) {
                let epoch = epochs.len() as u64 + 1;
                let any = |n| {
                    let value = (random.below(3) > 0).then(|| format!("{epoch}-{n}"));
                    published(epoch, n, random.below(KEYS), value)
                };
                epochs.push((1..4).map(any).collect());
            }
            // All that is not known to be complete, to its end or to where the publisher dies.
            let due: Vec<_> = epochs[complete..].iter().flatten().map(|record| (ORDERS, record.clone())).collect();
            let is_stopped = random.below(3) == 0;
            let length = if is_stopped { random.below(due.len() + 1) } else { due.len() };
            due[..length].iter().for_each(|record| env.append(vec![record.clone()]));
            if !is_stopped {
                epochs[complete..].iter().flatten().for_each(|record| fold(&mut rows, ORDERS, record));
                complete = epochs.len();
            }
            let compaction = keeping(complete as i64, 2);
            env.journal.compact_before(&any_floor(&env, random), &compaction).unwrap();
            if !is_stopped {
                assert_eq!(rows_by_the_rule(&env), rows);
            }
        }
        assert!(env.base_bytes() > 0);
    }
}

/// The rows of a reader that takes only what is beyond the last that it took.
fn rows_by_the_rule(env: &TestEnv) -> Rows {
    let (mut from, mut rows, mut last) = (Cut::default(), Rows::new(), None);
    from.set(ORDERS, 0);
    for found in read_to(&mut *env.journal.reader(&from).unwrap(), &env.journal.ends().unwrap()) {
        let place = publisher::place(&found.record);
        if place > last {
            last = place;
            fold(&mut rows, ORDERS, &found.record);
        }
    }
    rows
}

#[test]
fn a_compaction_that_is_told_to_stop_changes_nothing() {
    let (env, floor) = history();
    let names = env.disk.names();
    let compaction = Compaction::default();
    compaction.signal.stop();
    assert!(matches!(env.journal.compact_before(&floor, &compaction), Err(Error::Unavailable(_))));
    assert_eq!(env.disk.names(), names);
    env.check();
}

/// Some twenty segments, a base, and a floor near the end.
fn history() -> (TestEnv, Cut) {
    let (mut env, mut random) = (TestEnv::new(), Random::new(1));
    (0..30).for_each(|_| env.append_any(&mut random));
    let floor = env.journal.ends().unwrap();
    assert!(env.compact(&floor, i64::MAX));
    (0..60).for_each(|_| env.append_any(&mut random));
    let floor = env.journal.ends().unwrap();
    (0..10).for_each(|_| env.append_any(&mut random));
    (env, floor)
}

#[test]
fn a_disk_without_room_loses_nothing_and_has_its_room_back() {
    let (mut env, floor) = history();
    let names = env.disk.names();
    let mut room = 0;
    loop {
        env.disk.fail(DiskFaults { room_bytes: Some(room), ..DiskFaults::default() });
        match env.journal.delete_before(&floor) {
            Ok(()) => break,
            Err(Error::Io { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::StorageFull),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(env.disk.names(), names, "with room for {room} bytes");
        env.check();
        room += 50;
    }
    assert!(room > 200);
    let (front, _) = env.front();
    env.leave(front, i64::MAX);
    env.check();
}
