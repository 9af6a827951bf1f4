//! The core's outputs as records of the output topics: events, changes of views, dead letters. Not for when they are
//! published.

use crate::Error;
use crate::input::codec::SOURCE;
use crate::input::partition::partition_of;
use crate::log::{Partitions, Record};
use bytes::Bytes;
use dataflows::contract::changes::{Changes, ViewDigests, digest_text};
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::event::Event;
use dataflows::contract::input::{DeadLetter, RawRecord};
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::shop::row::View;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The records of an epoch, one after another: its events, its changes by view, its dead letters.
pub struct EpochRecords {
    changes: Arc<Changes>,
    /// Which part is next, and which of it.
    part: usize,
    at: usize,
}

type RecordHeader = (SmolStr, Option<Bytes>);

fn named(name: &'static str, value: impl Into<Bytes>) -> RecordHeader {
    (SmolStr::new_static(name), Some(value.into()))
}

/// A header of a record, if it is text.
pub fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let found = record.headers.iter().find(|(header, _)| header == name)?;
    std::str::from_utf8(found.1.as_deref()?).ok()
}

/// Epoch and place of a record; none if it is not a publisher's. A reader takes it only if that is beyond the last that it
/// took from the partition, since publishers repeat records.
pub fn place(record: &Record) -> Option<(u64, u64)> {
    Some((header(record, "tw_epoch")?.parse().ok()?, header(record, "tw_n")?.parse().ok()?))
}

impl EpochRecords {
    /// All of them.
    pub fn new(changes: Arc<Changes>) -> EpochRecords {
        EpochRecords { changes, part: 0, at: 0 }
    }

    /// The next one.
    pub fn next(&mut self, partitions: &Partitions) -> Option<(TopicPartition, Record)> {
        let views = View::ALL.len();
        loop {
            let (changes, at) = (&*self.changes, self.at);
            let record = match self.part {
                0 => changes.events.get(at).map(|event| self.event(event)),
                part if part <= views => self.row(View::ALL[part - 1], at),
                part if part == views + 1 => changes.dead_letters.get(at).map(|letter| self.letter(letter)),
                _ => return None,
            };
            if let Some((topic, record)) = record {
                self.at += 1;
                let partition = partition_of(record.key.as_deref(), partitions.count(topic));
                return Some((TopicPartition::new(topic, partition), record));
            }
            (self.part, self.at) = (self.part + 1, 0);
        }
    }

    /// The place in the epoch, from which a reader knows what it has.
    fn place(&self, n: u64) -> [RecordHeader; 2] {
        [named("tw_epoch", self.changes.epoch().to_string()), named("tw_n", n.to_string())]
    }

    fn record(&self, key: Bytes, value: Option<Vec<u8>>, headers: Vec<RecordHeader>) -> Record {
        let timestamp_ms = self.changes.record.now.micros().div_euclid(1000);
        Record { key: Some(key), value: value.map(Bytes::from), headers, timestamp_ms }
    }

    fn event(&self, event: &Event) -> (Topic, Record) {
        let value = serde_json::to_vec(event).expect("an event has only texts, whole numbers and lists");
        let mut headers = vec![
            named("ce_specversion", &b"1.0"[..]),
            named("ce_id", format!("{}-{}", event.epoch, event.n)),
            named("ce_type", format!("tradewind.{}.v1", event.fact.name())),
            named("ce_source", SOURCE.as_bytes()),
            named("content-type", &b"application/json"[..]),
        ];
        headers.extend(self.place(event.n));
        let key = Bytes::copy_from_slice(event.fact.key().as_bytes());
        (Topic::Events(event.fact.domain()), self.record(key, Some(value), headers))
    }

    fn row(&self, view: View, at: usize) -> Option<(Topic, Record)> {
        let rows = self.changes.rows.of(view);
        (at < rows.count()).then(|| {
            let key = Bytes::copy_from_slice(rows.key(at).as_bytes());
            (Topic::View(view), self.record(key, rows.value(at), self.place(at as u64 + 1).to_vec()))
        })
    }

    fn letter(&self, letter: &DeadLetter) -> (Topic, Record) {
        let DeadLetter { origin, code, detail, record } = letter;
        let RawRecord { key, value, headers, timestamp_ms } = &**record;
        let optional = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
        let mut headers: Vec<RecordHeader> =
            headers.iter().map(|(name, value)| (name.clone(), optional(value))).collect();
        headers.extend([
            named("tw_dlq_topic", origin.topic.name().as_bytes()),
            named("tw_dlq_partition", origin.partition.to_string()),
            named("tw_dlq_offset", origin.offset.to_string()),
            named("tw_dlq_code", code.as_str().as_bytes()),
            named("tw_dlq_detail", detail.clone()),
        ]);
        headers.extend(self.place(self.at as u64 + 1));
        let record = Record { key: optional(key), value: optional(value), headers, timestamp_ms: *timestamp_ms };
        (Topic::DeadLetters, record)
    }
}

/// A record of `views.progress`: an epoch that is complete in the topics of the views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch.
    pub epoch: Epoch,
    /// The digest of all views.
    pub digest: String,
    /// Behind its last record in each partition, by view; only those that moved since the record before, but all in the
    /// first that a publisher writes.
    pub offsets: BTreeMap<String, BTreeMap<u32, u64>>,
    /// The same of the topics of events, by their names.
    #[serde(default)]
    pub events: Cut,
}

impl Progress {
    /// The progress of an epoch.
    pub fn of(epoch: Epoch, standings: &ViewDigests, moved: &Cut) -> Progress {
        let mut offsets: BTreeMap<String, BTreeMap<u32, u64>> = BTreeMap::new();
        let mut events = Cut::default();
        for (at, next) in moved.iter() {
            match at.topic {
                Topic::View(view) => {
                    offsets.entry(view.name().to_owned()).or_default().insert(at.partition, next);
                }
                Topic::Events(_) => events.set(at, next),
                Topic::Policy | Topic::Catalog | Topic::Stock | Topic::Orders | Topic::Activity => {}
                Topic::Epochs | Topic::Progress | Topic::DeadLetters => {}
            }
        }
        Progress { epoch, digest: digest_text(standings.digest()), offsets, events }
    }

    /// The offset after the epoch's last record in each partition that it names.
    pub fn cut(&self) -> Result<Cut, Error> {
        let mut cut = self.events.clone();
        for (name, partitions) in &self.offsets {
            let unknown = || Error::Outputs(format!("the progress of epoch {} names a view {name:?}", self.epoch));
            let topic = Topic::View(View::from_name(name).ok_or_else(unknown)?);
            partitions.iter().for_each(|(partition, next)| cut.set(TopicPartition::new(topic, *partition), *next));
        }
        Ok(cut)
    }

    /// Its record.
    pub fn record(&self, timestamp_ms: i64) -> (TopicPartition, Record) {
        let value = serde_json::to_vec(self).expect("it has only texts and whole numbers");
        let headers = vec![named("tw_epoch", self.epoch.to_string()), named("tw_n", &b"1"[..])];
        let record = Record { key: None, value: Some(Bytes::from(value)), headers, timestamp_ms };
        (TopicPartition::new(Topic::Progress, 0), record)
    }
}
