//! The port of the log: what the embedded journal and Apache Kafka both are to us. Not for what records mean: see
//! `codec`. `contract_tests` is the list of what every implementation keeps.

use crate::Error;
use bytes::Bytes;
use dataflows::contract::epoch::Cut;
use dataflows::contract::input::RawRecord;
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use dataflows::ports::{AppendCallback, Waker};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A record as Kafka has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in order; names may repeat. Names are short texts that are mostly held in place.
    pub headers: Vec<(SmolStr, Option<Bytes>)>,
    /// When it was made, in milliseconds since 1970. Decides nothing.
    pub timestamp_ms: i64,
}

/// The most bytes that a record of an input topic may have: key, value and headers together.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

impl Record {
    /// The bytes of its key, value and headers together, which [`RECORD_BYTES_MAX`] bounds.
    pub fn content_bytes(&self) -> usize {
        let optional = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + optional(value));
        optional(&self.key) + optional(&self.value) + headers.sum::<usize>()
    }

    /// Its size in bytes as limits count it: with something for its frame, so that empty ones count too.
    pub fn bytes(&self) -> usize {
        const FRAME: usize = 10;
        let optional = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(name, value)| 2 + name.len() + optional(value));
        FRAME + optional(&self.key) + optional(&self.value) + headers.sum::<usize>()
    }

    /// A copy that shares nothing with what it was read from.
    pub fn raw(&self) -> RawRecord {
        let Record { key, value, headers, timestamp_ms } = self;
        let copy = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.to_vec());
        let headers = headers.iter().map(|(name, value)| (name.clone(), copy(value))).collect();
        RawRecord { key: copy(key), value: copy(value), headers, timestamp_ms: *timestamp_ms }
    }
}

impl From<RawRecord> for Record {
    fn from(raw: RawRecord) -> Record {
        let RawRecord { key, value, headers, timestamp_ms } = raw;
        let headers = headers.into_iter().map(|(name, value)| (name, value.map(Bytes::from))).collect();
        Record { key: key.map(Bytes::from), value: value.map(Bytes::from), headers, timestamp_ms }
    }
}

/// A record with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its place.
    pub origin: Origin,
    /// The record at that place.
    pub record: Record,
}

/// The number of partitions of each topic; fixed when the log is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions(BTreeMap<Topic, u32>);

impl Partitions {
    /// `count` partitions, at least one, for every topic that an epoch covers, and one for `epochs`.
    pub fn uniform(count: u32) -> Partitions {
        Partitions::of(Topic::COVERED.into_iter().map(|topic| (topic, count)))
    }

    /// The given numbers of partitions, at least one each; a topic that is not named has one, and `epochs` always.
    pub fn of(counts: impl IntoIterator<Item = (Topic, u32)>) -> Partitions {
        let mut all: BTreeMap<Topic, u32> = Topic::ALL.into_iter().map(|topic| (topic, 1)).collect();
        for (topic, count) in counts {
            if topic != Topic::Epochs {
                all.insert(topic, count.max(1));
            }
        }
        Partitions(all)
    }

    /// `count` partitions, at least one, for every output topic, and one for `views.progress`.
    pub fn outputs(count: u32) -> Partitions {
        let count_of = |topic| if topic == Topic::Progress { 1 } else { count.max(1) };
        Partitions(Topic::outputs().map(|topic| (topic, count_of(topic))).collect())
    }

    /// Every topic, in order.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.0.keys().copied()
    }

    /// The number of partitions of a topic; none if it is not of this log.
    pub fn count(&self, topic: Topic) -> u32 {
        self.0.get(&topic).copied().unwrap_or(0)
    }

    /// Every partition of every topic, in order.
    pub fn iter(&self) -> impl Iterator<Item = TopicPartition> {
        self.0.iter().flat_map(|(topic, count)| (0..*count).map(|partition| TopicPartition::new(*topic, partition)))
    }

    /// The partitions of what an epoch covers, in order: all but that of `epochs`.
    pub fn covered(&self) -> impl Iterator<Item = TopicPartition> {
        self.iter().filter(|at| at.topic != Topic::Epochs)
    }

    /// Returns true if there is such a partition.
    pub fn contains(&self, at: TopicPartition) -> bool {
        at.partition < self.count(at.topic)
    }
}

/// The most that a reader gives at once; at least one record if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most that many records.
    pub records_max: usize,
    /// No further record once that many bytes are given.
    pub bytes_max: usize,
}

/// The most that a cut takes; at least one record if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutLimit {
    /// At most that many records of input.
    pub records_max: u64,
    /// At most that many bytes, but for one record that may be larger than what is left of them. A log that does not
    /// know how large records are goes by their number.
    pub bytes_max: u64,
}

impl CutLimit {
    /// That many records of any size.
    pub const fn records(records_max: u64) -> CutLimit {
        CutLimit { records_max, bytes_max: u64::MAX }
    }
}

/// A log of partitioned topics. Offsets of a partition rise, and may have holes.
pub trait Log: Send + Sync {
    /// The number of partitions of each topic.
    fn partitions(&self) -> &Partitions;

    /// Appends the records in order, each to its partition, and calls `done` once: with their places when all are
    /// durable and in [`Log::ends`], or with an error, after which they may be in the log all the same. Records of two
    /// calls, one after the other, keep their order within each partition; and within one call, a record counts as
    /// acknowledged for those of later topics that follow it. Does not block; `done` runs on the log's thread and must
    /// not block either.
    fn append(&self, records: Vec<(TopicPartition, Record)>, done: AppendCallback);

    /// The first offset of every partition that can still be read: 0 in a new log, then whatever [`Log::delete_before`]
    /// has left. Every record at it or after it is there. It never goes back. Where the log compacts a topic it stays 0,
    /// and of what was deleted the last record of each key is there.
    fn starts(&self) -> Result<Cut, Error>;

    /// The next offset of every partition, as one consistent snapshot of what is durable: if a record is before the
    /// snapshot, so is every record of an earlier topic that was acknowledged before it was appended, `epochs` being
    /// the last topic. No order of decisions gives more: within an epoch earlier topics come first whatever was
    /// acknowledged when, and the records of one topic in the order of their partitions. A record after another's open
    /// transaction is durable, here and for every reader, when that transaction has ended.
    fn ends(&self) -> Result<Cut, Error>;

    /// The ends, of now or as they were seen last if those continue from `from`; or, when more records lie between
    /// `from` and them than the limit has, an earlier snapshot that is about that far from it. Never before `from`, and
    /// equally consistent. While more waits than the limit has, no partition gives more than its equal share, as far as
    /// the order of topics allows. What is deleted counts for nothing.
    fn cut_after(&self, from: &Cut, limit: CutLimit) -> Result<Cut, Error>;

    /// A reader of the partitions that `starts` names, from those offsets on. [`Error::Deleted`] if one of them is before
    /// the log's own start, [`Error::OutOfRange`] if it is beyond the end.
    fn reader(&self, starts: &Cut) -> Result<Box<dyn LogReader>, Error>;

    /// Nothing before these offsets is needed any more, `epochs` included, and the log may delete it: as much of it as
    /// suits, also none, and also later. Nothing at the floor or after it is deleted, and nothing of a partition that the
    /// floor does not name. A floor at or before an earlier one changes nothing. A floor beyond the ends is
    /// [`Error::OutOfRange`], and nothing is deleted. After any other error some of it may be deleted, and the same floor
    /// may be given again. Blocks for the disk or the network.
    fn delete_before(&self, floor: &Cut) -> Result<(), Error>;

    /// The bytes that it takes of a disk, if it knows.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// Calls the waker whenever the ends may have moved, until the watch is dropped.
    fn watch(&self, waker: Waker) -> Watch;
}

/// Reads some partitions of a log.
pub trait LogReader: Send {
    /// Appends what there is to `into`, within the limit: durable records, in order within each partition. Waits for no
    /// record to come. If the next record of a partition was deleted, this is [`Error::Deleted`], now and ever after: a
    /// reader may continue with what it still has, and never skips what it has not, except records of compacted topics
    /// that a later one replaces.
    fn poll(&mut self, limit: ReadLimit, into: &mut Vec<LogRecord>) -> Result<(), Error>;

    /// The offset that the partition is read up to: every record before it was given. It also passes offsets that hold
    /// nothing. None for a partition that is not read here.
    fn position(&self, at: TopicPartition) -> Option<u64>;

    /// Calls the waker whenever there may be more to read. Replaces the waker before.
    fn wake(&mut self, waker: Waker);

    /// Asks for the records before these places first: a log that can choose gives nothing after them while any of
    /// those is still to come. Replaces what was wanted before.
    fn prioritize_before(&mut self, _first: &Cut) {}
}

/// Keeps a waker registered; drop it to end that.
#[must_use = "dropping it ends the watch"]
pub struct Watch {
    wakers: Weak<Mutex<BTreeMap<u64, Waker>>>,
    id: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(wakers) = self.wakers.upgrade() {
            lock(&wakers).remove(&self.id);
        }
    }
}

/// The wakers of a log: what an implementation keeps to hand out watches.
#[derive(Clone, Default)]
pub struct Watchers {
    wakers: Arc<Mutex<BTreeMap<u64, Waker>>>,
}

impl Watchers {
    /// Registers a waker.
    pub fn add(&self, waker: Waker) -> Watch {
        let mut wakers = lock(&self.wakers);
        let id = wakers.last_key_value().map_or(0, |(last, _)| last + 1);
        wakers.insert(id, waker);
        Watch { wakers: Arc::downgrade(&self.wakers), id }
    }

    /// Calls every waker.
    pub fn notify(&self) {
        // The wakers are called without the lock, since one may register or drop another.
        let wakers: Vec<Waker> = lock(&self.wakers).values().cloned().collect();
        wakers.iter().for_each(|waker| waker());
    }
}

/// Locks; a thread that died with the lock took the process with it, so there is nothing to recover from.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
