//! The journal's front: any history of appends, floors and restarts against a plain model; its bytes; its readers.

mod crash;

use super::*;
use crate::log::journal::{Journal, JournalConfig};
use crate::log::{CutLimit, Log, LogReader, Partitions, ReadLimit, Record};
use crate::testing::contract_tests::{LIMIT, append, by_partition, read_to, text};
use crate::testing::{Bell, Disk, Random, contract_tests};
use dataflows::contract::topic::{Topic, TopicPartition};
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::Stock, 1);

/// The appended records, by partition.
type Model = BTreeMap<TopicPartition, BTreeMap<u64, Record>>;

/// Many segments, each of a few commits.
fn config() -> JournalConfig {
    JournalConfig {
        segment_bytes: 500,
        batch_records_max: 3,
        read_window_bytes: 64,
        index_distance_bytes: 100,
        index_marks_max: 5,
        ..JournalConfig::default()
    }
}

fn open(disk: &Disk) -> Result<Journal, Error> {
    Journal::open_on(Arc::new(disk.clone()), &Partitions::uniform(contract_tests::PARTITIONS), config())
}

/// A journal on a disk, and what it must hold.
struct TestEnv {
    disk: Disk,
    journal: Journal,
    model: Model,
}

impl TestEnv {
    fn new() -> TestEnv {
        let disk = Disk::default();
        TestEnv { journal: open(&disk).unwrap(), disk, model: Model::new() }
    }

    fn append(&mut self, records: Vec<(TopicPartition, Record)>) {
        let origins = append(&self.journal, records.clone()).unwrap();
        for (origin, (at, record)) in origins.iter().zip(records) {
            let of = self.model.entry(at).or_default();
            let due = of.last_key_value().map_or(0, |(last, _)| last + 1);
            assert_eq!(origin.offset, due, "{at}");
            of.insert(origin.offset, record);
        }
    }

    fn append_any(&mut self, random: &mut Random) {
        let places: Vec<TopicPartition> = self.journal.partitions().iter().collect();
        let any = |random: &mut Random| (places[random.below(places.len())], text(&"v".repeat(random.below(60))));
        let records = (0..=random.below(4)).map(|_| any(random)).collect();
        self.append(records);
    }

    /// Closes it, and opens what `disk` has.
    fn reopen_on(self, disk: Disk) -> TestEnv {
        drop(self.journal);
        TestEnv { journal: open(&disk).unwrap(), disk, model: self.model }
    }

    /// The segments' names.
    fn names(&self) -> Vec<String> {
        self.disk.names().into_iter().filter(|name| name.ends_with(".journal")).collect()
    }

    fn starts(&self) -> Cut {
        self.journal.starts().unwrap()
    }

    /// Everything is there that is not before the starts, from wherever it is read.
    fn check(&self) {
        let starts = self.starts();
        let rest = |from: &Cut| {
            let all = self.model.iter().filter_map(|(at, records)| Some((*at, records.range(from.get(*at)?..))));
            let all =
                all.map(|(at, records)| (at, records.map(|(offset, record)| (*offset, record.clone())).collect()));
            all.filter(|(_, records): &(_, Vec<_>)| !records.is_empty()).collect::<BTreeMap<_, _>>()
        };
        let mut ends = Cut::default();
        self.journal.partitions().iter().for_each(|at| ends.set(at, self.model.get(&at).map_or(0, end)));
        assert_eq!(self.journal.ends().unwrap(), ends);
        let read = |from: &Cut| by_partition(&read_to(&mut *self.journal.reader(from).unwrap(), &ends));
        assert_eq!(read(&starts), rest(&starts));
        for (at, start) in starts.iter() {
            let mut from = Cut::default();
            for asked in [start, start.midpoint(ends.get(at).unwrap())] {
                from.set(at, asked);
                assert_eq!(read(&from), rest(&from));
            }
            if let Some(asked) = start.checked_sub(1) {
                from.set(at, asked);
                let error = self.journal.reader(&from).err().unwrap();
                assert!(matches!(error, Error::Deleted { asked: found, .. } if found == asked), "{error}");
            }
        }
    }

    /// Every segment that the floor sets free is gone, the last one is not, and no other file is left.
    fn check_deleted(&self, floor: &Cut) {
        let state = lock(&self.journal.shared.state);
        let names: Vec<String> = state.segments.iter().map(|segment| Segment::name(segment.start)).collect();
        let is_needed = |(slot, offset): (usize, &u64)| {
            let needed = floor.get(self.journal.shared.layout.at(slot)).unwrap_or(0);
            *offset > needed.max(state.segments[0].offsets[slot])
        };
        let next = state.segments.get(1);
        assert!(next.is_none_or(|next| next.offsets.iter().enumerate().any(is_needed)), "the first is not needed");
        assert_eq!(self.names(), names);
    }
}

fn end(records: &BTreeMap<u64, Record>) -> u64 {
    records.last_key_value().map_or(0, |(last, _)| last + 1)
}

/// A reader that lives on while the front moves, and what it must give next.
struct LivingReader {
    reader: Box<dyn LogReader>,
    next: BTreeMap<TopicPartition, u64>,
}

impl LivingReader {
    fn any(env: &TestEnv, random: &mut Random) -> LivingReader {
        let (mut from, mut next) = (Cut::default(), BTreeMap::new());
        for (at, start) in env.starts().iter() {
            let end = env.model.get(&at).map_or(0, end);
            let asked = start + random.below(usize::try_from(end - start).unwrap() + 1) as u64;
            if random.below(3) > 0 {
                from.set(at, asked);
                next.insert(at, asked);
            }
        }
        LivingReader { reader: env.journal.reader(&from).unwrap(), next }
    }

    /// Reads on; false if what is next is deleted.
    fn goes_on(&mut self, env: &TestEnv, random: &mut Random) -> bool {
        let mut found = Vec::new();
        let limit = ReadLimit { records_max: 1 + random.below(20), ..LIMIT };
        let polled = self.reader.poll(limit, &mut found);
        let is_end = found.is_empty();
        for (at, records) in by_partition(&found) {
            for (offset, record) in records {
                let next = self.next.get_mut(&at).unwrap();
                assert_eq!((offset, &record), (*next, &env.model[&at][&offset]), "{at}");
                *next += 1;
            }
        }
        match polled {
            Ok(()) => {
                let is_read = |(at, next): (&TopicPartition, &u64)| *next == env.model.get(at).map_or(0, end);
                assert!(!is_end || self.next.iter().all(is_read), "silence is the end");
                true
            }
            Err(Error::Deleted { at, asked, start }) => {
                assert_eq!((self.next[&at], env.starts().get(at)), (asked, Some(start)));
                assert!(asked < start);
                false
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn any_history_of_appends_floors_and_restarts_is_as_the_model_says() {
    for seed in 0..80 {
        // Shown when the test fails.
        println!("seed {seed}");
        let random = &mut Random::new(seed);
        let mut env = TestEnv::new();
        let mut readers: Vec<LivingReader> = Vec::new();
        let mut highest = env.journal.ends().unwrap();
        for _ in 0..120 {
            match random.below(10) {
                0 => {
                    let before = env.starts();
                    let floor = any_floor(&env, random);
                    env.journal.delete_before(&floor).unwrap();
                    floor.iter().for_each(|(at, next)| highest.set(at, next.max(highest.get(at).unwrap())));
                    let is_kept = |(at, start)| before.get(at) <= Some(start) && Some(start) <= highest.get(at);
                    assert!(env.starts().iter().all(is_kept), "neither back nor beyond the floors");
                    env.check_deleted(&floor);
                }
                1 if random.below(4) == 0 => {
                    readers.clear();
                    let (disk, starts) = (env.disk.clone(), env.starts());
                    env = env.reopen_on(disk);
                    assert_eq!(env.starts(), starts);
                    env.check();
                }
                2 | 3 => readers.push(LivingReader::any(&env, random)),
                4 | 5 => readers.retain_mut(|reader| reader.goes_on(&env, random)),
                _ => env.append_any(random),
            }
        }
        env.check();
    }
}

/// Some partitions may lag, some may not be named.
fn any_floor(env: &TestEnv, random: &mut Random) -> Cut {
    let lag = 1 + random.below(20);
    let mut floor = Cut::default();
    for (at, end) in env.journal.ends().unwrap().iter() {
        if random.below(40) > 0 {
            floor.set(at, end.saturating_sub(random.below(lag) as u64));
        }
    }
    floor
}

/// Some twenty segments, and a floor in the middle.
fn history() -> (TestEnv, Cut) {
    let mut env = TestEnv::new();
    let mut random = Random::new(1);
    (0..50).for_each(|_| env.append_any(&mut random));
    let floor = env.journal.ends().unwrap();
    (0..20).for_each(|_| env.append_any(&mut random));
    (env, floor)
}

fn on(disk: &Disk, model: &Model) -> TestEnv {
    TestEnv { journal: open(disk).unwrap(), disk: disk.clone(), model: model.clone() }
}

#[test]
fn the_front_has_the_documented_bytes() {
    let mut env = TestEnv::new();
    for number in 0..20 {
        let value = format!("value {number}");
        env.append(vec![(ORDERS, text(&value)), (STOCK, text(&value)), (TopicPartition::EPOCHS, text(&value))]);
    }
    env.journal.delete_before(&env.journal.ends().unwrap()).unwrap();
    let front = String::from_utf8(env.disk.bytes("front")).unwrap();
    assert_eq!(front, include_str!("../../golden/front_with_activity.json").trim_end());
    // Before there was the topic `activity`: it begins at its beginning.
    let older = env.disk.copy();
    older.put("front", include_str!("../../golden/front.json").trim_end().as_bytes().to_vec());
    assert_eq!(open(&older).unwrap().starts().unwrap(), env.journal.starts().unwrap());
    assert_eq!(env.names(), ["00000000000000004866.journal"], "the last segment stays");
    let other = env.disk.copy();
    let value =
        front["{\"front\":".len()..].split_once(",\"crc32c\"").unwrap().0.replace("\"format\":1", "\"format\":3");
    other.put("front", format!("{{\"front\":{value},\"crc32c\":{}}}", crc32c::crc32c(value.as_bytes())).into_bytes());
    let error = open(&other).err().unwrap().to_string();
    assert!(error.contains("its format is 3, and this build reads 2"), "{error}");
}

#[test]
fn an_open_file_is_read_to_its_end_and_then_the_reader_says_that_the_rest_is_gone() {
    let (mut env, _) = history();
    let mut reader = env.journal.reader(&env.starts()).unwrap();
    let mut idle = env.journal.reader(&env.starts()).unwrap();
    let mut found = Vec::new();
    reader.poll(ReadLimit { records_max: 1, ..LIMIT }, &mut found).unwrap();
    idle.poll(LIMIT, &mut Vec::new()).unwrap();
    (0..20).for_each(|_| env.append_any(&mut Random::new(2)));
    let (files, second) = {
        let segments = &lock(&env.journal.shared.state).segments;
        let files: Vec<_> = segments.iter().map(|segment| Arc::downgrade(&segment.file)).collect();
        (files, segments[1].offsets.clone())
    };
    env.journal.delete_before(&env.journal.ends().unwrap()).unwrap();
    for _ in 0..2 {
        let error = reader.poll(LIMIT, &mut found).unwrap_err();
        assert!(matches!(error, Error::Deleted { .. }), "{error}");
    }
    let given = by_partition(&found);
    for (slot, offset) in second.iter().enumerate() {
        let at = env.journal.shared.layout.at(slot);
        let expected: Vec<(u64, Record)> =
            env.model[&at].range(..offset).map(|(offset, record)| (*offset, record.clone())).collect();
        assert_eq!(given.get(&at).cloned().unwrap_or_default(), expected, "{at}: the first segment, and no more");
    }
    let open = files.iter().filter(|file| file.upgrade().is_some()).count();
    assert_eq!(open, env.names().len() + 1, "who has nothing to read holds no deleted file, and the reader holds one");
}

#[test]
fn appends_readers_cuts_and_deletions_at_once() {
    let disk = Disk::default();
    let journal = Arc::new(open(&disk).unwrap());
    let (writer, deleter) = (Arc::clone(&journal), Arc::clone(&journal));
    let appends = std::thread::spawn(move || {
        for number in 0..600 {
            let at = [ORDERS, STOCK, TopicPartition::EPOCHS][number % 3];
            append(&*writer, vec![(at, text(&format!("{number}")))]).unwrap();
        }
    });
    let (floors, asked) = mpsc::sync_channel::<Cut>(1);
    let deletions = std::thread::spawn(move || {
        for floor in asked {
            deleter.delete_before(&floor).unwrap();
        }
    });
    let mut reader = journal.reader(&journal.starts().unwrap()).unwrap();
    let bell = Bell::default();
    reader.wake(bell.waker());
    let mut found = Vec::new();
    bell.until(|| {
        reader.poll(ReadLimit { records_max: 7, ..LIMIT }, &mut found).unwrap();
        let mut floor = Cut::default();
        journal.partitions().iter().for_each(|at| floor.set(at, reader.position(at).unwrap()));
        let cut = journal.cut_after(&floor, CutLimit::records(5)).unwrap();
        assert!(floor.iter().all(|(at, next)| cut.get(at) >= Some(next)));
        // If a floor is still at work, this one is left out.
        drop(floors.try_send(floor));
        bell.ring();
        (found.len() == 600).then_some(())
    });
    drop(floors);
    appends.join().unwrap();
    deletions.join().unwrap();
    for (number, at) in [ORDERS, STOCK, TopicPartition::EPOCHS].into_iter().enumerate() {
        let expected: Vec<(u64, Record)> =
            (0..200).map(|of| (of, text(&format!("{}", of * 3 + number as u64)))).collect();
        assert_eq!(by_partition(&found)[&at], expected);
    }
    assert!(journal.starts().unwrap().get(ORDERS) > Some(0));
}
