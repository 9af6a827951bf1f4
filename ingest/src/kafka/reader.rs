//! Reads some partitions: a client and a thread of its own, which hands records on through a bounded queue. Not for
//! knowing what they mean.
//!
//! Offsets have holes, where transactions ended or were aborted. At the end of a partition the client says how far it is,
//! so a position passes what holds nothing. What is deleted before it was read is never passed: the reader fails.

use super::client::{self, Context, Names};
use super::{Shared, headers};
use crate::Error;
use crate::log::{LogReader, LogRecord, ReadLimit, Record, Watchers, lock};
use bytes::{Bytes, BytesMut};
use dataflows::epoch::Cut;
use dataflows::port::Waker;
use dataflows::topic::{Origin, TopicPartition};
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long the thread waits for records before it looks whether the reader is still there.
const WAIT: Duration = Duration::from_millis(100);
/// How long it waits after an error that repeats.
const PAUSE: Duration = Duration::from_millis(50);
/// How many messages it takes before it hands them on.
pub const AT_ONCE: usize = 512;

enum Item {
    Record(LogRecord),
    /// Nothing stands before that offset that was not handed on.
    Passed(TopicPartition, u64),
}

/// Why nothing more will come.
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
    items: VecDeque<Item>,
    bytes: usize,
    failure: Option<Failure>,
    waker: Option<Waker>,
    /// The reader is gone.
    is_over: bool,
}

#[derive(Default)]
struct Queue {
    ahead: Mutex<Ahead>,
    room: Condvar,
}

/// See [`LogReader`].
pub struct Reader {
    queue: Arc<Queue>,
    positions: BTreeMap<TopicPartition, u64>,
}

impl Reader {
    /// Starts reading from these places.
    pub fn start(shared: &Arc<Shared>, starts: &Cut) -> Result<Reader, Error> {
        let consumer: BaseConsumer<Context> = client::create(&client::reader(&shared.config)?)?;
        let positions: BTreeMap<TopicPartition, u64> = starts.iter().collect();
        let queue = Arc::new(Queue::default());
        let mut run = Run {
            consumer,
            names: shared.names.clone(),
            watchers: shared.watchers.clone(),
            queue: Arc::clone(&queue),
            next: positions.clone(),
            records_max: shared.config.read_ahead_records_max.max(1),
            bytes_max: shared.config.read_ahead_bytes_max.max(1),
            longest: Duration::from_millis(shared.config.answer_ms_max),
        };
        run.assign()?;
        // Nobody waits for its end: it sees soon that the reader is gone, and then only lets go of its client.
        let thread = std::thread::Builder::new().name("kafka-reader".to_owned());
        thread.spawn(move || run.run()).map_err(Error::io("starting", "kafka-reader"))?;
        Ok(Reader { queue, positions })
    }
}

#[cfg(test)]
impl Reader {
    /// How many records were handed on and not asked for yet.
    pub fn held(&self) -> usize {
        lock(&self.queue.ahead).items.len()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        lock(&self.queue.ahead).is_over = true;
        self.queue.room.notify_all();
    }
}

impl LogReader for Reader {
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
        self.queue.room.notify_all();
        Ok(())
    }

    fn position(&self, at: TopicPartition) -> Option<u64> {
        self.positions.get(&at).copied()
    }

    fn wake(&mut self, waker: Waker) {
        lock(&self.queue.ahead).waker = Some(waker);
    }
}

/// What the thread has.
struct Run {
    consumer: BaseConsumer<Context>,
    names: Names,
    watchers: Watchers,
    queue: Arc<Queue>,
    /// Where each partition is handed on up to.
    next: BTreeMap<TopicPartition, u64>,
    records_max: usize,
    bytes_max: usize,
    longest: Duration,
}

/// What a look at the client gave.
#[derive(Default)]
struct Taken {
    items: Vec<Item>,
    bytes: usize,
    /// A partition is read to its end.
    is_at_end: bool,
    /// A place is none that the log has.
    is_out_of_range: bool,
}

impl Run {
    fn run(mut self) {
        while self.wait_for_room() {
            let mut taken = self.take();
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

    /// Tells the client where to read.
    fn assign(&mut self) -> Result<(), Error> {
        let list = self.names.list(self.next.iter().map(|(at, next)| (*at, client::offset(*next))))?;
        let assigned = self.consumer.assign(&list);
        assigned.map_err(|error| super::away::unavailable("beginning to read", &error, None))
    }

    /// False when the reader is gone.
    fn wait_for_room(&self) -> bool {
        let is_full = |ahead: &mut Ahead| {
            !ahead.is_over && (ahead.items.len() >= self.records_max || ahead.bytes >= self.bytes_max)
        };
        let ahead = self.queue.room.wait_while(lock(&self.queue.ahead), is_full);
        !ahead.unwrap_or_else(PoisonError::into_inner).is_over
    }

    /// Waits for a message, and takes it and those that are there already.
    fn take(&mut self) -> Taken {
        let (mut taken, mut wait) = (Taken::default(), WAIT);
        for _ in 0..AT_ONCE {
            let message = match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    taken.is_at_end = true;
                    wait = Duration::ZERO;
                    continue;
                }
                Some(Err(error)) => {
                    match error.rdkafka_error_code() {
                        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                            taken.is_out_of_range = true;
                        }
                        // The client tries again by itself. An error that repeats must not keep a core busy.
                        _ => {
                            tracing::debug!(%error, "a partition cannot be read now");
                            std::thread::park_timeout(PAUSE);
                        }
                    }
                    break;
                }
            };
            wait = Duration::ZERO;
            if let Some(record) = record(&self.names, &message) {
                let at = record.origin.topic_partition();
                // A client that began again may give what it gave before.
                if self.next.get(&at).is_some_and(|next| *next <= record.origin.offset) {
                    self.next.insert(at, record.origin.offset + 1);
                    taken.bytes += record.record.bytes();
                    taken.items.push(Item::Record(record));
                }
            }
            if taken.bytes >= self.bytes_max {
                break;
            }
        }
        taken
    }

    /// Asks the client how far it is.
    fn pass_holes(&mut self, items: &mut Vec<Item>) {
        let Ok(list) = self.consumer.position() else { return };
        for part in list.elements() {
            let at = self.names.topic(part.topic()).zip(u32::try_from(part.partition()).ok());
            let (Some((topic, partition)), Offset::Offset(position)) = (at, part.offset()) else { continue };
            let (at, position) = (TopicPartition::new(topic, partition), u64::try_from(position).unwrap_or(0));
            if self.next.get(&at).is_some_and(|next| *next < position) {
                self.next.insert(at, position);
                items.push(Item::Passed(at, position));
            }
        }
    }

    /// What the log does not have that the client asked it for. If it has all, reading begins again there.
    fn diagnose(&mut self) -> Option<Failure> {
        let mut bounds = Vec::new();
        for which in [Offset::Beginning, Offset::End] {
            let list = self.names.list(self.next.keys().map(|at| (*at, which))).ok()?;
            // Without an answer the client is told again where to read, and says again that it cannot.
            bounds.push(self.consumer.offsets_for_times(list, self.longest).ok());
        }
        let place = |bound: &Option<rdkafka::TopicPartitionList>, at: TopicPartition| {
            let part = bound.as_ref()?.find_partition(self.names.of(at.topic), client::number(at.partition))?;
            match (part.error(), part.offset()) {
                (Ok(()), Offset::Offset(offset)) => u64::try_from(offset).ok(),
                _ => None,
            }
        };
        for (at, asked) in self.next.iter().map(|(at, next)| (*at, *next)) {
            if let Some(start) = place(&bounds[0], at).filter(|start| asked < *start) {
                return Some(Failure::Deleted { at, asked, start });
            }
            if let Some(end) = place(&bounds[1], at).filter(|end| *end < asked) {
                return Some(Failure::Beyond { at, asked, end });
            }
        }
        if let Err(error) = self.assign() {
            tracing::debug!(%error, "reading does not begin again");
        }
        std::thread::park_timeout(PAUSE);
        None
    }

    fn hand_on(&self, taken: Taken, failure: Option<Failure>) {
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
fn record(names: &Names, message: &BorrowedMessage<'_>) -> Option<LogRecord> {
    let partition = u32::try_from(message.partition()).ok()?;
    let origin =
        Origin { topic: names.topic(message.topic())?, partition, offset: u64::try_from(message.offset()).ok()? };
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
