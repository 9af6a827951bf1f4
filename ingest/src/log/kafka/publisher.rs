//! Appends records: an idempotent producer, whose delivery reports are counted for each append. Not for placing records,
//! and not for waiting: what would wait too long is refused.
//!
//! A broker keeps the order within a partition only. So an append's records go a topic after the other, in the order of
//! the topics, each when the ones before are acknowledged: then no snapshot has the order without the product before
//! it. Meanwhile other appends wait at the gate. Most have one topic, and hold up no other.
//!
//! **Twice.** A record whose acknowledgement was lost is sent again under its number, so that the broker knows it.
//! There are two holes in that. When a record gives up (`append_ms_max`), librdkafka gives all that still wait new
//! numbers, and what the broker had already written of them comes a second time. And a broker that was killed forgets
//! the numbers of a producer whose last record is stamped more than a day ago (`producer.id.expiration.ms`), as outputs
//! that are made again are. Nothing here rests on it: commands are decided once by their id, epochs by their number,
//! and what is published is taken by its epoch and place. Waiting for ever instead of giving up would let an order
//! appear long after its customer saw it fail. Outputs do wait for ever (`gives_up`): no one gets an answer, and of a
//! partition's records always a front must be there, since a reader takes none after a later one.

use super::client::{self, Context, Names, number};
use super::config::KafkaConfig;
use super::error;
use crate::Error;
use crate::log::{Partitions, Record, Watchers, lock};
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use dataflows::ports::{AppendCallback, AppendError};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The size of what waits for its acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
struct UnacknowledgedSize {
    records: usize,
    bytes: usize,
}

/// An append that is under way.
struct Append {
    inner: Arc<Inner>,
    size: UnacknowledgedSize,
    /// True if it has records of more than one topic.
    is_staged: bool,
    state: Mutex<State>,
}

/// Records of one topic, each with its number in the append.
type TopicBatch = Vec<(usize, TopicPartition, Record)>;

struct State {
    /// The records that are not sent yet, in the order of the topics.
    stages: VecDeque<TopicBatch>,
    /// The number of records of the last stage that have no report yet.
    left: usize,
    /// True if other appends wait for it.
    holds_gate: bool,
    origins: Vec<Origin>,
    error: Option<AppendError>,
    done: Option<AppendCallback>,
}

impl Append {
    fn new(
        inner: Arc<Inner>,
        records: Vec<(TopicPartition, Record)>,
        size: UnacknowledgedSize,
        done: AppendCallback,
    ) -> Append {
        let origin = |at: &TopicPartition| Origin { topic: at.topic, partition: at.partition, offset: 0 };
        let origins = records.iter().map(|(at, _)| origin(at)).collect();
        let mut by_topic: BTreeMap<Topic, TopicBatch> = BTreeMap::new();
        for (number, (at, record)) in records.into_iter().enumerate() {
            by_topic.entry(stage_of(at.topic)).or_default().push((number, at, record));
        }
        let stages: VecDeque<TopicBatch> = by_topic.into_values().collect();
        let is_staged = stages.len() > 1;
        let state = State { stages, left: 0, holds_gate: is_staged, origins, error: None, done: Some(done) };
        Append { inner, size, is_staged, state: Mutex::new(state) }
    }
}

/// Outputs name their epoch themselves, so that all of them are sent at once.
fn stage_of(topic: Topic) -> Topic {
    match topic {
        Topic::Events(_) | Topic::View(_) | Topic::Progress | Topic::DeadLetters => Topic::DeadLetters,
        Topic::Policy | Topic::Catalog | Topic::Stock | Topic::Orders | Topic::Activity | Topic::Epochs => topic,
    }
}

/// Holds appends back while the records of one of them are on their way a topic after the other, so that none overtakes.
#[derive(Default)]
struct TopicOrderGate {
    is_held: bool,
    is_emptied: bool,
    waiting: VecDeque<Arc<Append>>,
}

/// A record of an append.
type Ticket = Box<(Arc<Append>, usize)>;

/// Receives the reports.
#[derive(Default)]
struct Reports {
    context: Context,
    /// True if the producer can never continue.
    is_broken: AtomicBool,
    unplaced: UnknownOffsets,
}

/// Records that the broker has, their places unknown. It answers so for a whole batch that it has already
/// (`DUPLICATE_SEQUENCE_NUMBER`), with an offset below 0 for the batch; librdkafka counts on from there, so that the
/// records after the first would seem to have places.
#[derive(Default)]
struct UnknownOffsets(Mutex<BTreeMap<(String, i32), i64>>);

impl UnknownOffsets {
    /// The offset of a record that was delivered; none if the broker gives none. Records of a partition come in order.
    fn place(&self, topic: &str, partition: i32, offset: i64) -> Option<u64> {
        let mut next = lock(&self.0);
        if offset >= 0 && next.is_empty() {
            return offset.try_into().ok();
        }
        let at = (topic.to_owned(), partition);
        // No later batch begins there: the records of this one are in the log, and there is one more than that.
        if offset < 0 || next.get(&at) == Some(&offset) {
            next.insert(at, offset + 1);
            return None;
        }
        next.remove(&at);
        offset.try_into().ok()
    }
}

impl Reports {
    /// A fatal error stays with its producer.
    fn notice(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.notice(&error);
        self.context.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Ticket;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: Ticket) {
        let (append, number) = *ticket;
        let landed = match report {
            Ok(message) => match self.unplaced.place(message.topic(), message.partition(), message.offset()) {
                Some(offset) => Ok(Some((number, offset))),
                // So old a repeat that the broker knows only that it has the record.
                None => Err(AppendError::Unavailable("the broker does not say where a record stands".to_owned())),
            },
            Err((error, _)) => {
                self.notice(error);
                Err(error::refused(error))
            }
        };
        append.inner.report(&append, 1, landed);
    }
}

type ProducerClient = ThreadedProducer<Reports>;

/// Publishes records.
pub struct RecordPublisher(Arc<Inner>);

struct Inner {
    config: KafkaConfig,
    names: Names,
    watchers: Watchers,
    waiting: Mutex<UnacknowledgedSize>,
    gate: Mutex<TopicOrderGate>,
    connection: Mutex<Option<Arc<ProducerClient>>>,
    is_closed: AtomicBool,
}

impl RecordPublisher {
    /// One that connects when there is something to append.
    pub fn new(config: KafkaConfig, names: Names, watchers: Watchers) -> RecordPublisher {
        let (waiting, gate, connection, is_closed) = Default::default();
        RecordPublisher(Arc::new(Inner { config, names, watchers, waiting, gate, connection, is_closed }))
    }

    /// See [`crate::log::Log::append`].
    pub fn append(&self, partitions: &Partitions, records: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        if let Some((at, _)) = records.iter().find(|(at, _)| !partitions.contains(*at)) {
            return done(Err(AppendError::Unavailable(format!("the log has no partition {at}"))));
        }
        if records.is_empty() {
            return done(Ok(Vec::new()));
        }
        let bytes = records.iter().map(|(_, record)| record.bytes()).sum();
        let size = UnacknowledgedSize { records: records.len(), bytes };
        match self.0.admit(size) {
            Err(error) => done(Err(error)),
            Ok(()) => self.0.enter(Arc::new(Append::new(Arc::clone(&self.0), records, size, done))),
        }
    }
}

impl Inner {
    /// Counts it among what waits, if there is room.
    fn admit(&self, size: UnacknowledgedSize) -> Result<(), AppendError> {
        let KafkaConfig { append_bytes_max, waiting_records_max, waiting_bytes_max, .. } = &self.config;
        if size.bytes > *append_bytes_max {
            let why = format!("an append of {} bytes is over append_bytes_max, {append_bytes_max}", size.bytes);
            return Err(AppendError::Unavailable(why));
        }
        let mut waiting = lock(&self.waiting);
        let is_full =
            waiting.records + size.records > *waiting_records_max || waiting.bytes + size.bytes > *waiting_bytes_max;
        if waiting.records > 0 && is_full {
            return Err(AppendError::Overloaded);
        }
        waiting.records += size.records;
        waiting.bytes += size.bytes;
        Ok(())
    }

    /// Begins with it, unless it has to wait for another.
    fn enter(self: &Arc<Inner>, append: Arc<Append>) {
        let mut gate = lock(&self.gate);
        if gate.is_held || gate.is_emptied {
            return gate.waiting.push_back(append);
        }
        gate.is_held = append.is_staged;
        drop(gate);
        self.go_on(&append);
    }

    /// Releases the gate, and begins with those that waited, up to the next that holds it.
    fn release(self: &Arc<Inner>) {
        let mut gate = lock(&self.gate);
        gate.is_held = false;
        if gate.is_emptied {
            // This is within the loop below, or beside it; that continues.
            return;
        }
        gate.is_emptied = true;
        while !gate.is_held
            && let Some(next) = gate.waiting.pop_front()
        {
            gate.is_held = next.is_staged;
            drop(gate);
            self.go_on(&next);
            gate = lock(&self.gate);
        }
        gate.is_emptied = false;
    }

    /// Sends the records of the next topic, those of the one before being acknowledged; ends the append after the last.
    fn go_on(self: &Arc<Inner>, append: &Arc<Append>) {
        let mut state = lock(&append.state);
        let next = if state.error.is_none() { state.stages.pop_front() } else { None };
        let releases = (next.is_none() || state.stages.is_empty()) && std::mem::take(&mut state.holds_gate);
        match next {
            Some(stage) => {
                state.left = stage.len();
                drop(state);
                self.send(append, stage);
            }
            None => {
                let (error, origins, done) =
                    (state.error.take(), std::mem::take(&mut state.origins), state.done.take());
                drop(state);
                let mut waiting = lock(&self.waiting);
                waiting.records -= append.size.records;
                waiting.bytes -= append.size.bytes;
                drop(waiting);
                self.watchers.notify();
                if let Some(done) = done {
                    done(error.map_or(Ok(origins), Err));
                }
            }
        }
        if releases {
            self.release();
        }
    }

    /// Takes the reports of so many records, one of which may have its offset.
    fn report(
        self: &Arc<Inner>,
        append: &Arc<Append>,
        count: usize,
        landed: Result<Option<(usize, u64)>, AppendError>,
    ) {
        let mut state = lock(&append.state);
        match landed {
            Ok(Some((number, offset))) => state.origins[number].offset = offset,
            Ok(None) => {}
            // The first error is the one to report.
            Err(error) => drop(state.error.get_or_insert(error)),
        }
        state.left -= count;
        let is_over = state.left == 0;
        drop(state);
        if is_over {
            self.go_on(append);
        }
    }

    /// Hands records to the producer. What it does not take has its report at once.
    fn send(self: &Arc<Inner>, append: &Arc<Append>, stage: TopicBatch) {
        let count = stage.len();
        let connection = match self.connection() {
            Ok(connection) => connection,
            Err(error) => return self.report(append, count, Err(AppendError::Unavailable(error.to_string()))),
        };
        for (sent, (place, at, record)) in stage.into_iter().enumerate() {
            let Record { key, value, headers, timestamp_ms } = record;
            let ticket = Box::new((Arc::clone(append), place));
            let mut message: BaseRecord<'_, [u8], [u8], Ticket> =
                BaseRecord::with_opaque_to(self.names.of(at.topic), ticket).partition(number(at.partition));
            message.key = key.as_deref();
            message.payload = value.as_deref();
            message.timestamp = Some(timestamp_ms);
            if !headers.is_empty() {
                let list = OwnedHeaders::new_with_capacity(headers.len());
                message.headers = Some(
                    headers
                        .iter()
                        .fold(list, |list, (name, value)| list.insert(Header { key: name, value: value.as_deref() })),
                );
            }
            if let Err((error, refused)) = connection.send(message) {
                drop(refused);
                connection.client().context().notice(&error);
                // Nothing after it is sent, so that what is in the log is the front of the append.
                return self.report(append, count - sent, Err(error::refused(&error)));
            }
        }
    }

    /// The producer; another if the last one can never continue.
    fn connection(&self) -> Result<Arc<ProducerClient>, Error> {
        let mut current = lock(&self.connection);
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("it is closed".to_owned()));
        }
        if let Some(connection) = &*current
            && !connection.client().context().is_broken.load(Ordering::Relaxed)
        {
            return Ok(Arc::clone(connection));
        }
        if let Some(broken) = current.take() {
            tracing::warn!(error = ?broken.client().fatal_error(), "a producer cannot go on and is replaced");
            // Its reports may come while it goes, and this may be the thread that brings them.
            std::thread::spawn(move || drop(broken));
        }
        let settings = client::producer(&self.config)?;
        let made = ProducerClient::from_config_and_context(&settings, Reports::default());
        let made = made.map_err(|error| error::unavailable("making a producer", &error, None))?;
        Ok(Arc::clone(current.insert(Arc::new(made))))
    }
}

#[cfg(test)]
impl RecordPublisher {
    /// Lets its producer fail as if it could never continue.
    pub fn break_down(&self) {
        use rdkafka::bindings::{rd_kafka_resp_err_t as Code, rd_kafka_test_fatal_error};
        let code = Code::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        let connection = lock(&self.0.connection).clone().expect("something was appended");
        // SAFETY: the client is alive while it is borrowed, and the text is only copied.
        #[allow(unsafe_code)]
        unsafe {
            rd_kafka_test_fatal_error(connection.client().native_ptr(), code, c"injected".as_ptr());
        }
    }
}

impl Drop for RecordPublisher {
    fn drop(&mut self) {
        let inner = &self.0;
        let deadline = Instant::now() + Duration::from_millis(inner.config.append_ms_max);
        // An append of several topics sends some of its records only when others are acknowledged.
        while lock(&inner.waiting).records > 0 && Instant::now() < deadline {
            if let Some(connection) = lock(&inner.connection).clone()
                && let Err(error) = connection.flush(deadline.saturating_duration_since(Instant::now()))
            {
                tracing::warn!(%error, "records are still on their way while the log is closed");
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let connection = {
            let mut connection = lock(&inner.connection);
            inner.is_closed.store(true, Ordering::Relaxed);
            connection.take()
        };
        // The records that are left are answered as it is dropped.
        drop(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_a_place_gives_none_of_its_records_one() {
        let unplaced = UnknownOffsets::default();
        let places = |topic: &str, offsets: &[i64]| -> Vec<Option<u64>> {
            offsets.iter().map(|offset| unplaced.place(topic, 0, *offset)).collect()
        };
        assert_eq!(places("a", &[0, 1, 2]), [Some(0), Some(1), Some(2)]);
        assert_eq!(places("a", &[-1, 0, 1, 2]), [None; 4], "it is counted on from -1");
        assert_eq!(places("b", &[0, 1]), [Some(0), Some(1)], "another partition");
        assert_eq!(places("a", &[4, 5]), [Some(4), Some(5)], "the batch behind the four");
        assert_eq!(places("a", &[-1001, 6]), [None, Some(6)], "acknowledged by a later one");
    }
}
