//! Apache Kafka as the log: the same port as the embedded journal, over rdkafka. Not for what records mean, and not for
//! outputs; the only folder that names rdkafka.
//!
//! ```text
//! append ──▶ publisher ──▶ broker ──▶ reader (a thread of its own) ──▶ poll
//!                            ▲  └───▶ places: starts, ends, in the order that makes them a snapshot ──▶ cut
//!                            └─────── topics: made and checked, never changed
//! ```
//!
//! Nothing rests on transactions of ours: producers are idempotent, and readers count a command once by its id. Other
//! clients' transactions are respected: what they abort is never seen, and what they leave open is not yet there.

mod client;
mod config;
mod cut;
mod error;
mod headers;
mod offsets;
mod publisher;
mod reader;
mod shared;
pub mod topics;

#[cfg(test)]
mod tests;

pub use config::{KafkaConfig, Security};

use crate::log::{CutLimit, Log, LogReader, Partitions, Record, Watch, Watchers, lock};
use crate::{Error, Signal};
use client::Names;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::{AppendCallback, Waker};
use offsets::OffsetClient;
use publisher::RecordPublisher;
use shared::KafkaShared;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Apache Kafka as a log. Dropping it waits for what is on its way.
pub struct KafkaLog {
    shared: Arc<KafkaShared>,
    publisher: RecordPublisher,
    admin: Mutex<Option<Arc<client::Admin>>>,
    signal: Signal,
    watching: Option<JoinHandle<()>>,
}

impl KafkaLog {
    /// Opens the log that the topics hold, which must be there with these numbers of partitions.
    pub fn open(config: KafkaConfig, partitions: &Partitions) -> Result<KafkaLog, Error> {
        let names = Names::new(&config.topic_prefix)?;
        let places = OffsetClient::open(&config, names.clone())?;
        topics::check_partitions(&places, &names, partitions)?;
        let watchers = Watchers::default();
        let publisher = RecordPublisher::new(config.clone(), names.clone(), watchers.clone());
        let seen = Mutex::default();
        let shared = Arc::new(KafkaShared {
            config,
            names,
            partitions: partitions.clone(),
            watchers,
            places,
            seen,
            sizes: Arc::default(),
        });
        shared.ends()?;
        let signal = Signal::default();
        let (watched, stop) = (Arc::clone(&shared), signal.clone());
        let thread = std::thread::Builder::new().name("kafka-watch".to_owned());
        let watching = thread.spawn(move || watch(&watched, &stop)).map_err(Error::io("starting", "kafka-watch"))?;
        Ok(KafkaLog { shared, publisher, admin: Mutex::default(), signal, watching: Some(watching) })
    }

    /// The cluster's id, from its brokers.
    pub fn cluster_id(&self) -> Result<String, Error> {
        self.shared.places.cluster_id()
    }

    /// The ends as they were last seen, without a question.
    pub fn seen_ends(&self) -> Cut {
        lock(&self.shared.seen).clone()
    }

    /// A snapshot of the ends that is beyond `from`: the one that was seen last if it is, else one of now.
    fn ends_beyond(&self, from: &Cut) -> Result<Cut, Error> {
        let seen = self.seen_ends();
        let goes_on = cut::commands(&seen).any(|(at, end)| from.get(at).unwrap_or(0) < end);
        if goes_on { Ok(seen) } else { self.shared.ends() }
    }

    fn admin(&self) -> Result<Arc<client::Admin>, Error> {
        let mut admin = lock(&self.admin);
        match &*admin {
            Some(admin) => Ok(Arc::clone(admin)),
            None => Ok(Arc::clone(admin.insert(Arc::new(client::admin(&self.shared.config)?)))),
        }
    }

    /// The first of these places that is no place between those two.
    fn check(&self, floor: &Cut, ends: &Cut) -> Result<(), Error> {
        for (at, asked) in floor.iter() {
            let end = ends.get(at).ok_or(Error::NoPartition(at))?;
            if asked > end {
                return Err(Error::OutOfRange { at, asked, end });
            }
        }
        Ok(())
    }
}

/// Readers notice what comes; this is for records that have no reader yet.
fn watch(shared: &KafkaShared, stop: &Signal) {
    let mut last = None;
    while !stop.is_stopped() {
        // While the brokers are away there is nothing to notify of, and whatever asks them gets the error.
        if let Ok(ends) = shared.places.ends(&shared.partitions) {
            if last.as_ref().is_some_and(|last| *last != ends) {
                shared.watchers.notify();
            }
            last = Some(ends);
        }
        stop.sleep(Duration::from_millis(shared.config.watch_ms));
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.signal.stop();
        if let Some(watching) = self.watching.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(watching.join());
        }
    }
}

impl Log for KafkaLog {
    fn partitions(&self) -> &Partitions {
        &self.shared.partitions
    }

    fn append(&self, records: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        self.publisher.append(&self.shared.partitions, records, done);
    }

    fn starts(&self) -> Result<Cut, Error> {
        self.shared.places.starts(self.shared.partitions.iter())
    }

    fn ends(&self) -> Result<Cut, Error> {
        self.shared.ends()
    }

    /// Brokers do not report the size of records. As many are cut as have the limit's bytes if they are as large as
    /// those that were read here lately.
    fn cut_after(&self, from: &Cut, CutLimit { records_max, bytes_max }: CutLimit) -> Result<Cut, Error> {
        let records_max = records_max.min(bytes_max / self.shared.sizes.record_bytes()).max(1);
        let ends = self.ends_beyond(from)?;
        if cut::distance(from, &ends) <= records_max {
            return Ok(cut::later(from, &ends));
        }
        let starts = self.starts()?;
        Ok(cut::split(&cut::later(from, &starts), &cut::later(&starts, &ends), records_max))
    }

    fn reader(&self, starts: &Cut) -> Result<Box<dyn LogReader>, Error> {
        if let Some((at, _)) = starts.iter().find(|(at, _)| !self.shared.partitions.contains(*at)) {
            return Err(Error::NoPartition(at));
        }
        let first = self.shared.places.starts(starts.iter().map(|(at, _)| at))?;
        for (at, asked) in starts.iter() {
            let start = first.get(at).unwrap_or(0);
            if asked < start {
                return Err(Error::Deleted { at, asked, start });
            }
        }
        self.check(starts, &self.shared.ends()?)?;
        Ok(Box::new(reader::KafkaReader::start(&self.shared, starts)?))
    }

    fn delete_before(&self, floor: &Cut) -> Result<(), Error> {
        self.check(floor, &self.shared.ends()?)?;
        let starts = self.starts()?;
        let mut left = Cut::default();
        for (at, next) in floor.iter().filter(|(at, next)| starts.get(*at).unwrap_or(0) < *next) {
            left.set(at, next);
        }
        if left.is_empty() {
            return Ok(());
        }
        client::delete_records(&*self.admin()?, &self.shared.names, &self.shared.config, &left)
    }

    fn watch(&self, waker: Waker) -> Watch {
        self.shared.watchers.add(waker)
    }
}
