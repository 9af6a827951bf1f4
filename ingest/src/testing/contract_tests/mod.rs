//! The contract of every log, as a list of checks that each implementation runs. Not for what only one of them can do, such as
//! being cut off in the middle of a write.
//!
//! A check gets a log of its own, new and empty, with [`PARTITIONS`] partitions a topic.

mod floors;

use crate::Error;
use crate::log::{CutLimit, Log, LogReader, LogRecord, ReadLimit, Record};
use crate::testing::{Bell, Random};
use bytes::Bytes;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use dataflows::ports::AppendError;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

/// Partitions of each command topic in the log under test.
pub const PARTITIONS: u32 = 3;

/// A check: its name, and what it does with a new log.
pub type Check = (&'static str, fn(&Arc<dyn Log>));

/// Every check.
pub const ALL: &[Check] = &[
    ("a new log is empty and has its partitions", a_new_log_is_empty),
    ("records come back as they were, in order", records_come_back),
    ("an append of nothing succeeds", an_append_of_nothing_succeeds),
    ("an unknown partition is refused", an_unknown_partition_is_refused),
    ("appends keep the order of their calls", appends_keep_their_order),
    ("an acknowledged record is in the next snapshot", acknowledged_is_in_ends),
    ("snapshots are consistent over topics", snapshots_are_consistent),
    ("no snapshot parts an append against the order of topics", appends_are_not_parted_wrongly),
    ("a reader begins where it is told and reads only that", a_reader_begins_where_told),
    ("a reader keeps to its limits", a_reader_keeps_to_limits),
    ("a reader beyond the end is refused", a_reader_beyond_the_end_is_refused),
    ("a reader and a watch are woken", wakers_are_called),
    ("a cut after a place is near it and never before it", a_cut_after_is_near),
    ("nothing at or after a floor goes", floors::nothing_at_or_after_a_floor_goes),
    ("a log whose records all went goes on", floors::a_log_whose_records_all_went_goes_on),
    ("a floor beyond the ends is refused", floors::a_floor_that_cannot_be_is_refused),
    ("a reader before the start is refused", floors::a_reader_before_the_start_is_refused),
    ("a reader passes nothing by when it is deleted", floors::a_reader_passes_nothing_by),
    ("a reader at the floor is not disturbed", floors::a_reader_at_the_floor_is_not_disturbed),
    ("cuts go on after a deletion", floors::cuts_go_on_after_a_deletion),
];

/// Runs every check, each on a log that `make` gives.
pub fn run_all(mut make: impl FnMut() -> Arc<dyn Log>) {
    for (name, check) in ALL {
        // Shown by the test runner when a check fails.
        println!("{name}");
        check(&make());
    }
}

/// Any limit will do.
pub const LIMIT: ReadLimit = ReadLimit { records_max: 1000, bytes_max: 1 << 20 };

/// Appends, and waits for the acknowledgement.
pub fn append(log: &dyn Log, records: Vec<(TopicPartition, Record)>) -> Result<Vec<Origin>, AppendError> {
    let (done, landed) = mpsc::sync_channel(1);
    log.append(records, Box::new(move |result| drop(done.send(result))));
    landed.recv_timeout(crate::testing::PATIENCE).expect("an append is answered")
}

/// A record with that value. It has a time, since a log may give one to records without.
pub fn text(value: &str) -> Record {
    let timestamp_ms = 1_700_000_000_000;
    Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), timestamp_ms, ..Record::default() }
}

/// The offset 0 of all partitions.
pub fn beginning(log: &dyn Log) -> Cut {
    let mut cut = Cut::default();
    log.partitions().iter().for_each(|at| cut.set(at, 0));
    cut
}

/// Reads until every partition of the reader is at the cut.
pub fn read_to(reader: &mut dyn LogReader, cut: &Cut) -> Vec<LogRecord> {
    let bell = Bell::default();
    reader.wake(bell.waker());
    let mut records = Vec::new();
    bell.until(|| {
        while {
            let before = records.len();
            reader.poll(LIMIT, &mut records).expect("the log can be read");
            records.len() > before
        } {}
        let is_there = |(at, next): (TopicPartition, u64)| reader.position(at).is_none_or(|position| position >= next);
        cut.iter().all(is_there).then_some(())
    });
    records
}

/// By partition, what was read of it.
pub fn by_partition(records: &[LogRecord]) -> BTreeMap<TopicPartition, Vec<(u64, Record)>> {
    let mut all: BTreeMap<TopicPartition, Vec<(u64, Record)>> = BTreeMap::new();
    for LogRecord { origin, record } in records {
        all.entry(origin.topic_partition()).or_default().push((origin.offset, record.clone()));
    }
    all
}

const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 1);
const STOCK: TopicPartition = TopicPartition::new(Topic::Stock, 0);

fn ends(log: &dyn Log) -> Cut {
    log.ends().expect("the log is there")
}

fn end(log: &dyn Log, at: TopicPartition) -> u64 {
    ends(log).get(at).expect("a snapshot has every partition")
}

fn reader(log: &dyn Log, starts: &Cut) -> Box<dyn LogReader> {
    log.reader(starts).expect("the partitions are there")
}

fn a_new_log_is_empty(log: &Arc<dyn Log>) {
    assert_eq!(log.partitions().count(Topic::Orders), PARTITIONS);
    assert_eq!(log.partitions().count(Topic::Epochs), 1);
    assert_eq!(ends(&**log), beginning(&**log));
    assert_eq!(log.starts().expect("the log is there"), beginning(&**log));
    let mut records = Vec::new();
    reader(&**log, &beginning(&**log)).poll(LIMIT, &mut records).expect("the log can be read");
    assert_eq!(records, []);
}

fn records_come_back(log: &Arc<dyn Log>) {
    let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let odd = Record {
        key: bytes(""),
        value: None,
        headers: vec![
            (SmolStr::new("h"), bytes("1")),
            (SmolStr::new("h"), bytes("2")),
            (SmolStr::new("a name that is longer than what is held in place"), bytes("ü")),
            (SmolStr::new("none"), None),
        ],
        timestamp_ms: 1_700_000_000_123,
    };
    let full = Record { key: bytes("k"), value: bytes("v"), headers: Vec::new(), timestamp_ms: 1_700_000_000_000 };
    let empty = Record { value: bytes(""), timestamp_ms: 1, ..Record::default() };
    let sent = vec![(ORDERS, odd.clone()), (ORDERS, full.clone()), (STOCK, empty.clone()), (ORDERS, full.clone())];
    let origins = append(&**log, sent).expect("the log takes records");
    let places: Vec<TopicPartition> = origins.iter().map(|origin| origin.topic_partition()).collect();
    assert_eq!(places, [ORDERS, ORDERS, STOCK, ORDERS]);
    let records = read_to(&mut *reader(&**log, &beginning(&**log)), &ends(&**log));
    let found = by_partition(&records);
    let offset = |number: usize| origins[number].offset;
    assert_eq!(found[&ORDERS], [(offset(0), odd), (offset(1), full.clone()), (offset(3), full)]);
    assert_eq!(found[&STOCK], [(offset(2), empty)]);
}

fn an_append_of_nothing_succeeds(log: &Arc<dyn Log>) {
    assert_eq!(append(&**log, Vec::new()), Ok(Vec::new()));
}

fn an_unknown_partition_is_refused(log: &Arc<dyn Log>) {
    let nowhere = TopicPartition::new(Topic::Orders, PARTITIONS);
    assert!(append(&**log, vec![(ORDERS, text("a")), (nowhere, text("b"))]).is_err());
    assert_eq!(end(&**log, ORDERS), 0, "all or nothing");
    let mut starts = Cut::default();
    starts.set(nowhere, 0);
    assert!(matches!(log.reader(&starts), Err(Error::NoPartition(at)) if at == nowhere));
}

fn appends_keep_their_order(log: &Arc<dyn Log>) {
    let (done, landed) = mpsc::sync_channel(1000);
    for number in 0..500 {
        let done = done.clone();
        let records = vec![(ORDERS, text(&format!("{number}"))), (STOCK, text(&format!("{number}")))];
        log.append(records, Box::new(move |result| drop(done.send((number, result)))));
    }
    let mut last = None;
    for _ in 0..500 {
        let (number, result) = landed.recv_timeout(crate::testing::PATIENCE).expect("an append is answered");
        let offset = result.expect("the log takes records")[0].offset;
        assert!(last < Some((number, offset)), "acknowledged in order");
        last = Some((number, offset));
    }
    let records = read_to(&mut *reader(&**log, &beginning(&**log)), &ends(&**log));
    for at in [ORDERS, STOCK] {
        let values: Vec<Option<Bytes>> =
            by_partition(&records)[&at].iter().map(|(_, record)| record.value.clone()).collect();
        let expected: Vec<Option<Bytes>> = (0..500).map(|number| text(&format!("{number}")).value).collect();
        assert_eq!(values, expected);
    }
}

fn acknowledged_is_in_ends(log: &Arc<dyn Log>) {
    for number in 0..50 {
        let at = if number % 2 == 0 { ORDERS } else { STOCK };
        let origin = append(&**log, vec![(at, text("x"))]).expect("the log takes records")[0];
        assert!(end(&**log, at) > origin.offset);
    }
}

/// One thread appends to one topic after the other in their order, each time waiting; no snapshot may have a record of a
/// later topic without those of the earlier ones.
fn snapshots_are_consistent(log: &Arc<dyn Log>) {
    let writer = Arc::clone(log);
    let (stopped, stop) = mpsc::sync_channel(1);
    let last_of = |topic| TopicPartition::new(topic, writer.partitions().count(topic) - 1);
    let places = Topic::ALL.map(last_of);
    let appends = std::thread::spawn(move || {
        for _ in 0..100 {
            for at in places {
                append(&*writer, vec![(at, text("one"))]).expect("the log takes records");
            }
        }
        stopped.send(()).expect("the check waits");
    });
    while stop.try_recv().is_err() {
        let (ends, early) =
            (ends(&**log), log.cut_after(&Cut::default(), CutLimit::records(7)).expect("the log is there"));
        for snapshot in [ends, early] {
            // There are as many of each, so offsets can be compared.
            let counts = places.map(|at| snapshot.get(at).unwrap_or(0));
            assert!(counts.is_sorted_by(|earlier, later| earlier >= later), "{counts:?} of {places:?}");
        }
    }
    appends.join().expect("the appends succeed");
}

/// Appends of all topics, many under way at once: no snapshot has a record without those of earlier topics before it, and
/// no append overtakes another.
fn appends_are_not_parted_wrongly(log: &Arc<dyn Log>) {
    let places = Topic::COVERED.map(|topic| TopicPartition::new(topic, 1));
    let (done, landed) = mpsc::sync_channel(100);
    let send = |number: usize, places: &[TopicPartition], times: usize| {
        let record = |at: &TopicPartition| (*at, text(&number.to_string()));
        let done = done.clone();
        let records = places.repeat(times).iter().map(record).collect();
        log.append(records, Box::new(move |result| drop(done.send(result))));
    };
    (0..20).for_each(|number| send(number, &places, 200));
    let mut answered = 0;
    while answered < 20 {
        for result in landed.try_iter() {
            result.expect("the log takes records");
            answered += 1;
        }
        let (ends, early) =
            (ends(&**log), log.cut_after(&Cut::default(), CutLimit::records(9)).expect("the log is there"));
        for snapshot in [ends, early] {
            let counts = places.map(|at| snapshot.get(at).unwrap_or(0));
            assert!(counts.is_sorted_by(|earlier, later| earlier >= later), "{counts:?} of {places:?}");
        }
    }
    // Every other append is of the last topic alone, and could be faster.
    (20..60).for_each(|number| send(number, &places[3 * (number % 2)..], 3));
    for _ in 20..60 {
        let landed = landed.recv_timeout(crate::testing::PATIENCE).expect("an append is answered");
        landed.expect("the log takes records");
    }
    let records = read_to(&mut *reader(&**log, &beginning(&**log)), &ends(&**log));
    for (at, found) in by_partition(&records) {
        let number = |(_, record): &(u64, Record)| -> Option<u32> {
            std::str::from_utf8(record.value.as_deref()?).ok()?.parse().ok()
        };
        assert!(found.iter().map(number).is_sorted(), "{at}: an append overtook another");
    }
}

fn a_reader_begins_where_told(log: &Arc<dyn Log>) {
    let mut offsets = Vec::new();
    for number in 0..20 {
        let value = format!("{number}");
        let records = vec![(ORDERS, text(&value)), (STOCK, text(&value)), (TopicPartition::EPOCHS, text(&value))];
        offsets.push(append(&**log, records).expect("the log takes records"));
    }
    let mut starts = Cut::default();
    starts.set(ORDERS, offsets[13][0].offset);
    starts.set(TopicPartition::EPOCHS, offsets[5][2].offset);
    let mut reader = reader(&**log, &starts);
    assert_eq!(reader.position(STOCK), None);
    let found = by_partition(&read_to(&mut *reader, &ends(&**log)));
    assert_eq!(found.keys().collect::<Vec<_>>(), [&ORDERS, &TopicPartition::EPOCHS]);
    assert_eq!((found[&ORDERS].len(), found[&TopicPartition::EPOCHS].len()), (7, 15));
    assert_eq!(found[&ORDERS][0], (offsets[13][0].offset, text("13")));
}

fn a_reader_keeps_to_limits(log: &Arc<dyn Log>) {
    let records: Vec<(TopicPartition, Record)> =
        (0..100).map(|number| (ORDERS, text(&format!("{number:0100}")))).collect();
    append(&**log, records.clone()).expect("the log takes records");
    let mut random = Random::new(7);
    let mut reader = reader(&**log, &beginning(&**log));
    let bell = Bell::default();
    reader.wake(bell.waker());
    let mut found = Vec::new();
    bell.until(|| {
        let records_max = 1 + random.below(9);
        let before = found.len();
        reader.poll(ReadLimit { records_max, bytes_max: 1 << 20 }, &mut found).expect("the log can be read");
        assert!(found.len() - before <= records_max);
        let before = found.len();
        reader.poll(ReadLimit { records_max: 100, bytes_max: 250 }, &mut found).expect("the log can be read");
        assert!(found.len() - before <= 3);
        bell.ring();
        (found.len() == 100).then_some(())
    });
    let values: Vec<Record> = found.into_iter().map(|found| found.record).collect();
    assert_eq!(values, records.into_iter().map(|(_, record)| record).collect::<Vec<_>>());
}

fn a_reader_beyond_the_end_is_refused(log: &Arc<dyn Log>) {
    let end = append(&**log, vec![(ORDERS, text("a"))]).expect("the log takes records")[0].offset + 1;
    let mut starts = Cut::default();
    starts.set(ORDERS, end);
    assert!(log.reader(&starts).is_ok(), "the end itself is a place to begin");
    starts.set(ORDERS, end + 1);
    assert!(matches!(log.reader(&starts), Err(Error::OutOfRange { at: ORDERS, .. })));
}

fn wakers_are_called(log: &Arc<dyn Log>) {
    let (moved, more) = (Bell::default(), Bell::default());
    let watch = log.watch(moved.waker());
    let mut reader = reader(&**log, &beginning(&**log));
    reader.wake(more.waker());
    append(&**log, vec![(ORDERS, text("a"))]).expect("the log takes records");
    moved.until(|| (end(&**log, ORDERS) > 0).then_some(()));
    let mut found = Vec::new();
    more.until(|| {
        reader.poll(LIMIT, &mut found).expect("the log can be read");
        (found.len() == 1).then_some(())
    });
    drop(watch);
}

fn a_cut_after_is_near(log: &Arc<dyn Log>) {
    let mut random = Random::new(3);
    for _ in 0..200 {
        let at = TopicPartition::new(Topic::COVERED[random.below(4)], u32::try_from(random.below(3)).unwrap_or(0));
        let records = (0..=random.below(20)).map(|_| (at, text("some text")));
        append(&**log, records.collect()).expect("the log takes records");
        append(&**log, vec![(TopicPartition::EPOCHS, text("e"))]).expect("the log takes records");
    }
    let ends = ends(&**log);
    let mut from = beginning(&**log);
    let commands = |from: &Cut, to: &Cut| {
        let counted = to.iter().filter(|(at, _)| at.topic != Topic::Epochs);
        counted.map(|(at, next)| next.checked_sub(from.get(at).unwrap_or(0)).expect("never back")).sum::<u64>()
    };
    let mut cuts = 0;
    while commands(&from, &ends) > 0 {
        let cut = log.cut_after(&from, CutLimit::records(100)).expect("the log is there");
        assert!(commands(&cut, &ends) < commands(&from, &ends), "every cut goes on");
        assert!(commands(&from, &cut) <= 1000, "about 100, if the log can tell");
        from = cut;
        cuts += 1;
    }
    assert!(cuts >= 3, "{cuts} cuts");
}
