//! Dead letters: records that could not be read, kept with their bytes, headers and reason until somebody has looked at
//! them. Not for telling which records those are: `codec` does.
//!
//! `file` keeps them on the disk, `letters` is what the process holds of that: the sink that takes new ones in, and what
//! an operator does with them.

mod file;
mod letters;

#[cfg(test)]
mod tests;

pub use letters::{DeadLetterConfig, DeadLetters, Edit, Flusher, LetterFilter};

use dataflows::contract::epoch::Epoch;
use dataflows::contract::input::{DeadLetterCode, RawRecord};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::Origin;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The state of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// No operator has dealt with it.
    Open,
    /// It was published again, at that place.
    Redriven(Origin),
    /// It was thrown away, and its bytes with it.
    Discarded,
}

/// A dead letter without its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its place in the log.
    pub origin: Origin,
    /// The epoch that it came with.
    pub epoch: Epoch,
    /// The epoch's `now`.
    pub at: Timestamp,
    /// The fault.
    pub code: DeadLetterCode,
    /// For people: what is wrong.
    pub detail: String,
    /// Its state.
    pub state: LetterState,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// All but the record.
    pub summary: Summary,
    /// The record.
    pub record: Arc<RawRecord>,
}
