//! The log, as the core reads it and as publishers write to it.

use crate::contract::epoch::{Epoch, EpochRecord};
use crate::contract::input::Input;
use crate::contract::topic::{Origin, Topic};
use crate::shop::command::{Command, CommandType};
use crate::shop::searches::observation::{Observation, ObservationType};
use smol_str::SmolStr;
use std::sync::Arc;

/// Whole epochs, as one worker reads them: a stride.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stride {
    /// The epochs that are complete with this stride: consecutive, and after those of the stride before.
    pub epochs: Vec<Arc<EpochRecord>>,
    /// The inputs of this worker's partitions, each with the epoch that covers it.
    pub inputs: Vec<(Epoch, Input)>,
    /// About how many bytes of memory the inputs take.
    pub bytes: usize,
}

/// The answer of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcePoll {
    /// At least one more epoch.
    Stride(Stride),
    /// Nothing now; the waker will be called.
    Pending,
    /// Nothing ever again.
    End,
}

/// Wakes a worker; callable from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// The input of a worker: every sealed epoch, with the records of the partitions that are its share.
///
/// A source never fails: what it cannot read now, it reads later (`Pending`), and what can never be read stops the
/// process before a wrong answer is given.
pub trait Source: Send {
    /// Sets the waker to call when there is more.
    fn wake(&mut self, waker: Waker);

    /// The next epochs, if they are sealed: at most `epochs_max` of them, and no more than about `inputs_max` inputs
    /// and `bytes_max` bytes unless one epoch has more. Does not block.
    fn poll(&mut self, epochs_max: usize, inputs_max: usize, bytes_max: usize) -> SourcePoll;
}

/// The type of a record that we publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// A command.
    Command(CommandType),
    /// An observation.
    Observation(ObservationType),
}

impl RecordType {
    /// Its name, as in `tradewind.<Name>.v1`.
    pub const fn name(self) -> &'static str {
        match self {
            RecordType::Command(command_type) => command_type.name(),
            RecordType::Observation(observation_type) => observation_type.name(),
        }
    }
}

/// A command or an observation on its way to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The topic.
    pub topic: Topic,
    /// The record's key: the id of the aggregate, or of the customer or session observed.
    pub key: SmolStr,
    /// Its id.
    pub command_id: SmolStr,
    /// Its type.
    pub record_type: RecordType,
    /// Its data, as JSON.
    pub data: Vec<u8>,
}

impl Publication {
    /// The publication of `command` under `command_id`.
    pub fn of(command_id: impl Into<SmolStr>, command: &Command) -> Publication {
        Publication {
            topic: command.command_type().topic(),
            key: command.id().clone(),
            command_id: command_id.into(),
            record_type: RecordType::Command(command.command_type()),
            data: command.data(),
        }
    }

    /// The publication of `observation` as the event of that id.
    pub fn observed(event_id: impl Into<SmolStr>, observation: &Observation) -> Publication {
        Publication {
            topic: Topic::Activity,
            key: observation.key().clone(),
            command_id: event_id.into(),
            record_type: RecordType::Observation(observation.observation_type()),
            data: observation.data(),
        }
    }
}

/// Why the log did not take commands. They may be in it all the same: repeating them under the same ids is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log cannot be written now.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// There is no room.
    #[error("there is no room for the log: {0}")]
    Full(String),
    /// Too many appends are waiting.
    #[error("too many appends are waiting")]
    Overloaded,
}

/// Called once with the places of the commands, when they are durable.
pub type AppendCallback = Box<dyn FnOnce(Result<Vec<Origin>, AppendError>) + Send>;

/// The log, for publishers of commands.
pub trait CommandLog: Send + Sync {
    /// Appends the commands in order, and calls `done` when all are durable. Does not block.
    fn append(&self, commands: Vec<Publication>, done: AppendCallback);
}
