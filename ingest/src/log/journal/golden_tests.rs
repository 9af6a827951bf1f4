//! A journal's folder as format 1 was written first, kept byte for byte: every later build opens it. Not for what
//! happens to a journal afterwards.

use super::*;
use crate::log::LogRecord;
use crate::testing::Disk;
use crate::testing::contract_tests::{PARTITIONS, append, beginning, by_partition, read_to};
use bytes::Bytes;
use dataflows::contract::topic::Topic;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// The folder: five segments of one or two commits each.
const FOLDER: [(&str, &[u8]); 6] = [
    ("00000000000000000000.journal", include_bytes!("golden/format_1/00000000000000000000.journal")),
    ("00000000000000000613.journal", include_bytes!("golden/format_1/00000000000000000613.journal")),
    ("00000000000000001275.journal", include_bytes!("golden/format_1/00000000000000001275.journal")),
    ("00000000000000002086.journal", include_bytes!("golden/format_1/00000000000000002086.journal")),
    ("00000000000000002720.journal", include_bytes!("golden/format_1/00000000000000002720.journal")),
    ("meta", include_bytes!("golden/format_1/meta")),
];

fn config() -> JournalConfig {
    JournalConfig { segment_bytes: 600, ..JournalConfig::default() }
}

fn open(disk: &Disk) -> Journal {
    Journal::open_on(Arc::new(disk.clone()), &Partitions::uniform(PARTITIONS), config()).unwrap()
}

fn golden() -> Disk {
    let disk = Disk::default();
    FOLDER.into_iter().for_each(|(name, bytes)| disk.put(name, bytes.to_vec()));
    disk
}

/// The records that were appended, one commit after the other.
fn history() -> Vec<Vec<(TopicPartition, Record)>> {
    let bytes = |text: String| Some(Bytes::from(text));
    let record = |number: usize| Record {
        key: (!number.is_multiple_of(3)).then(|| Bytes::from(format!("key {}", number % 4))),
        value: (!number.is_multiple_of(5)).then(|| Bytes::from(format!("value {number}"))),
        headers: vec![(SmolStr::new("ce_id"), bytes(format!("{number}"))), (SmolStr::new("none"), None)],
        timestamp_ms: 1_700_000_000_000 + number as i64,
    };
    let commit = |number: usize| {
        let orders = TopicPartition::new(Topic::Orders, u32::try_from(number % 3).unwrap());
        let stock = TopicPartition::new(Topic::Stock, 1);
        let all = [(orders, 1), (stock, number % 3), (orders, 2), (TopicPartition::EPOCHS, number % 2)];
        all.into_iter().flat_map(|(at, count)| vec![(at, record(number)); count]).collect()
    };
    (0..9).map(commit).collect()
}

#[test]
fn a_folder_of_the_first_format_opens_with_all_that_it_holds() {
    let mut expected: BTreeMap<TopicPartition, Vec<(u64, Record)>> = BTreeMap::new();
    for (at, record) in history().into_iter().flatten() {
        let records = expected.entry(at).or_default();
        records.push((records.len() as u64, record));
    }
    let journal = open(&golden());
    let found = read_to(&mut *journal.reader(&beginning(&journal)).unwrap(), &journal.ends().unwrap());
    assert_eq!(by_partition(&found), expected);
}

/// The golden folder's file `meta` as the first build that knew more topics rewrote it: the new ones come last.
fn with_new_topics(meta: &[u8]) -> serde_json::Value {
    let mut meta: serde_json::Value = serde_json::from_slice(meta).unwrap();
    let new = serde_json::json!({"name": Topic::Activity.name(), "partitions": PARTITIONS});
    meta["topics"].as_array_mut().unwrap().push(new);
    meta
}

#[test]
fn the_same_bytes_are_written_now() {
    // The numbers of topics in entries are their places in `meta`.
    let disk = Disk::default();
    let (_, meta) = FOLDER[5];
    disk.put("meta", meta.to_vec());
    let journal = open(&disk);
    history().into_iter().for_each(|commit| drop(append(&journal, commit).unwrap()));
    drop(journal);
    assert_eq!(disk.names(), FOLDER.map(|(name, _)| name));
    for (name, golden) in &FOLDER[..5] {
        assert_eq!(disk.bytes(name), *golden, "{name}");
    }
    let found: serde_json::Value = serde_json::from_slice(&disk.bytes("meta")).unwrap();
    assert_eq!(found, with_new_topics(meta));
}

#[test]
fn a_topic_that_is_new_is_taken_in_behind_the_others_and_stays() {
    let disk = golden();
    let journal = open(&disk);
    let at = TopicPartition::new(Topic::Activity, 2);
    assert_eq!(journal.starts().unwrap().get(at), Some(0));
    append(&journal, vec![(at, Record { value: Some(Bytes::from_static(b"seen")), ..Record::default() })]).unwrap();
    drop(journal);
    let journal = open(&disk);
    assert_eq!(journal.ends().unwrap().get(at), Some(1));
    let found = read_to(&mut *journal.reader(&beginning(&journal)).unwrap(), &journal.ends().unwrap());
    let of_before = history().into_iter().flatten().count();
    assert_eq!(found.len(), of_before + 1, "and what was there is there");
}

#[test]
fn its_front_can_be_deleted() {
    let disk = golden();
    let journal = open(&disk);
    assert_eq!(journal.starts().unwrap(), beginning(&journal));
    let whole = read_to(&mut *journal.reader(&beginning(&journal)).unwrap(), &journal.ends().unwrap());
    journal.delete_before(&journal.ends().unwrap()).unwrap();
    drop(journal);
    assert_eq!(disk.names(), ["00000000000000002720.journal", "front", "meta"]);
    let journal = open(&disk);
    let starts = journal.starts().unwrap();
    assert_eq!(starts.get(TopicPartition::new(Topic::Stock, 1)), Some(7));
    let rest = read_to(&mut *journal.reader(&starts).unwrap(), &journal.ends().unwrap());
    let is_there = |record: &LogRecord| !starts.covers(record.origin);
    assert_eq!(rest, whole.into_iter().filter(is_there).collect::<Vec<_>>());
}
