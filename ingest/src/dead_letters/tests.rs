//! Dead letters against a plain map of them, on a disk that fails and stops, and what an operator does with them.

use super::{DeadLetterConfig, DeadLetters, Edit, Flusher, LetterFilter, LetterState, Summary};
use crate::checkpoint::FlushBeforeCheckpoint;
use crate::input::codec;
use crate::log::journal::Journal;
use crate::log::storage::Storage;
use crate::log::{Log, Partitions, ReadLimit, Record, journal};
use crate::testing::{Disk, DiskFaults, Random, Stop};
use dataflows::contract::changes::{Changes, ViewChanges, ViewDigests};
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::input::{DeadLetter, DeadLetterCode, Input, RawRecord};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use dataflows::ports::Sink;
use dataflows::shop::dead_letters::LetterQuota;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};

fn origin(offset: u64) -> Origin {
    Origin { topic: Topic::Orders, partition: 1, offset }
}

fn letter(random: &mut Random, offset: u64) -> DeadLetter {
    let optional = |random: &mut Random| (random.below(4) > 0).then(|| random.bytes(40));
    let headers = (0..random.below(3)).map(|n| (format!("h{n}").into(), optional(random))).collect();
    let record = RawRecord { key: optional(random), value: optional(random), headers, timestamp_ms: -5 };
    let code = DeadLetterCode::ALL[random.below(DeadLetterCode::ALL.len())];
    DeadLetter { origin: origin(offset), code, detail: "why \"not\"\n".to_owned(), record: Arc::new(record) }
}

fn epoch(number: u64, dead_letters: Vec<DeadLetter>) -> Arc<Changes> {
    let now = Timestamp::from_micros(number as i64);
    let record = Arc::new(EpochRecord { v: 1, epoch: Epoch(number), now, rules: 1, cut: Cut::default() });
    let rows = Arc::new(ViewChanges::default());
    let (events, imbalances, standings) = (Vec::new(), Vec::new(), ViewDigests::default());
    let (search_memory, quota) = (Vec::new(), LetterQuota::default());
    Arc::new(Changes { record, rows, events, dead_letters, quota, imbalances, search_memory, standings })
}

fn open(disk: &Disk) -> DeadLetters {
    DeadLetters::open(Arc::new(disk.clone()), DeadLetterConfig::default()).unwrap()
}

fn all(letters: &DeadLetters) -> Vec<Summary> {
    letters.list(None, LetterFilter::All, usize::MAX).unwrap()
}

/// The expected letters: the record of every one, and its state.
type Model = BTreeMap<Origin, (Arc<RawRecord>, LetterState)>;

fn check(letters: &DeadLetters, model: &Model) {
    let found = all(letters).into_iter().map(|summary| {
        let record = letters.letter(summary.origin).ok().map(|letter| letter.record);
        (summary.origin, (record, summary.state))
    });
    let expected = model.iter().map(|(origin, (record, state))| {
        let record = (*state != LetterState::Discarded).then(|| Arc::clone(record));
        (*origin, (record, *state))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn what_is_durable_is_there_after_a_crash_at_any_step_and_nothing_is_there_twice() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut disk = Disk::default();
        let mut letters = open(&disk);
        let (mut durable, mut maybe) = (Model::new(), Model::new());
        // Those that could not be discarded, and may be so after a crash all the same.
        let mut in_doubt = BTreeSet::new();
        let mut offset = 0;
        for number in 1..40 {
            // A replay brings what is there already, with the same bytes.
            let mut of_epoch: Vec<_> = (0..random.below(3)).map(|n| letter(&mut random, offset + n as u64)).collect();
            offset += of_epoch.len() as u64;
            maybe
                .extend(of_epoch.iter().map(|letter| (letter.origin, (Arc::clone(&letter.record), LetterState::Open))));
            if let Some((origin, (record, _))) = durable.iter().nth(random.below(8)) {
                let (code, detail, record) = (DeadLetterCode::WrongKey, String::new(), Arc::clone(record));
                of_epoch.push(DeadLetter { origin: *origin, code, detail, record });
            }
            letters.apply(&epoch(number, of_epoch));
            match random.below(6) {
                0 => disk.fail(DiskFaults { one_in: Some((random.clone(), 3)), ..DiskFaults::default() }),
                1 => {
                    let at = ["write before", "write half", "write after", "sync before", "sync after"];
                    let point = format!("letters.N {}", at[random.below(at.len())]);
                    disk.fail(DiskFaults { stop: Some(Stop { point, hit: 1 }), ..DiskFaults::default() });
                }
                2 => disk.fail(DiskFaults { room_bytes: Some(random.below(400)), ..DiskFaults::default() }),
                _ => disk.fail(DiskFaults::default()),
            }
            if letters.make_durable(Epoch(number)).is_ok() {
                durable = maybe.clone();
                if let Some(summary) = all(&letters).get(random.below(20)) {
                    if letters.discard(summary.origin).is_ok() {
                        maybe.get_mut(&summary.origin).unwrap().1 = LetterState::Discarded;
                        durable = maybe.clone();
                    } else {
                        in_doubt.insert(summary.origin);
                    }
                }
            }
            if disk.is_stopped() || random.below(8) == 0 {
                drop(letters);
                disk = match random.below(2) {
                    0 => disk.copy(),
                    _ => disk.after_power_loss(|synced, current| {
                        let upto = synced.len() + random.below(1 + current.len().saturating_sub(synced.len()));
                        current[..upto.min(current.len())].to_vec()
                    }),
                };
                letters = open(&disk);
                // What was on its way may be there or not; what is there is right.
                for summary in all(&letters) {
                    let (record, state) = &maybe[&summary.origin];
                    let is_known = summary.state == *state || in_doubt.contains(&summary.origin);
                    assert!(is_known, "seed {seed}: {summary:?}");
                    durable.insert(summary.origin, (Arc::clone(record), summary.state));
                }
                maybe.clone_from(&durable);
                in_doubt.clear();
                check(&letters, &durable);
                // The engine replays what was not durable.
                disk.fail(DiskFaults::default());
            }
        }
        disk.fail(DiskFaults::default());
        letters.make_durable(Epoch(100)).unwrap();
        check(&letters, &maybe);
    }
}

#[test]
fn damage_before_the_last_line_is_refused_by_name() {
    let disk = Disk::default();
    let mut letters = open(&disk);
    for number in 0..3 {
        letters.apply(&epoch(number, vec![letter(&mut Random::new(number), number)]));
        letters.flush().unwrap();
    }
    drop(letters);
    let name = "letters.1";
    let whole = disk.bytes(name);
    let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut bytes = whole.clone();
    bytes[second + 20] ^= 1;
    disk.put(name, bytes);
    let error = DeadLetters::open(Arc::new(disk.clone()), DeadLetterConfig::default()).err().unwrap().to_string();
    assert_eq!(error, format!("disk/letters.1 is damaged at byte {second}: the checksum is wrong"));
    let mut bytes = whole.clone();
    *bytes.iter_mut().nth_back(5).unwrap() ^= 1;
    disk.put(name, bytes);
    assert_eq!(all(&open(&disk)).len(), 2, "nobody was told of the last line");
}

#[test]
fn one_process_has_them() {
    let disk = Disk::default();
    let held = open(&disk);
    let error = DeadLetters::open(Arc::new(disk.clone()), DeadLetterConfig::default()).err().unwrap().to_string();
    assert_eq!(error, "disk/ is in use by another process");
    drop(held);
    open(&disk);
}

#[test]
fn what_is_discarded_gives_its_room_back_and_does_not_come_again() {
    let disk = Disk::default();
    let mut letters = open(&disk);
    let large = |offset| {
        let record = Arc::new(RawRecord { value: Some(vec![b'x'; 3 << 20]), ..RawRecord::default() });
        DeadLetter { origin: origin(offset), code: DeadLetterCode::TooLarge, detail: "large".to_owned(), record }
    };
    for offset in 0..8 {
        letters.apply(&epoch(offset, vec![large(offset)]));
        letters.flush().unwrap();
    }
    let before = disk.bytes("letters.1").len();
    (0..6).for_each(|offset| drop(letters.discard(origin(offset)).unwrap()));
    let after = disk.bytes("letters.1").len();
    assert!(after < before * 3 / 5, "{before} {after}");
    drop(letters);
    letters = open(&disk);
    letters.apply(&epoch(0, vec![large(0)]));
    letters.flush().unwrap();
    let states: Vec<_> = all(&letters).iter().map(|summary| summary.state).collect();
    assert_eq!(states, [[LetterState::Discarded; 6].as_slice(), &[LetterState::Open; 2]].concat());
    assert_eq!(letters.letter(origin(7)).unwrap().record, large(7).record);
    let error = letters.letter(origin(0)).unwrap_err().to_string();
    assert_eq!(error, "there is no dead letter orders.commands/1/0, or it was discarded");
    assert_eq!(letters.open_count(), 2);
}

#[test]
fn the_core_waits_for_a_disk_that_takes_no_letters_and_resumes_when_it_does() {
    let disk = Disk::default();
    let config = DeadLetterConfig { waiting_bytes_max: 1_000, retry_ms: 1, ..DeadLetterConfig::default() };
    let letters = DeadLetters::open(Arc::new(disk.clone()), config).unwrap();
    disk.fail(DiskFaults { write_fails: true, ..DiskFaults::default() });
    let (applied, seen) = mpsc::channel();
    let core = {
        let mut letters = letters.clone();
        std::thread::spawn(move || {
            for number in 1..30 {
                letters.apply(&epoch(number, vec![letter(&mut Random::new(number), number)]));
                applied.send(number).unwrap();
            }
        })
    };
    let flusher = Flusher::start(letters.clone()).unwrap();
    seen.recv().unwrap();
    while letters.stalled().is_none() {
        std::thread::yield_now();
    }
    let why = letters.stalled().unwrap().why;
    assert!(why.contains("writing disk/letters.1"), "{why}");
    assert!(seen.try_iter().count() < 10, "29 letters have more than 1,000 bytes");
    disk.fail(DiskFaults::default());
    core.join().unwrap();
    letters.make_durable(Epoch(29)).unwrap();
    assert_eq!((all(&letters).len(), letters.stalled()), (29, None));
    drop(flusher);
}

#[test]
fn what_finds_no_room_when_the_node_stops_comes_again_after_the_next_start() {
    let disk = Disk::default();
    let config = DeadLetterConfig { waiting_bytes_max: 1_000, ..DeadLetterConfig::default() };
    let mut letters = DeadLetters::open(Arc::new(disk.clone()), config).unwrap();
    let flusher = Flusher::start(letters.clone()).unwrap();
    disk.fail(DiskFaults { write_fails: true, ..DiskFaults::default() });
    flusher.end_waiting();
    let apply = |letters: &mut DeadLetters| {
        (1..30).for_each(|number| letters.apply(&epoch(number, vec![letter(&mut Random::new(number), number)])));
    };
    apply(&mut letters);
    disk.fail(DiskFaults::default());
    drop(flusher);
    let missed = all(&letters).len() as u64 + 1;
    assert!((2..10).contains(&missed), "{missed}");
    let error = letters.make_durable(Epoch(29)).unwrap_err().to_string();
    assert_eq!(error, format!("the log is not available: dead letters of epoch {missed} and later are only in it"));
    drop(letters);
    let mut letters = open(&disk);
    apply(&mut letters);
    letters.make_durable(Epoch(29)).unwrap();
    assert_eq!(all(&letters).len(), 29);
}

/// Letters of several partitions, small ones, in epochs of fifty.
fn many(partitions: u64, offsets: u64) -> Vec<DeadLetter> {
    let of = |number: u64| {
        let origin =
            Origin { topic: Topic::Stock, partition: (number % partitions) as u32, offset: number / partitions };
        let record = Arc::new(RawRecord { value: Some(number.to_be_bytes().to_vec()), ..RawRecord::default() });
        DeadLetter { origin, code: DeadLetterCode::Unreadable, detail: "it is no JSON".to_owned(), record }
    };
    (0..partitions * offsets).map(of).collect()
}

#[test]
fn memory_holds_an_entry_for_a_block_and_not_for_a_letter() {
    let disk = Disk::default();
    let mut letters = open(&disk);
    let many = many(3, 4_000);
    for (number, of_epoch) in many.chunks(50).enumerate() {
        letters.apply(&epoch(number as u64 + 1, of_epoch.to_vec()));
        letters.flush().unwrap();
    }
    let blocks = disk.bytes("letters.1").len() / (64 << 10);
    let check = |letters: &DeadLetters| {
        let entries = letters.entries_in_memory();
        assert!(blocks > 20 && entries <= 3 * (blocks + 1), "{entries} entries for {blocks} blocks");
        let mut expected: Vec<Origin> = many.iter().map(|letter| letter.origin).collect();
        expected.sort_unstable();
        let origins = |found: Vec<Summary>| found.into_iter().map(|summary| summary.origin).collect::<Vec<_>>();
        assert_eq!(origins(all(letters)), expected);
        // Pages by key, wherever they begin.
        for at in (0..expected.len()).step_by(997) {
            let page = letters.list(Some(expected[at]), LetterFilter::Open, 70).unwrap();
            assert_eq!(origins(page), expected[at + 1..expected.len().min(at + 71)]);
        }
        for letter in many.iter().step_by(611) {
            assert_eq!(letters.letter(letter.origin).unwrap().record, letter.record);
        }
        assert_eq!(letters.open_count(), many.len());
    };
    check(&letters);
    drop(letters);
    check(&open(&disk));
}

#[test]
fn a_letter_is_published_again_as_it_was_or_mended() {
    let (disk, log_disk): (Disk, Arc<dyn Storage>) = (Disk::default(), Arc::new(Disk::default()));
    let log = Journal::open_on(log_disk, &Partitions::uniform(4), journal::JournalConfig::default()).unwrap();
    let mut letters = open(&disk);
    let header = |name: &'static str, value: &str| (name.into(), Some(value.as_bytes().to_vec()));
    let record = RawRecord {
        key: Some(b"other".to_vec()),
        value: Some(br#"{"order_id":"o1"}"#.to_vec()),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "c1"),
            header("ce_type", "tradewind.CancelOrder.v1"),
            header("ce_source", "/x"),
        ],
        timestamp_ms: 7,
    };
    let Input::Dead(letter) = codec::decode(origin(3), &Record::from(record.clone())) else {
        panic!("it has a wrong key")
    };
    assert_eq!((letter.code, &*letter.record), (DeadLetterCode::WrongKey, &record));
    letters.apply(&epoch(1, vec![letter]));
    letters.flush().unwrap();
    let to = |summary: Summary| match summary.state {
        LetterState::Redriven(to) => to,
        LetterState::Open | LetterState::Discarded => panic!("{summary:?}"),
    };
    let again = to(letters.redrive(origin(3), Edit::default(), &log).unwrap());
    assert_eq!(again, Origin { offset: 0, ..origin(3) });
    let edit = Edit { key: Some(b"o1".to_vec()), headers: vec![("ce_id".into(), b"c2".to_vec())], value: None };
    let mended = to(letters.redrive(origin(3), edit, &log).unwrap());
    let read = |at: Origin| {
        let mut starts = Cut::default();
        starts.set(TopicPartition::new(at.topic, at.partition), at.offset);
        let mut records = Vec::new();
        let limit = ReadLimit { records_max: 1, bytes_max: 1 };
        log.reader(&starts).unwrap().poll(limit, &mut records).unwrap();
        records.remove(0).record
    };
    assert_eq!(read(again).raw(), record);
    let Input::Command(envelope) = codec::decode(mended, &read(mended)) else { panic!("it can be read now") };
    assert_eq!(envelope.command_id, "c2");
    assert_eq!(letters.open_count(), 0);
    let error = letters.redrive(origin(9), Edit::default(), &log).unwrap_err().to_string();
    assert_eq!(error, "there is no dead letter orders.commands/1/9, or it was discarded");
}
