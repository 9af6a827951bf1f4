//! A node's dead letters and the log that they go back to, for its HTTP side.

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataflows::contract::input::RawRecord;
use dataflows::contract::topic::Origin;
use ingest::dead_letters::{self, DeadLetters, Edit, Letter, LetterState, Summary};
use ingest::log::Log;
use serving::{BytesJson, DeadLetterAdmin, EditJson, LetterError, LetterJson, LetterQuery, RecordJson};
use std::sync::Arc;

/// A node's dead letters and the log that they go back to, for its HTTP side.
#[derive(Clone)]
pub struct OperatorLetters {
    /// The letters.
    pub letters: DeadLetters,
    /// The log.
    pub log: Arc<dyn Log>,
}

impl DeadLetterAdmin for OperatorLetters {
    fn list(&self, wanted: LetterQuery) -> Result<Vec<LetterJson>, LetterError> {
        let LetterQuery { is_open, after, count_max } = wanted;
        let wanted = if is_open { dead_letters::LetterFilter::Open } else { dead_letters::LetterFilter::All };
        let found = self.letters.list(after, wanted, count_max).map_err(error_of)?;
        Ok(found.into_iter().map(|summary| json_of(summary, None)).collect())
    }

    fn show(&self, origin: Origin) -> Result<LetterJson, LetterError> {
        let Letter { summary, record } = self.letters.letter(origin).map_err(error_of)?;
        Ok(json_of(summary, Some(&record)))
    }

    fn redrive(&self, origin: Origin, edit: EditJson) -> Result<LetterJson, LetterError> {
        let edit = edit_of(edit).map_err(|error| LetterError::Invalid(error.to_string()))?;
        let summary = self.letters.redrive(origin, edit, &*self.log).map_err(error_of)?;
        Ok(json_of(summary, None))
    }

    fn discard(&self, origin: Origin) -> Result<LetterJson, LetterError> {
        Ok(json_of(self.letters.discard(origin).map_err(error_of)?, None))
    }
}

fn error_of(error: ingest::Error) -> LetterError {
    match error {
        ingest::Error::NoLetter(_) => LetterError::NotThere,
        other => LetterError::Unavailable(format!("{:#}", anyhow!(other))),
    }
}

fn json_of(summary: Summary, record: Option<&RawRecord>) -> LetterJson {
    let Summary { origin, epoch, at, code, detail, state } = summary;
    let (state, redriven_to) = match state {
        LetterState::Open => ("open", None),
        LetterState::Redriven(to) => ("redriven", Some(to)),
        LetterState::Discarded => ("discarded", None),
    };
    let record = record.map(|RawRecord { key, value, headers, timestamp_ms }| RecordJson {
        timestamp_ms: *timestamp_ms,
        key: key.as_deref().map(text_of),
        value: value.as_deref().map(text_of),
        headers: headers.iter().map(|(name, value)| (name.to_string(), value.as_deref().map(text_of))).collect(),
    });
    let (epoch, at, code) = (epoch.0, at.to_string(), code.as_str());
    LetterJson { origin, code, detail, epoch, at, state, redriven_to, record }
}

/// Bytes as JSON shows them.
pub fn text_of(bytes: &[u8]) -> BytesJson {
    match std::str::from_utf8(bytes) {
        Ok(text) => BytesJson::Text(text.to_owned()),
        Err(_) => BytesJson::Base64 { base64: STANDARD.encode(bytes) },
    }
}

/// The bytes that JSON shows.
pub fn bytes_of(text: BytesJson) -> Result<Vec<u8>, base64::DecodeError> {
    match text {
        BytesJson::Text(text) => Ok(text.into_bytes()),
        BytesJson::Base64 { base64 } => STANDARD.decode(base64),
    }
}

fn edit_of(edit: EditJson) -> Result<Edit, base64::DecodeError> {
    let EditJson { key, value, headers } = edit;
    let headers = headers.into_iter().map(|(name, value)| Ok((name.into(), bytes_of(value)?)));
    Ok(Edit {
        key: key.map(bytes_of).transpose()?,
        value: value.map(bytes_of).transpose()?,
        headers: headers.collect::<Result<_, _>>()?,
    })
}
