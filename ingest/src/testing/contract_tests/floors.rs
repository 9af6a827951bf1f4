//! Checks of every log when its front may be deleted. A log may keep everything, so they check what must still be there,
//! and how a reader learns of what is not. A part of the list of `contract_tests`.

use super::{LIMIT, ORDERS, STOCK, append, beginning, by_partition, end, ends, read_to, reader, text};
use crate::Error;
use crate::log::{CutLimit, Log, LogRecord, ReadLimit, Record};
use crate::testing::{Bell, Random};
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use std::collections::BTreeMap;
use std::sync::Arc;

/// By partition, what was appended.
type Model = BTreeMap<TopicPartition, Vec<(u64, Record)>>;

/// Enough appends that a log of small files has many.
fn fill(log: &dyn Log, random: &mut Random, model: &mut Model) {
    let places: Vec<TopicPartition> = log.partitions().iter().collect();
    for number in 0..60 {
        let any = |random: &mut Random| places[random.below(places.len())];
        let records: Vec<(TopicPartition, Record)> =
            (0..=random.below(4)).map(|_| (any(random), text(&format!("record {number}")))).collect();
        let origins = append(log, records.clone()).expect("the log takes records");
        for (origin, (at, record)) in origins.iter().zip(records) {
            model.entry(at).or_default().push((origin.offset, record));
        }
    }
}

fn filled(log: &dyn Log, seed: u64) -> Model {
    let mut model = Model::new();
    fill(log, &mut Random::new(seed), &mut model);
    model
}

fn starts(log: &dyn Log) -> Cut {
    log.starts().expect("the log is there")
}

fn start(log: &dyn Log, at: TopicPartition) -> u64 {
    starts(log).get(at).expect("every partition has a start")
}

fn delete_before(log: &dyn Log, floor: &Cut) {
    log.delete_before(floor).expect("the log can delete");
}

/// The records of the model at those places or after them.
fn rest(model: &Model, starts: &Cut) -> Model {
    let after = |at: &TopicPartition, records: &[(u64, Record)]| {
        let start = starts.get(*at).unwrap_or(0);
        records.iter().filter(|(offset, _)| *offset >= start).cloned().collect::<Vec<_>>()
    };
    let all = model.iter().map(|(at, records)| (*at, after(at, records)));
    all.filter(|(_, records)| !records.is_empty()).collect()
}

fn read(log: &dyn Log, starts: &Cut) -> Model {
    by_partition(&read_to(&mut *reader(log, starts), &ends(log)))
}

pub(super) fn nothing_at_or_after_a_floor_goes(log: &Arc<dyn Log>) {
    let log = &**log;
    let (mut random, mut model, mut highest) = (Random::new(11), Model::new(), beginning(log));
    for _ in 0..8 {
        fill(log, &mut random, &mut model);
        let (before, ends) = (starts(log), ends(log));
        let mut floor = Cut::default();
        let names_all = random.below(2) == 0;
        for (at, end) in ends.iter() {
            let far = usize::try_from(end + 1).expect("few records");
            let next = random.below(far).max(random.below(far)) as u64;
            if names_all || random.below(8) > 0 {
                floor.set(at, next);
            }
        }
        for (at, next) in floor.iter() {
            highest.set(at, next.max(highest.get(at).expect("every partition")));
        }
        for _ in 0..2 {
            delete_before(log, &floor);
            let now = starts(log);
            for (at, start) in now.iter() {
                assert!(before.get(at) <= Some(start), "{at}: {start} is back before {before:?}");
                assert!(Some(start) <= highest.get(at), "{at}: {start} is after the floor {floor:?}");
            }
            assert_eq!(super::ends(log), ends);
            assert_eq!(read(log, &now), rest(&model, &now));
            assert_eq!(read(log, &highest), rest(&model, &highest));
        }
    }
}

pub(super) fn a_log_whose_records_all_went_goes_on(log: &Arc<dyn Log>) {
    let log = &**log;
    filled(log, 12);
    let floor = ends(log);
    delete_before(log, &floor);
    assert_eq!(ends(log), floor);
    assert_eq!(read(log, &floor), Model::new());
    let origin = append(log, vec![(ORDERS, text("next"))]).expect("the log takes records")[0];
    assert!(Some(origin.offset) >= floor.get(ORDERS));
    assert_eq!(read(log, &floor), Model::from([(ORDERS, vec![(origin.offset, text("next"))])]));
}

pub(super) fn a_floor_that_cannot_be_is_refused(log: &Arc<dyn Log>) {
    let log = &**log;
    let model = filled(log, 13);
    let mut floor = ends(log);
    floor.set(STOCK, end(log, STOCK) + 1);
    assert!(matches!(log.delete_before(&floor), Err(Error::OutOfRange { at: STOCK, .. })));
    let nowhere = TopicPartition::new(Topic::Orders, super::PARTITIONS);
    let mut floor = ends(log);
    floor.set(nowhere, 0);
    assert!(matches!(log.delete_before(&floor), Err(Error::NoPartition(at)) if at == nowhere));
    assert_eq!(starts(log), beginning(log), "all or nothing");
    assert_eq!(read(log, &beginning(log)), model);
}

pub(super) fn a_reader_before_the_start_is_refused(log: &Arc<dyn Log>) {
    let log = &**log;
    filled(log, 14);
    delete_before(log, &ends(log));
    for (at, start) in starts(log).iter() {
        let mut from = Cut::default();
        from.set(at, start);
        assert!(log.reader(&from).is_ok(), "the start itself is a place to begin");
        for before in [0, start / 2, start.saturating_sub(1)].into_iter().filter(|before| *before < start) {
            from.set(at, before);
            let error = log.reader(&from).err().expect("it is no longer there");
            let is_named = matches!(error, Error::Deleted { at: place, asked, start: first }
                if (place, asked, first) == (at, before, start));
            assert!(is_named && error.is_fatal(), "{error:?}");
            assert!(error.to_string().contains("no longer reaches back"), "{error}");
        }
    }
}

/// A reader that is anywhere when everything may go: it gives what follows, or fails, at once or after some of it.
pub(super) fn a_reader_passes_nothing_by(log: &Arc<dyn Log>) {
    let log = &**log;
    let model = filled(log, 15);
    let counts = [0, 1, 2, 3, 5, 10, 20, 40, 80];
    let mut readers: Vec<_> = counts.map(|count| (reader(log, &beginning(log)), count, Vec::new())).into();
    for (reader, count, found) in &mut readers {
        let bell = Bell::default();
        reader.wake(bell.waker());
        bell.until(|| {
            let limit = ReadLimit { records_max: (*count - found.len()).max(1), ..LIMIT };
            if found.len() < *count {
                reader.poll(limit, found).expect("nothing is deleted yet");
            }
            (found.len() >= *count).then_some(())
        });
    }
    delete_before(log, &ends(log));
    let ends = ends(log);
    for (mut reader, _, mut found) in readers {
        let bell = Bell::default();
        reader.wake(bell.waker());
        let is_whole = bell.until(|| match reader.poll(LIMIT, &mut found) {
            Ok(()) => ends.iter().all(|(at, end)| reader.position(at) >= Some(end)).then_some(true),
            Err(Error::Deleted { at, asked, start: first }) => {
                assert!(asked < first && first <= start(log, at), "{at}: {asked}, {first}");
                Some(false)
            }
            Err(error) => panic!("{error}"),
        });
        let again = reader.poll(LIMIT, &mut found);
        assert!(matches!(again, Err(Error::Deleted { .. })) != is_whole, "{again:?}: it stays so");
        is_front_of(&found, &model);
        assert!(!is_whole || by_partition(&found) == model);
    }
}

/// Checks that of every partition the first records were given, and no other.
fn is_front_of(found: &[LogRecord], model: &Model) {
    for (at, records) in by_partition(found) {
        assert_eq!(records, model[&at][..records.len()]);
    }
}

/// The floor follows a reader that is slow, and passes what it does not read.
pub(super) fn a_reader_at_the_floor_is_not_disturbed(log: &Arc<dyn Log>) {
    let log = &**log;
    let mut model = Model::new();
    let mut random = Random::new(16);
    let mut from = Cut::default();
    from.set(ORDERS, 0);
    let (mut reader, mut found) = (reader(log, &from), Vec::new());
    for _ in 0..6 {
        fill(log, &mut random, &mut model);
        for _ in 0..4 {
            let limit = ReadLimit { records_max: 1 + random.below(3), ..LIMIT };
            reader.poll(limit, &mut found).expect("the reader is at the floor or after it");
            let mut floor = ends(log);
            floor.set(ORDERS, reader.position(ORDERS).expect("it is read"));
            delete_before(log, &floor);
        }
    }
    found.extend(read_to(&mut *reader, &ends(log)));
    model.retain(|at, _| *at == ORDERS);
    assert_eq!(by_partition(&found), model);
}

/// The sequencer's work continues, wherever the floor is.
pub(super) fn cuts_go_on_after_a_deletion(log: &Arc<dyn Log>) {
    let log = &**log;
    let (mut model, mut random, mut from) = (Model::new(), Random::new(17), beginning(log));
    for _ in 0..6 {
        fill(log, &mut random, &mut model);
        for _ in 0..2 {
            let cut = log.cut_after(&from, CutLimit::records(50)).expect("the log is there");
            assert!(from.iter().all(|(at, next)| cut.get(at) >= Some(next)), "{cut:?} is back before {from:?}");
            from = cut;
            if random.below(2) == 0 {
                delete_before(log, &from);
            }
        }
        let ends = ends(log);
        // What is deleted does not count: from the beginning is the same as from the starts.
        for cut in
            [log.cut_after(&Cut::default(), CutLimit::records(20)), log.cut_after(&starts(log), CutLimit::records(20))]
        {
            let cut = cut.expect("the log is there");
            let is_within =
                |(at, next): (TopicPartition, u64)| Some(next) >= starts(log).get(at) && Some(next) <= ends.get(at);
            assert!(cut.iter().all(is_within), "{cut:?}");
        }
    }
}
