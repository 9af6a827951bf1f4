//! A log that never changes, and what the core has made of it since: the digest of each view, and hashes of the events and of
//! the records that are published. Not for what is right: the models say that. This says that nothing else has changed.
//!
//! ```text
//! TRADEWIND_TEST_GOLDEN=write cargo test --test tradewind-tests golden_log
//! ```
//!
//! writes `golden_log/digests.json` again, and the log itself only where it is missing. A change that must not change bytes
//! leaves both as they are; one that must says in its commit which lines differ, and why.

use crate::support::{SealedLog, Way, run};
use crate::{rule_s, searches};
use dataflows::contract::changes::{Changes, digest_text};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::shop::row::View;
use ingest::log::{Partitions, Record};
use ingest::output::publisher::EpochRecords;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

const SEED: u64 = 20_261_130;
/// At how many epochs the digests are kept.
const EVERY: u64 = 10;
const PARTITIONS: u32 = 4;

/// A line of the file of the log.
#[derive(Serialize, Deserialize)]
struct LogEpoch {
    now_micros: i64,
    records: Vec<LogRecord>,
}

#[derive(Serialize, Deserialize)]
struct LogRecord {
    topic: String,
    partition: u32,
    offset: u64,
    key: Option<String>,
    value: String,
    headers: BTreeMap<String, String>,
}

/// What the core makes of the log up to an epoch.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CoreOutput {
    epoch: u64,
    /// Of all views, and of each.
    digest: String,
    views: BTreeMap<String, String>,
    /// Of the JSON of all events up to here, one after another.
    events: String,
    /// Of the records of each output topic up to here: partition, key, value, headers.
    outputs: BTreeMap<String, String>,
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_log").join(name)
}

fn line(now: Timestamp, records: impl Iterator<Item = (Origin, Record)>) -> String {
    let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).expect("the workload writes text");
    let records = records.map(|(origin, record)| LogRecord {
        topic: origin.topic.name().to_owned(),
        partition: origin.partition,
        offset: origin.offset,
        key: record.key.as_ref().map(text),
        value: record.value.as_ref().map(text).unwrap_or_default(),
        headers: record
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_ref().map(text).unwrap_or_default()))
            .collect(),
    });
    let epoch = LogEpoch { now_micros: now.micros(), records: records.collect() };
    serde_json::to_string(&epoch).expect("it has only texts and numbers")
}

/// Commands of a random shop, and searches of it.
fn written() -> String {
    let (commands, searches) = (rule_s::workload(SEED), searches::workload(SEED));
    let epochs = commands.iter().zip(&searches);
    let lines = epochs.map(|((now, records), (_, observed))| {
        line(*now, records.iter().map(rule_s::record_of).chain(observed.iter().map(searches::record_of))) + "\n"
    });
    lines.collect()
}

fn read(text: &str) -> Arc<SealedLog> {
    let mut log = SealedLog::default();
    for line in text.lines() {
        let LogEpoch { now_micros, records } = serde_json::from_str(line).expect("a line is an epoch");
        let records = records.into_iter().map(|LogRecord { topic, partition, offset, key, value, headers }| {
            let topic = Topic::from_name(&topic).expect("a topic");
            let headers = headers.into_iter().map(|(name, value)| (name.into(), Some(value.into())));
            let record = Record {
                key: key.map(Into::into),
                value: Some(value.into()),
                headers: headers.collect(),
                timestamp_ms: 0,
            };
            (Origin { topic, partition, offset }, record)
        });
        log.seal(Timestamp::from_micros(now_micros), records.collect());
    }
    Arc::new(log)
}

fn made(left: &[Arc<Changes>]) -> Vec<CoreOutput> {
    let (mut events, mut outputs) = (Xxh3::new(), BTreeMap::<String, Xxh3>::new());
    let partitions = Partitions::outputs(PARTITIONS);
    let mut made = Vec::new();
    for (number, changes) in left.iter().enumerate() {
        for event in &changes.events {
            events.update(&serde_json::to_vec(&**event).expect("events are JSON"));
        }
        let mut records = EpochRecords::new(Arc::clone(changes));
        while let Some((at, record)) = records.next(&partitions) {
            let hash = outputs.entry(at.topic.name().to_owned()).or_default();
            hash.update(&at.partition.to_le_bytes());
            let headers = record.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
            for part in [record.key.as_deref(), record.value.as_deref()].into_iter().chain(headers) {
                hash.update(&part.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
                hash.update(part.unwrap_or_default());
            }
        }
        if changes.epoch().0.is_multiple_of(EVERY) || number + 1 == left.len() {
            let views = View::ALL.iter();
            made.push(CoreOutput {
                epoch: changes.epoch().0,
                digest: digest_text(changes.standings.digest()),
                views: views
                    .map(|view| (view.name().to_owned(), digest_text(changes.standings.of(*view).digest)))
                    .collect(),
                events: digest_text(events.digest128()),
                outputs: outputs.iter().map(|(topic, hash)| (topic.clone(), digest_text(hash.digest128()))).collect(),
            });
        }
    }
    made
}

#[test]
fn the_log_that_never_changes_gives_what_it_always_gave() {
    let writes = std::env::var("TRADEWIND_TEST_GOLDEN").is_ok_and(|value| value == "write");
    let (log, digests) = (file("log.jsonl.zst"), file("digests.json"));
    if writes && !log.is_file() {
        let packed = zstd::encode_all(written().as_bytes(), 19).expect("it is in memory");
        std::fs::write(&log, packed).expect("the folder is there");
    }
    let packed = std::fs::read(log).expect("the log is a file of the project");
    let text = zstd::decode_all(&*packed).expect("it is packed");
    let log = read(std::str::from_utf8(&text).expect("it is text"));
    let made = made(&run(&log, Way { workers: 2, stride: 7, in_flight: 16 }));
    if writes {
        let text = serde_json::to_string_pretty(&made).expect("it has only texts and numbers");
        std::fs::write(&digests, text + "\n").expect("the folder is there");
    }
    let text = std::fs::read_to_string(digests).expect("the digests are a file of the project");
    let golden: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let made: Vec<Value> = made.iter().map(|made| serde_json::to_value(made).expect("JSON")).collect();
    assert_eq!(made.len(), golden.len());
    for (made, golden) in made.iter().zip(&golden) {
        assert_eq!(made, golden, "epoch {}", golden["epoch"]);
    }
}
