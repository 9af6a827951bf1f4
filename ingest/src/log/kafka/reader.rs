//! Reads some partitions: a client and a thread of its own, which hands records on through a bounded queue. Not for
//! knowing what they mean.
//!
//! Each partition has a queue of its own in the client, so that none gets far ahead of the others: they are read in turn,
//! a little of each, and while any has not reached what is wanted first, only those.
//!
//! Offsets have holes, where transactions ended or were aborted. At a partition's end the client reports its place,
//! so a position passes what holds nothing. What is deleted before it was read is never passed: the reader fails.

use super::client::{self, Context, Names};
use super::headers;
use super::shared::{KafkaShared, Sizes};
use crate::Error;
use crate::log::{LogReader, LogRecord, ReadLimit, Record, Watchers, lock};
use bytes::{Bytes, BytesMut};
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::ports::Waker;
use rdkafka::Offset;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The time that the thread waits for records before it checks that the reader is still there.
const WAIT: Duration = Duration::from_millis(100);
/// The pause after an error that repeats.
const PAUSE: Duration = Duration::from_millis(50);
/// The number of messages it takes before it hands them on.
pub const AT_ONCE: usize = 512;
/// The number of them from one partition.
const OF_ONE: usize = 64;

enum Item {
    Record(LogRecord),
    /// Every record before that offset was handed on.
    Passed(TopicPartition, u64),
}

/// The reason why nothing more will come.
#[derive(Clone, Copy)]
enum Failure {
    Deleted { at: TopicPartition, asked: u64, start: u64 },
    Beyond { at: TopicPartition, asked: u64, end: u64 },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Deleted { at, asked, start } => Error::Deleted { at, asked, start },
            Failure::Beyond { at, asked, end } => Error::OutOfRange { at, asked, end },
        }
    }
}

#[derive(Default)]
struct Ahead {
    /// Of each partition, in their order: whether its queue in the client may have something.
    ready: Vec<bool>,
    /// Of each partition: the offset before which records are wanted first.
    wanted: Vec<u64>,
    items: VecDeque<Item>,
    bytes: usize,
    failure: Option<Failure>,
    waker: Option<Waker>,
    /// The reader is gone.
    is_over: bool,
}

#[derive(Default)]
struct ReadAheadQueue {
    ahead: Mutex<Ahead>,
    /// Rung when there is room, something to take, something wanted, or no reader any more.
    moved: Condvar,
}

/// See [`LogReader`].
pub struct KafkaReader {
    queue: Arc<ReadAheadQueue>,
    positions: BTreeMap<TopicPartition, u64>,
    sizes: Arc<Sizes>,
}

impl KafkaReader {
    /// Starts reading from these places.
    pub fn start(shared: &Arc<KafkaShared>, starts: &Cut) -> Result<KafkaReader, Error> {
        let positions: BTreeMap<TopicPartition, u64> = starts.iter().collect();
        let consumer: BaseConsumer<Context> = client::create(&client::reader(&shared.config, positions.len())?)?;
        let (consumer, queue) = (Arc::new(consumer), Arc::new(ReadAheadQueue::default()));
        let mut parts = Vec::with_capacity(positions.len());
        // Before anything is assigned, so that nothing comes by another way.
        for (slot, (at, next)) in positions.iter().enumerate() {
            let split = consumer.split_partition_queue(shared.names.of(at.topic), client::number(at.partition));
            let mut messages = split.ok_or_else(|| Error::Unavailable(format!("{at} cannot be read by itself")))?;
            let of_slot = Arc::clone(&queue);
            messages.set_nonempty_callback(move || of_slot.is_ready(slot));
            parts.push(PartitionState { at: *at, next: *next, messages });
        }
        {
            let mut ahead = lock(&queue.ahead);
            ahead.ready = vec![true; parts.len()];
            ahead.wanted = vec![0; parts.len()];
        }
        let run = Run {
            parts,
            consumer,
            names: shared.names.clone(),
            watchers: shared.watchers.clone(),
            queue: Arc::clone(&queue),
            turn: 0,
            records_max: shared.config.read_ahead_records_max.max(1),
            bytes_max: shared.config.read_ahead_bytes_max.max(1),
            longest: Duration::from_millis(shared.config.answer_ms_max),
        };
        run.assign()?;
        // Nothing waits for its end: it sees soon that the reader is gone, and then only drops its client.
        let thread = std::thread::Builder::new().name("kafka-reader".to_owned());
        thread.spawn(move || run.run()).map_err(Error::io("starting", "kafka-reader"))?;
        Ok(KafkaReader { queue, positions, sizes: Arc::clone(&shared.sizes) })
    }
}

impl ReadAheadQueue {
    fn is_ready(&self, slot: usize) {
        if let Some(ready) = lock(&self.ahead).ready.get_mut(slot) {
            *ready = true;
        }
        self.moved.notify_all();
    }
}

#[cfg(test)]
impl KafkaReader {
    /// The number of records that were handed on and not asked for yet.
    pub fn held(&self) -> usize {
        lock(&self.queue.ahead).items.len()
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        lock(&self.queue.ahead).is_over = true;
        self.queue.moved.notify_all();
    }
}

impl LogReader for KafkaReader {
    fn poll(&mut self, limit: ReadLimit, into: &mut Vec<LogRecord>) -> Result<(), Error> {
        let mut ahead = lock(&self.queue.ahead);
        let (mut given, mut bytes) = (0, 0);
        while given < limit.records_max.max(1) && bytes < limit.bytes_max.max(1) {
            match ahead.items.pop_front() {
                Some(Item::Record(record)) => {
                    let size = record.record.bytes();
                    (given, bytes, ahead.bytes) = (given + 1, bytes + size, ahead.bytes - size);
                    self.positions.insert(record.origin.topic_partition(), record.origin.offset + 1);
                    into.push(record);
                }
                Some(Item::Passed(at, next)) => drop(self.positions.insert(at, next)),
                None if given == 0 => {
                    return ahead.failure.map_or(Ok(()), |failure| Err(failure.into()));
                }
                None => break,
            }
        }
        drop(ahead);
        self.sizes.saw(given, bytes);
        self.queue.moved.notify_all();
        Ok(())
    }

    fn position(&self, at: TopicPartition) -> Option<u64> {
        self.positions.get(&at).copied()
    }

    fn wake(&mut self, waker: Waker) {
        lock(&self.queue.ahead).waker = Some(waker);
    }

    fn prioritize_before(&mut self, first: &Cut) {
        let wanted = self.positions.keys().map(|at| first.get(*at).unwrap_or(0)).collect();
        lock(&self.queue.ahead).wanted = wanted;
        self.queue.moved.notify_all();
    }
}

/// A partition.
struct PartitionState {
    at: TopicPartition,
    /// The offset that it is handed on up to.
    next: u64,
    messages: PartitionQueue<Context>,
}

/// The state of the thread.
struct Run {
    /// In their order.
    parts: Vec<PartitionState>,
    consumer: Arc<BaseConsumer<Context>>,
    names: Names,
    watchers: Watchers,
    queue: Arc<ReadAheadQueue>,
    /// The partition whose turn it is.
    turn: usize,
    records_max: usize,
    bytes_max: usize,
    longest: Duration,
}

/// The result of a look at the client.
#[derive(Default)]
struct PolledItems {
    items: Vec<Item>,
    bytes: usize,
    /// A partition is read to its end.
    is_at_end: bool,
    /// A place is none that the log has.
    is_out_of_range: bool,
}

impl Run {
    fn run(mut self) {
        while let Some(slots) = self.wait() {
            // The client's events beside messages.
            if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
                tracing::debug!(%error, "a client cannot read now");
            }
            let mut taken = PolledItems::default();
            for (slot, wanted) in slots {
                self.take(slot, wanted, &mut taken);
                if taken.items.len() >= AT_ONCE || taken.bytes >= self.bytes_max {
                    break;
                }
            }
            if taken.is_at_end {
                self.pass_holes(&mut taken.items);
            }
            let failure = if taken.is_out_of_range { self.diagnose() } else { None };
            if !taken.items.is_empty() || failure.is_some() {
                self.hand_on(taken, failure);
            }
            if failure.is_some() {
                return;
            }
        }
    }

    /// Gives the client the places to read from.
    fn assign(&self) -> Result<(), Error> {
        let list = self.names.list(self.parts.iter().map(|part| (part.at, client::offset(part.next))))?;
        let assigned = self.consumer.assign(&list);
        assigned.map_err(|error| super::error::unavailable("beginning to read", &error, None))
    }

    /// Waits for something to take and room for it; which partitions are to be looked at, and how far each is wanted
    /// first. None when the reader is gone.
    fn wait(&mut self) -> Option<Vec<(usize, u64)>> {
        let queue = Arc::clone(&self.queue);
        let mut ahead = lock(&queue.ahead);
        loop {
            if ahead.is_over {
                return None;
            }
            let is_full = ahead.items.len() >= self.records_max || ahead.bytes >= self.bytes_max;
            let slots = if is_full { Vec::new() } else { self.choose(&ahead) };
            if !slots.is_empty() {
                return Some(slots);
            }
            let waited = queue.moved.wait_timeout(ahead, WAIT).unwrap_or_else(PoisonError::into_inner);
            ahead = waited.0;
            if waited.1.timed_out() {
                // Should a ring ever be missed, it is made up for here.
                ahead.ready.fill(true);
            }
        }
    }

    /// In turn: those that have not reached what is wanted, if any, else all; of them those that may have something.
    fn choose(&mut self, ahead: &Ahead) -> Vec<(usize, u64)> {
        let count = self.parts.len();
        self.turn = (self.turn + 1) % count.max(1);
        let is_behind = |slot: usize| self.parts[slot].next < ahead.wanted[slot];
        let any_behind = (0..count).any(is_behind);
        let in_turn = (self.turn..count).chain(0..self.turn);
        let chosen = in_turn.filter(|slot| ahead.ready[*slot] && (!any_behind || is_behind(*slot)));
        chosen.map(|slot| (slot, if any_behind { ahead.wanted[slot] } else { u64::MAX })).collect()
    }

    /// Takes some of what a partition has there already.
    fn take(&mut self, slot: usize, wanted: u64, taken: &mut PolledItems) {
        let part = &mut self.parts[slot];
        for _ in 0..OF_ONE {
            if part.next >= wanted || taken.bytes >= self.bytes_max {
                return;
            }
            match part.messages.poll(Duration::ZERO) {
                None => {
                    // Set before the last look, so that what comes between is not missed.
                    let was_ready = std::mem::take(&mut lock(&self.queue.ahead).ready[slot]);
                    if !was_ready {
                        return;
                    }
                }
                Some(Ok(message)) => {
                    let Some(record) = record(part.at, &message) else { continue };
                    // A client that began again may give what it gave before.
                    if part.next <= record.origin.offset {
                        part.next = record.origin.offset + 1;
                        taken.bytes += record.record.bytes();
                        taken.items.push(Item::Record(record));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => taken.is_at_end = true,
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                        taken.is_out_of_range = true;
                        return;
                    }
                    // The client tries again by itself.
                    _ => tracing::debug!(%error, at = %part.at, "a partition cannot be read now"),
                },
            }
        }
    }

    /// Asks the client how far it is.
    fn pass_holes(&mut self, items: &mut Vec<Item>) {
        let Ok(list) = self.consumer.position() else { return };
        for part in list.elements() {
            let at = self.names.topic(part.topic()).zip(u32::try_from(part.partition()).ok());
            let (Some((topic, partition)), Offset::Offset(position)) = (at, part.offset()) else { continue };
            let (at, position) = (TopicPartition::new(topic, partition), u64::try_from(position).unwrap_or(0));
            let Ok(slot) = self.parts.binary_search_by_key(&at, |part| part.at) else { continue };
            if self.parts[slot].next < position {
                self.parts[slot].next = position;
                items.push(Item::Passed(at, position));
            }
        }
    }

    /// The place that the client asked for and the log does not have. If it has all, reading begins again there.
    fn diagnose(&self) -> Option<Failure> {
        let ask = |which: Offset| {
            let list = self.names.list(self.parts.iter().map(|part| (part.at, which))).ok()?;
            self.consumer.offsets_for_times(list, self.longest).ok()
        };
        // Without an answer the client gets its places again, and reports again that it cannot read.
        let (starts, ends) = (ask(Offset::Beginning), ask(Offset::End));
        let place = |of: &Option<rdkafka::TopicPartitionList>, at: TopicPartition| {
            let part = of.as_ref()?.find_partition(self.names.of(at.topic), client::number(at.partition))?;
            match (part.error(), part.offset()) {
                (Ok(()), Offset::Offset(offset)) => u64::try_from(offset).ok(),
                _ => None,
            }
        };
        for PartitionState { at, next: asked, messages: _ } in &self.parts {
            let (at, asked) = (*at, *asked);
            if let Some(start) = place(&starts, at).filter(|start| asked < *start) {
                return Some(Failure::Deleted { at, asked, start });
            }
            if let Some(end) = place(&ends, at).filter(|end| *end < asked) {
                return Some(Failure::Beyond { at, asked, end });
            }
        }
        if let Err(error) = self.assign() {
            tracing::debug!(%error, "reading does not begin again");
        }
        std::thread::park_timeout(PAUSE);
        None
    }

    fn hand_on(&self, taken: PolledItems, failure: Option<Failure>) {
        let mut ahead = lock(&self.queue.ahead);
        ahead.items.extend(taken.items);
        ahead.bytes += taken.bytes;
        ahead.failure = failure;
        let waker = ahead.waker.clone();
        drop(ahead);
        if let Some(waker) = waker {
            waker();
        }
        self.watchers.notify();
    }
}

/// A message as a record; its bytes are copied once, into one piece.
fn record(at: TopicPartition, message: &BorrowedMessage<'_>) -> Option<LogRecord> {
    let origin = Origin { topic: at.topic, partition: at.partition, offset: u64::try_from(message.offset()).ok()? };
    let (key, value, headers) = (message.key(), message.payload(), headers::of(message));
    let parts = || [key, value].into_iter().chain(headers.iter().map(|(_, value)| *value));
    let mut piece = BytesMut::with_capacity(parts().flatten().map(<[u8]>::len).sum());
    parts().flatten().for_each(|part| piece.extend_from_slice(part));
    let mut piece = piece.freeze();
    let mut own = |part: Option<&[u8]>| -> Option<Bytes> { part.map(|part| piece.split_to(part.len())) };
    let (key, value) = (own(key), own(value));
    let headers = headers.iter().map(|(name, value)| (SmolStr::new(name), own(*value))).collect();
    let timestamp_ms = message.timestamp().to_millis().unwrap_or(0);
    Some(LogRecord { origin, record: Record { key, value, headers, timestamp_ms } })
}
