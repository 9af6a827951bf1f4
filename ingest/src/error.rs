//! The errors of this crate. Not for records that cannot be read: those are dead letters.

use dataflows::contract::epoch::Epoch;
use dataflows::contract::topic::{Origin, TopicPartition};

/// The reason why this room cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{doing} {file}")]
    Io {
        /// The action that failed.
        doing: &'static str,
        /// To which file.
        file: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another process has the folder open.
    #[error("{folder} is in use by another process")]
    Locked {
        /// The folder.
        folder: String,
    },
    /// A file is not what was written.
    #[error("{file} is damaged at byte {offset}: {why}")]
    Damaged {
        /// The file.
        file: String,
        /// The place within it.
        offset: u64,
        /// The fault.
        why: String,
    },
    /// The folder was made with other topics or partition counts.
    #[error(
        "the log was made with {found:?} partitions for {topic}, and {asked:?} are configured; the number is fixed at creation"
    )]
    Partitions {
        /// The topic's name.
        topic: String,
        /// The log's count; none if it lacks the topic.
        found: Option<u32>,
        /// The configured count; none if the topic is not.
        asked: Option<u32>,
    },
    /// The topics of a cluster are not those of this log.
    #[error("the topics do not fit: {0}")]
    Topics(String),
    /// A limit in the config cannot be kept.
    #[error("{name} is out of range: {why}")]
    Config {
        /// The limit.
        name: &'static str,
        /// The allowed values.
        why: String,
    },
    /// The log has no such partition.
    #[error("the log has no partition {0}")]
    NoPartition(TopicPartition),
    /// A reader or a floor asked for a place that the log does not have yet.
    #[error("{at} has no offset {asked}: its end is {end}")]
    OutOfRange {
        /// The partition.
        at: TopicPartition,
        /// The offset asked for.
        asked: u64,
        /// Its end.
        end: u64,
    },
    /// A reader asked for what was deleted from the log's front.
    #[error("the log no longer reaches back to offset {asked} of {at}: it starts at {start}")]
    Deleted {
        /// The partition.
        at: TopicPartition,
        /// The offset asked for.
        asked: u64,
        /// Its first offset that can still be read.
        start: u64,
    },
    /// An epoch's records are no longer in the log.
    #[error("log_truncated: epoch {epoch} ends {at} at {cut}, and the log ends it at {end}")]
    LogTruncated {
        /// The last epoch.
        epoch: Epoch,
        /// The partition.
        at: TopicPartition,
        /// The offset where the epoch ends it.
        cut: u64,
        /// The offset where the log ends it.
        end: u64,
    },
    /// An epoch was decided by code that this build does not have.
    #[error("epoch {epoch} was decided by rules {found}, and this build has rules {known}")]
    Rules {
        /// The epoch.
        epoch: Epoch,
        /// Its rules.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// There is no such dead letter, or its bytes are gone.
    #[error("there is no dead letter {0}, or it was discarded")]
    NoLetter(Origin),
    /// The output topics do not have what comes next.
    #[error("the output topics cannot be followed: {0}")]
    Outputs(String),
    /// The log cannot be reached now; it may be later.
    #[error("the log is not available: {0}")]
    Unavailable(String),
}

impl Error {
    /// Returns true if trying again cannot help.
    pub const fn is_fatal(&self) -> bool {
        match self {
            Error::Io { .. } | Error::NoLetter(_) | Error::Unavailable(_) => false,
            Error::Locked { .. }
            | Error::Damaged { .. }
            | Error::Partitions { .. }
            | Error::Topics(_)
            | Error::Config { .. }
            | Error::NoPartition(_)
            | Error::OutOfRange { .. }
            | Error::Deleted { .. }
            | Error::LogTruncated { .. }
            | Error::Outputs(_)
            | Error::Rules { .. } => true,
        }
    }

    pub(crate) fn io(doing: &'static str, file: &str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { doing, file: file.to_owned(), source }
    }
}

/// Called once, from any thread, with an error that makes it impossible to continue: the process must stop before it gives a wrong
/// answer.
pub type Fatal = std::sync::Arc<dyn Fn(Error) + Send + Sync>;
