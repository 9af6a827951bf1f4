//! The log: what one must be ([`Log`]), and those that there are. [`journal::Journal`] is the embedded one,
//! [`kafka::KafkaLog`] is Apache Kafka, and [`listener::Listener`] lets Kafka clients at the embedded one.

pub mod journal;
pub mod kafka;
pub mod listener;
mod port;
pub mod storage;

pub(crate) use port::lock;
pub use port::{CutLimit, Log, LogReader, LogRecord, Partitions, RECORD_BYTES_MAX, ReadLimit, Record, Watch, Watchers};
