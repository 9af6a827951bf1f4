//! Appends records: an idempotent producer, whose delivery reports are counted for each append. Not for placing records,
//! and not for waiting: what would wait too long is refused.

use super::client::{self, Context, Names, number};
use super::{Config, away};
use crate::Error;
use crate::log::{Partitions, Record, Watchers, lock};
use dataflows::port::{AppendError, Appended};
use dataflows::topic::{Origin, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What waits for its acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    records: usize,
    bytes: usize,
}

/// An append that is under way.
struct Append {
    waiting: Arc<Mutex<Waiting>>,
    size: Waiting,
    watchers: Watchers,
    state: Mutex<State>,
}

struct State {
    /// How many records have no report yet.
    left: usize,
    origins: Vec<Origin>,
    error: Option<AppendError>,
    done: Option<Appended>,
}

impl Append {
    /// Takes the reports of so many records, one of which may have its offset.
    fn report(&self, count: usize, landed: Result<Option<(usize, u64)>, AppendError>) {
        let mut state = lock(&self.state);
        match landed {
            Ok(Some((number, offset))) => state.origins[number].offset = offset,
            Ok(None) => {}
            // The first error is the one to tell.
            Err(error) => drop(state.error.get_or_insert(error)),
        }
        state.left -= count;
        if state.left > 0 {
            return;
        }
        let (error, origins, done) = (state.error.take(), std::mem::take(&mut state.origins), state.done.take());
        drop(state);
        let mut waiting = lock(&self.waiting);
        waiting.records -= self.size.records;
        waiting.bytes -= self.size.bytes;
        drop(waiting);
        self.watchers.notify();
        if let Some(done) = done {
            done(error.map_or(Ok(origins), Err));
        }
    }
}

/// A record of an append.
type Ticket = Box<(Arc<Append>, usize)>;

/// Receives the reports.
#[derive(Default)]
struct Reports {
    context: Context,
    /// Whether the producer can never go on.
    is_broken: AtomicBool,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.is_broken.store(true, Ordering::Relaxed);
        }
        self.context.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Ticket;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: Ticket) {
        let (append, number) = *ticket;
        let landed = match report {
            Ok(message) => match u64::try_from(message.offset()) {
                Ok(offset) => Ok(Some((number, offset))),
                // So old a repeat that the broker knows only that it has the record.
                Err(_) => Err(AppendError::Unavailable("the broker does not say where a record stands".to_owned())),
            },
            Err((error, _)) => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                    self.is_broken.store(true, Ordering::Relaxed);
                }
                Err(away::refused(error))
            }
        };
        append.report(1, landed);
    }
}

type Connection = ThreadedProducer<Reports>;

/// Publishes records.
pub struct Publisher {
    config: Config,
    names: Names,
    watchers: Watchers,
    waiting: Arc<Mutex<Waiting>>,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Publisher {
    /// One that connects when there is something to append.
    pub fn new(config: Config, names: Names, watchers: Watchers) -> Publisher {
        Publisher { config, names, watchers, waiting: Arc::default(), connection: Mutex::default() }
    }

    /// See [`crate::log::Log::append`].
    pub fn append(&self, partitions: &Partitions, records: Vec<(TopicPartition, Record)>, done: Appended) {
        if let Some((at, _)) = records.iter().find(|(at, _)| !partitions.contains(*at)) {
            return done(Err(AppendError::Unavailable(format!("the log has no partition {at}"))));
        }
        if records.is_empty() {
            return done(Ok(Vec::new()));
        }
        let bytes = records.iter().map(|(_, record)| record.bytes()).sum();
        let size = Waiting { records: records.len(), bytes };
        let connection = match self.admit(size) {
            Err(error) => return done(Err(error)),
            Ok(()) => self.connection(),
        };
        let origin = |at: &TopicPartition| Origin { topic: at.topic, partition: at.partition, offset: 0 };
        let state = State {
            left: records.len(),
            origins: records.iter().map(|(at, _)| origin(at)).collect(),
            error: None,
            done: Some(done),
        };
        let (waiting, watchers) = (Arc::clone(&self.waiting), self.watchers.clone());
        let append = Arc::new(Append { waiting, size, watchers, state: Mutex::new(state) });
        match connection {
            Ok(connection) => self.send(&connection, &append, records),
            Err(error) => append.report(records.len(), Err(AppendError::Unavailable(error.to_string()))),
        }
    }

    /// Counts it among what waits, if there is room.
    fn admit(&self, size: Waiting) -> Result<(), AppendError> {
        let Config { append_bytes_max, waiting_records_max, waiting_bytes_max, .. } = &self.config;
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

    /// Hands all records to the producer. What it does not take has its report at once.
    fn send(&self, connection: &Connection, append: &Arc<Append>, records: Vec<(TopicPartition, Record)>) {
        let count = records.len();
        for (sent, (at, record)) in records.into_iter().enumerate() {
            let Record { key, value, headers, timestamp_ms } = record;
            let ticket = Box::new((Arc::clone(append), sent));
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
                // Nothing after it is sent, so that what is in the log is the front of the append.
                return append.report(count - sent, Err(away::refused(&error)));
            }
        }
    }

    /// The producer; another if the last one can never go on.
    fn connection(&self) -> Result<Arc<Connection>, Error> {
        let mut current = lock(&self.connection);
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
        let made = Connection::from_config_and_context(&settings, Reports::default());
        let made = made.map_err(|error| away::unavailable("making a producer", &error, None))?;
        Ok(Arc::clone(current.insert(Arc::new(made))))
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Some(connection) = lock(&self.connection).take()
            && let Err(error) = connection.flush(Duration::from_millis(self.config.append_ms_max))
        {
            tracing::warn!(%error, "records were still on their way when the log was closed");
        }
    }
}
