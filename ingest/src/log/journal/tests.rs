//! The journal: the contract of every log, and what only it promises: torn ends, damage, full disks, restarts.

use super::*;
use crate::log::LogRecord;
use crate::testing::contract_tests::{append, beginning, by_partition, read_to, text};
use crate::testing::{Disk, DiskFaults, Random, contract_tests};
use dataflows::contract::topic::Topic;
use dataflows::ports::AppendError;
use std::sync::mpsc;

const SEGMENT: &str = "00000000000000000000.journal";
const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::Stock, 1);

fn open(disk: &Disk, config: &JournalConfig) -> Result<Journal, Error> {
    Journal::open_on(Arc::new(disk.clone()), &Partitions::uniform(contract_tests::PARTITIONS), config.clone())
}

fn opened(disk: &Disk) -> Journal {
    open(disk, &JournalConfig::default()).unwrap()
}

/// Small enough that everything happens: many segments, windows that end inside a commit, few marks.
fn tight() -> JournalConfig {
    JournalConfig {
        segment_bytes: 700,
        commit_bytes_max: 500,
        batch_bytes_max: 200,
        batch_records_max: 3,
        read_window_bytes: 64,
        index_distance_bytes: 100,
        index_marks_max: 5,
        ..JournalConfig::default()
    }
}

fn all(journal: &Journal) -> Vec<LogRecord> {
    read_to(&mut *journal.reader(&beginning(journal)).unwrap(), &journal.ends().unwrap())
}

fn values(journal: &Journal) -> Vec<String> {
    let text = |record: LogRecord| String::from_utf8(record.record.value.unwrap().to_vec()).unwrap();
    all(journal).into_iter().map(text).collect()
}

#[test]
fn it_keeps_the_contract_in_memory_and_on_a_disk() {
    contract_tests::run_all(|| Arc::new(open(&Disk::default(), &JournalConfig::default()).unwrap()));
    contract_tests::run_all(|| Arc::new(open(&Disk::default(), &tight()).unwrap()));
    let packed = JournalConfig { is_packed: true, ..tight() };
    contract_tests::run_all(|| Arc::new(open(&Disk::default(), &packed).unwrap()));
    let mut folders = Vec::new();
    // Every new segment waits for the disk, so there are not quite so many.
    let config = JournalConfig { segment_bytes: 4096, ..JournalConfig::default() };
    contract_tests::run_all(|| {
        let folder = tempfile::tempdir().unwrap();
        let partitions = Partitions::uniform(contract_tests::PARTITIONS);
        let journal = Journal::open(folder.path(), &partitions, config.clone()).unwrap();
        folders.push(folder);
        Arc::new(journal)
    });
}

#[test]
fn a_folder_is_for_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(folder.path(), &Partitions::uniform(2), JournalConfig::default());
    let first = open().unwrap();
    assert!(matches!(open(), Err(Error::Locked { .. })));
    append(&first, vec![(ORDERS, text("kept"))]).unwrap();
    drop(first);
    assert_eq!(values(&open().unwrap()), ["kept"]);
}

#[test]
fn partition_counts_are_fixed_at_creation() {
    let disk = Disk::default();
    drop(opened(&disk));
    let other = Journal::open_on(Arc::new(disk.clone()), &Partitions::uniform(4), JournalConfig::default());
    let error = other.err().unwrap();
    assert!(matches!(error, Error::Partitions { found: Some(3), asked: Some(4), .. }), "{error}");
    let meta = String::from_utf8(disk.bytes("meta")).unwrap();
    disk.put("meta", meta.replace("orders.commands", "others.commands").into_bytes());
    assert!(matches!(open(&disk, &tight()), Err(Error::Partitions { found: Some(3), asked: None, .. })));
    disk.put("meta", meta.replace("\"format\": 1", "\"format\": 2").into_bytes());
    assert!(matches!(open(&disk, &tight()), Err(Error::Damaged { .. })));
    disk.remove("meta");
    assert!(matches!(open(&disk, &tight()), Err(Error::Damaged { .. })), "segments without meta");
}

#[test]
fn a_topic_that_is_new_is_added() {
    let disk = Disk::default();
    let journal = opened(&disk);
    append(&journal, vec![(ORDERS, text("a"))]).unwrap();
    drop(journal);
    // As a build without the topic `policy.commands`, which ours has first, would have made it.
    let old = r#"{"format":1,"topics":[{"name":"orders.commands","partitions":3}]}"#;
    let disk = Disk::default();
    disk.put("meta", old.as_bytes().to_vec());
    let journal = opened(&disk);
    append(&journal, vec![(ORDERS, text("a")), (STOCK, text("b"))]).unwrap();
    drop(journal);
    assert_eq!(disk.bytes(SEGMENT)[commit::HEADER_BYTES..][..4], [0; 4], "orders are the file's topic 0");
    assert_eq!(values(&opened(&disk)), ["a", "b"]);
}

/// Cuts and flips are tried on this: three commits, the last of two batches.
fn three_commits() -> (Disk, [usize; 4]) {
    let disk = Disk::default();
    let journal = opened(&disk);
    let mut ends = [0; 4];
    for (number, value) in [(1, "one"), (2, "two")] {
        append(&journal, vec![(ORDERS, text(value))]).unwrap();
        ends[number] = disk.bytes(SEGMENT).len();
    }
    append(&journal, vec![(ORDERS, text("three")), (STOCK, text("four"))]).unwrap();
    ends[3] = disk.bytes(SEGMENT).len();
    (disk, ends)
}

#[test]
fn a_journal_cut_anywhere_has_exactly_the_whole_commits() {
    let (disk, ends) = three_commits();
    let bytes = disk.bytes(SEGMENT);
    let expected = ["one", "two", "three", "four"];
    for cut in 0..=bytes.len() {
        let disk = disk.copy();
        disk.put(SEGMENT, bytes[..cut].to_vec());
        let commits = ends.iter().rposition(|end| *end <= cut).unwrap();
        let kept = if commits == 3 { 4 } else { commits };
        let journal = opened(&disk);
        assert_eq!(values(&journal), expected[..kept], "cut at {cut}");
        assert_eq!(disk.bytes(SEGMENT), bytes[..ends[commits]], "cut at {cut}: the torn end is gone");
        append(&journal, vec![(ORDERS, text("next"))]).unwrap();
        drop(journal);
        let again = values(&opened(&disk));
        assert_eq!(again, [&expected[..kept], &["next"]].concat(), "cut at {cut}: goes on");
    }
}

#[test]
fn damage_that_is_no_torn_end_is_refused_with_its_place() {
    let (disk, ends) = three_commits();
    let bytes = disk.bytes(SEGMENT);
    for at in 0..ends[2] {
        let disk = disk.copy();
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        disk.put(SEGMENT, damaged.clone());
        let begins = ends.iter().rfind(|end| **end <= at).copied().unwrap() as u64;
        match open(&disk, &tight()) {
            Err(Error::Damaged { file, offset, .. }) => {
                assert_eq!((file.as_str(), offset), (&*format!("disk/{SEGMENT}"), begins), "flipped {at}");
            }
            other => panic!("flipped {at}: {:?}", other.map(|journal| values(&journal))),
        }
        assert_eq!(disk.bytes(SEGMENT), damaged, "what is refused is left as it is");
    }
    for at in ends[2]..ends[3] {
        // This looks like a torn end: it is the last commit.
        let disk = disk.copy();
        let mut torn = bytes.clone();
        torn[at] ^= 0x10;
        disk.put(SEGMENT, torn);
        assert_eq!(values(&opened(&disk)), ["one", "two"], "flipped {at}");
    }
}

#[test]
fn only_the_last_segment_may_be_torn_and_none_may_be_missing() {
    let disk = Disk::default();
    let journal = open(&disk, &tight()).unwrap();
    for number in 0..60 {
        append(&journal, vec![(ORDERS, text(&format!("value {number}")))]).unwrap();
    }
    drop(journal);
    let names: Vec<String> = disk.names().into_iter().filter(|name| name.ends_with(".journal")).collect();
    assert!(names.len() > 5);
    assert_eq!(values(&open(&disk, &tight()).unwrap()).len(), 60);
    for (number, name) in names.iter().enumerate() {
        let is_last = number + 1 == names.len();
        let torn = disk.copy();
        let bytes = disk.bytes(name);
        torn.put(name, bytes[..bytes.len() - 1].to_vec());
        assert_eq!(open(&torn, &tight()).is_ok(), is_last, "{name} is torn");
        let missing = disk.copy();
        missing.remove(name);
        assert_eq!(open(&missing, &tight()).is_ok(), is_last, "{name} is missing");
    }
}

#[test]
fn damage_that_comes_later_is_seen_by_readers() {
    let (disk, ends) = three_commits();
    let journal = opened(&disk);
    let mut bytes = disk.bytes(SEGMENT);
    bytes[ends[1] + 50] ^= 1;
    disk.put(SEGMENT, bytes);
    let mut records = Vec::new();
    let error = journal.reader(&beginning(&journal)).unwrap().poll(contract_tests::LIMIT, &mut records).unwrap_err();
    assert!(matches!(error, Error::Damaged { offset, .. } if offset == ends[1] as u64), "{error}");
    assert_eq!(records.len(), 1);
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    for room in 0..300 {
        let disk = Disk::default();
        let journal = opened(&disk);
        append(&journal, vec![(ORDERS, text("before"))]).unwrap();
        disk.fail(DiskFaults { room_bytes: Some(room), write_bytes_max: Some(37), ..DiskFaults::default() });
        let long = vec![(ORDERS, text(&"x".repeat(250)))];
        assert!(matches!(append(&journal, long), Err(AppendError::Full(_))), "room {room}");
        disk.fail(DiskFaults { write_bytes_max: Some(10), ..DiskFaults::default() });
        append(&journal, vec![(ORDERS, text("after"))]).unwrap();
        assert_eq!(values(&journal), ["before", "after"], "room {room}");
        drop(journal);
        assert_eq!(values(&opened(&disk)), ["before", "after"], "room {room}");
    }
}

#[test]
fn nothing_wrong_is_acknowledged_when_the_disk_fails() {
    let faults = [
        DiskFaults { write_fails: true, ..DiskFaults::default() },
        DiskFaults { sync_fails: true, ..DiskFaults::default() },
        DiskFaults { sync_fails: true, truncate_fails: true, ..DiskFaults::default() },
        DiskFaults { room_bytes: Some(50), truncate_fails: true, ..DiskFaults::default() },
        DiskFaults { create_fails: true, ..DiskFaults::default() },
    ];
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let disk = Disk::default();
        let journal = open(&disk, &tight()).unwrap();
        let mut kept = Vec::new();
        for number in 0..40 {
            if random.below(4) == 0 {
                disk.fail(faults[random.below(faults.len())].clone());
            } else if random.below(2) == 0 {
                disk.fail(DiskFaults::default());
            }
            let value = format!("value {number} {}", "x".repeat(random.below(100)));
            let ends = journal.ends().unwrap();
            match append(&journal, vec![(ORDERS, text(&value))]) {
                Ok(_) => kept.push(value),
                Err(_) => assert_eq!(journal.ends().unwrap(), ends, "seed {seed}"),
            }
            assert_eq!(values(&journal), kept, "seed {seed}");
        }
        // The power goes: of what was not synced, any front part may be there, or zeros, or nothing.
        for part in 0..3 {
            let lost = disk.after_power_loss(|synced, current| match part {
                0 => synced.to_vec(),
                1 => [synced, &vec![0; current.len().saturating_sub(synced.len())]].concat(),
                _ => current[..current.len().min(synced.len() + (seed as usize % 40))].to_vec(),
            });
            let found = values(&open(&lost, &tight()).unwrap());
            assert!(found.starts_with(&kept), "seed {seed}, {part}: {found:?} is not {kept:?} and perhaps more");
        }
        disk.fail(DiskFaults::default());
        append(&journal, vec![(ORDERS, text("last"))]).unwrap();
        kept.push("last".to_owned());
        drop(journal);
        assert_eq!(values(&open(&disk, &tight()).unwrap()), kept, "seed {seed}");
    }
}

#[test]
fn any_history_is_read_the_same_from_anywhere_and_after_any_restart() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let disk = Disk::default();
        let mut journal = open(&disk, &tight()).unwrap();
        let mut expected: std::collections::BTreeMap<TopicPartition, Vec<(u64, Record)>> = Default::default();
        for _ in 0..30 {
            let places: Vec<TopicPartition> = journal.partitions().iter().collect();
            let mut records = Vec::new();
            for _ in 0..random.below(8) {
                let at = places[random.below(places.len())];
                let record = Record { timestamp_ms: 5, ..text(&"v".repeat(random.below(120))) };
                records.extend(vec![(at, record); 1 + random.below(5)]);
            }
            let origins = append(&journal, records.clone()).unwrap();
            for (origin, (at, record)) in origins.iter().zip(records) {
                let of = expected.entry(at).or_default();
                assert_eq!(origin.offset, of.len() as u64, "seed {seed}");
                of.push((origin.offset, record));
            }
            if random.below(5) == 0 {
                drop(journal);
                journal = open(&disk, &tight()).unwrap();
            }
        }
        assert_eq!(by_partition(&all(&journal)), expected, "seed {seed}");
        for _ in 0..10 {
            let mut starts = Cut::default();
            let mut rest = std::collections::BTreeMap::new();
            for (at, records) in &expected {
                if random.below(3) > 0 {
                    let start = random.below(records.len() + 1);
                    starts.set(*at, start as u64);
                    rest.insert(*at, records[start..].to_vec());
                }
            }
            rest.retain(|_, records| !records.is_empty());
            let found = read_to(&mut *journal.reader(&starts).unwrap(), &journal.ends().unwrap());
            assert_eq!(by_partition(&found), rest, "seed {seed}, from {starts:?}");
        }
    }
}

#[test]
fn what_waits_is_limited_and_written_before_the_end() {
    let config = JournalConfig { waiting_appends_max: 4, append_bytes_max: 2000, ..JournalConfig::default() };
    let disk = Disk::default();
    let journal = open(&disk, &config).unwrap();
    assert!(matches!(append(&journal, vec![(ORDERS, text(&"x".repeat(2000)))]), Err(AppendError::Unavailable(_))));
    // The writer is held in an acknowledgement, so that appends pile up.
    let (entered, writer_is_held) = mpsc::sync_channel(1);
    let (release, held) = mpsc::sync_channel::<()>(1);
    journal.append(
        vec![(ORDERS, text("holds"))],
        Box::new(move |_| {
            entered.send(()).unwrap();
            held.recv_timeout(crate::testing::PATIENCE).unwrap();
        }),
    );
    writer_is_held.recv_timeout(crate::testing::PATIENCE).unwrap();
    let (done, landed) = mpsc::sync_channel(10);
    for _ in 0..6 {
        let done = done.clone();
        journal.append(vec![(ORDERS, text("waits"))], Box::new(move |result| done.send(result).unwrap()));
    }
    assert_eq!(landed.try_iter().collect::<Vec<_>>(), [Err(AppendError::Overloaded), Err(AppendError::Overloaded)]);
    release.send(()).unwrap();
    drop(journal);
    assert_eq!(landed.try_iter().filter(Result::is_ok).count(), 4, "answered before it is closed");
    assert_eq!(values(&open(&disk, &config).unwrap()), ["holds", "waits", "waits", "waits", "waits"]);
}

#[test]
fn consecutive_records_of_a_partition_share_a_batch() {
    let disk = Disk::default();
    let journal = opened(&disk);
    let record = |at: TopicPartition| (at, text("x"));
    append(&journal, vec![record(ORDERS), record(ORDERS), record(ORDERS), record(STOCK), record(ORDERS)]).unwrap();
    let bytes = bytes::Bytes::from(disk.bytes(SEGMENT)).slice(commit::HEADER_BYTES..);
    let (first, rest) = commit::entry(&bytes).unwrap();
    let (second, rest) = commit::entry(&rest).unwrap();
    let (third, rest) = commit::entry(&rest).unwrap();
    assert_eq!([first.header.count, second.header.count, third.header.count, rest.len() as u32], [3, 1, 1, 0]);
    assert!([first, second, third].iter().all(|entry| batch::checksum_is_right(&entry.batch)));
}

#[test]
fn a_commit_has_the_documented_bytes() {
    let (disk, ends) = three_commits();
    let bytes = disk.bytes(SEGMENT);
    let second = &bytes[ends[1]..ends[2]];
    assert_eq!(&second[..4], b"TWJ1");
    assert_eq!(second[4..8], ((second.len() - 20) as u32).to_le_bytes());
    assert_eq!(second[12..20], (ends[1] as u64).to_le_bytes());
    assert_eq!(second[20..28], [3, 0, 0, 0, 0, 0, 0, 0], "orders.commands, partition 0");
    assert_eq!(second[28..36], 1_u64.to_be_bytes(), "the batch's offset");
    let meta = String::from_utf8(disk.bytes("meta")).unwrap();
    assert_eq!(meta, include_str!("golden_meta.json").trim_end());
}
