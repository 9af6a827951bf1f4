//! Records in, epochs and cuts out; the log, checkpoints and dead letters. Not for deciding.
//!
//! Six doors: the [`log`], what goes into the core ([`input`]) and what leaves it ([`output`]), the state that is kept
//! ([`checkpoint`]), what could not be read ([`dead_letters`]), and the twins of all of it that fail on demand (`testing`).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod checkpoint;
pub mod dead_letters;
pub mod input;
pub mod log;
pub mod output;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

mod clock;
mod error;
mod lines;
mod signal;
mod standstill;

pub use clock::{Clock, WallClock};
pub use error::{Error, Fatal};
pub use signal::Signal;
pub use standstill::{Faults, Standstill};

use serde::{Deserialize, Serialize};

/// Every limit of this room, by the part that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// The embedded log.
    pub journal: log::journal::JournalConfig,
    /// The sequencer.
    pub sequencer: input::sequencer::SequencerConfig,
    /// The workers' sources.
    pub source: input::source::SourceConfig,
    /// When the state is kept.
    pub checkpoint: checkpoint::CheckpointConfig,
    /// The dead letters.
    pub dead_letters: dead_letters::DeadLetterConfig,
    /// The publisher of the outputs.
    pub publisher: output::publisher::PublisherConfig,
    /// Kafka clients before the embedded log.
    pub listener: log::listener::ListenerConfig,
    /// The command log.
    pub command_log: input::command_log::CommandLogConfig,
}
