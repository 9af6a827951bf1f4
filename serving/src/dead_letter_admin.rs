//! The node's dead letters as an operator sees them. Not for how they are kept.

use dataflows::contract::topic::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LetterJson {
    /// Its place in the log.
    pub origin: Origin,
    /// The code of what is wrong with it.
    pub code: &'static str,
    /// For people: what is wrong.
    pub detail: String,
    /// The epoch that it came with.
    pub epoch: u64,
    /// The epoch's time.
    pub at: String,
    /// `open`, `redriven` or `discarded`.
    pub state: &'static str,
    /// Its new place since it was published again.
    pub redriven_to: Option<Origin>,
    /// The record itself; only of a single letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordJson>,
}

/// A record as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordJson {
    /// The time at which it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<BytesJson>,
    /// The value.
    pub value: Option<BytesJson>,
    /// The headers, in order; names may repeat.
    pub headers: Vec<(String, Option<BytesJson>)>,
}

/// Bytes: a text where they are one, else `{"base64": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BytesJson {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64 {
        /// In base64 with padding.
        base64: String,
    },
}

/// Changes to a letter before it is published again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EditJson {
    /// Another key.
    pub key: Option<BytesJson>,
    /// Another value.
    pub value: Option<BytesJson>,
    /// Headers that replace those of their name, or are added.
    pub headers: BTreeMap<String, BytesJson>,
}

/// The filter of a list of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterQuery {
    /// Only those that are still open.
    pub is_open: bool,
    /// Only those after this place.
    pub after: Option<Origin>,
    /// At most so many.
    pub count_max: usize,
}

/// The reason why a request about letters failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterError {
    /// There is no such letter, or its bytes are gone.
    NotThere,
    /// The request cannot be meant so.
    Invalid(String),
    /// It cannot be done now.
    Unavailable(String),
}

/// The administration of dead letters. Its functions may block.
pub trait DeadLetterAdmin: Send + Sync {
    /// Some of them, by origin.
    fn list(&self, wanted: LetterQuery) -> Result<Vec<LetterJson>, LetterError>;

    /// One, with its record.
    fn show(&self, origin: Origin) -> Result<LetterJson, LetterError>;

    /// Publishes one again.
    fn redrive(&self, origin: Origin, edit: EditJson) -> Result<LetterJson, LetterError>;

    /// Throws one away.
    fn discard(&self, origin: Origin) -> Result<LetterJson, LetterError>;
}

/// For a shop that keeps none.
pub struct NoLetters;

impl DeadLetterAdmin for NoLetters {
    fn list(&self, _: LetterQuery) -> Result<Vec<LetterJson>, LetterError> {
        Ok(Vec::new())
    }

    fn show(&self, _: Origin) -> Result<LetterJson, LetterError> {
        Err(LetterError::NotThere)
    }

    fn redrive(&self, _: Origin, _: EditJson) -> Result<LetterJson, LetterError> {
        Err(LetterError::NotThere)
    }

    fn discard(&self, _: Origin) -> Result<LetterJson, LetterError> {
        Err(LetterError::NotThere)
    }
}
