//! The input of the core: commands, observations, and records that could not be read.

use crate::contract::topic::Origin;
use crate::shop::command::Command;
use crate::shop::footprint::{Footprint, list, text};
use crate::shop::searches::observation::Observation;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;

/// A command that could be read, with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnvelope {
    /// The place that it was read from; gives its place in the epoch.
    pub origin: Origin,
    /// Its id.
    pub command_id: SmolStr,
    /// The hash that distinguishes it from another command under the same id.
    pub fingerprint: u128,
    /// The command.
    pub command: Command,
}

/// An observation that could be read, with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationEnvelope {
    /// The place that it was read from.
    pub origin: Origin,
    /// The observation.
    pub observation: Observation,
}

/// Why a record is a dead letter. The texts are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterCode {
    /// The data is not of its type's shape, or the record is no CloudEvent.
    Unreadable,
    /// No command or observation of this topic has that type.
    UnknownType,
    /// There is no key, or it is not the id in the data.
    WrongKey,
    /// The value is over 1 MiB.
    TooLarge,
    /// The id is not 1 to 255 visible ASCII characters.
    BadCommandId,
}

impl DeadLetterCode {
    /// Every code.
    pub const ALL: [DeadLetterCode; 5] = [
        DeadLetterCode::Unreadable,
        DeadLetterCode::UnknownType,
        DeadLetterCode::WrongKey,
        DeadLetterCode::TooLarge,
        DeadLetterCode::BadCommandId,
    ];

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<DeadLetterCode> {
        DeadLetterCode::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The code as outsiders see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeadLetterCode::Unreadable => "unreadable",
            DeadLetterCode::UnknownType => "unknown_type",
            DeadLetterCode::WrongKey => "wrong_key",
            DeadLetterCode::TooLarge => "too_large",
            DeadLetterCode::BadCommandId => "bad_command_id",
        }
    }
}

/// A record as it was in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawRecord {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order; names may repeat.
    pub headers: Vec<(SmolStr, Option<Vec<u8>>)>,
    /// When it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetter {
    /// Its place in the log.
    pub origin: Origin,
    /// The fault.
    pub code: DeadLetterCode,
    /// For people: what is wrong.
    pub detail: String,
    /// The record. A copy of its own, since the log may be deleted before anybody looks.
    pub record: Arc<RawRecord>,
}

/// The result of reading a record of an input topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A command.
    Command(Box<CommandEnvelope>),
    /// An observation.
    Observation(Box<ObservationEnvelope>),
    /// A record that could not be read.
    Dead(DeadLetter),
}

impl Input {
    /// The place that it was read from.
    pub fn origin(&self) -> Origin {
        match self {
            Input::Command(envelope) => envelope.origin,
            Input::Observation(sighting) => sighting.origin,
            Input::Dead(letter) => letter.origin,
        }
    }
}

impl Footprint for RawRecord {
    fn heap_bytes(&self) -> usize {
        let RawRecord { key, value, headers, timestamp_ms: _ } = self;
        let optional = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        optional(key) + optional(value) + list(headers, |(name, value)| text(name) + optional(value))
    }
}

impl Footprint for DeadLetter {
    fn heap_bytes(&self) -> usize {
        self.detail.len() + self.record.bytes()
    }
}
