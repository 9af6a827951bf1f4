//! The log: records in, epochs and cuts out. Not for deciding, and not for what leaves the core.
//!
//! ```text
//! command_log ──▶ codec ──▶ partition ──▶ log (journal) ──▶ source ──▶ codec ──▶ strides of whole epochs
//!                                          ▲      │
//!                                          └ sequencer: cuts epochs, and follows them
//! ```
//!
//! [`log::Log`] is what a log must be; [`journal::Journal`] is the embedded one, [`kafka::KafkaLog`] is Apache Kafka behind
//! the same port, and [`listener::Listener`] lets Kafka clients at the embedded one. Everything else here works on either. [`sealed::Sealed`] is read once at start: what is closed already,
//! checked; the sequencer and every worker's source begin from it.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod checkpoint;
pub mod codec;
pub mod command_log;
pub mod dead_letters;
mod error;
pub mod journal;
pub mod kafka;
mod lines;
pub mod listener;
pub mod log;
pub mod partition;
pub mod published;
pub mod publisher;
pub mod sealed;
pub mod sequencer;
pub mod source;
pub mod storage;

mod clock;
pub mod signal;
mod standstill;
mod structured;

#[cfg(any(test, feature = "testing"))]
pub mod contract_tests;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use clock::{Clock, WallClock};
pub use error::{Error, Fatal};
pub use standstill::{Faults, Standstill};

use serde::{Deserialize, Serialize};

/// Every limit of this room, by the part that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The embedded log.
    pub journal: journal::Config,
    /// Who closes epochs.
    pub sequencer: sequencer::Config,
    /// What workers read.
    pub source: source::Config,
    /// When the state is kept.
    pub checkpoint: checkpoint::Config,
    /// How many dead letters may wait for the disk.
    pub dead_letters: dead_letters::Config,
    /// What of the outputs may wait.
    pub publisher: publisher::Config,
    /// Kafka clients before the embedded log.
    pub listener: listener::Config,
    /// What publishers wait for.
    pub command_log: command_log::Config,
}
