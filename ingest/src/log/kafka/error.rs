//! librdkafka's errors, as this room's: brokers that are away make the log unavailable, and may come back. Not for
//! wrong settings: see `client`.

use crate::Error;
use dataflows::ports::AppendError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The log could not be asked.
pub fn unavailable(doing: &str, error: &KafkaError, why: Option<String>) -> Error {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    Error::Unavailable(format!("{doing}: {}{why}", said(error)))
}

/// Returns true if a partition is on its way to another broker, or to its first one, so that asking again soon helps.
pub fn is_moving(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::OffsetNotAvailable
        )
    )
}

/// The log did not take a record.
pub fn refused(error: &KafkaError) -> AppendError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => AppendError::Overloaded,
        _ => AppendError::Unavailable(said(error)),
    }
}

/// The error in librdkafka's own words.
pub fn said(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}
