//! The ports: what the core takes in and what others ask of the log, as traits, so that the rooms meet here and only
//! the root knows them all. Not for what leaves the core: see `changes`.

use crate::base::Table;
use crate::changes::{Changes, Standings};
use crate::command::{Command, CommandType};
use crate::epoch::{Epoch, EpochRecord};
use crate::observation::{Observation, ObservationType};
use crate::topic::{Origin, Topic};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// A command that could be read, with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where it was read; gives its place in the epoch.
    pub origin: Origin,
    /// Its id.
    pub command_id: SmolStr,
    /// What tells it from another command under the same id.
    pub fingerprint: u128,
    /// What is asked.
    pub command: Command,
}

/// An observation that could be read, with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where it was read.
    pub origin: Origin,
    /// What was observed.
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

/// A record as it stood in the log.
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
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong with it.
    pub code: DeadLetterCode,
    /// For people: what is wrong.
    pub detail: String,
    /// What stands there. A copy of its own, since the log may be deleted before anybody looks.
    pub record: Arc<RawRecord>,
}

/// What became of a record of an input topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A command.
    Command(Box<Envelope>),
    /// An observation.
    Observation(Box<Sighting>),
    /// A record that could not be read.
    Dead(DeadLetter),
}

impl Input {
    /// Where it was read.
    pub fn origin(&self) -> Origin {
        match self {
            Input::Command(envelope) => envelope.origin,
            Input::Observation(sighting) => sighting.origin,
            Input::Dead(letter) => letter.origin,
        }
    }
}

/// Whole epochs, as one worker reads them: a stride.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stride {
    /// The epochs that are complete with this stride: consecutive, and after those of the stride before.
    pub epochs: Vec<Arc<EpochRecord>>,
    /// What this worker's partitions hold of them, each with the epoch that covers it.
    pub inputs: Vec<(Epoch, Input)>,
    /// About how many bytes of memory the inputs take.
    pub bytes: usize,
}

/// What a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// At least one more epoch.
    Stride(Stride),
    /// Nothing now; the waker will be called.
    Pending,
    /// Nothing ever again.
    End,
}

/// Wakes a worker; callable from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// What a worker reads: every sealed epoch, with the records of the partitions that are its share.
///
/// A source never fails: what it cannot read now, it reads later (`Pending`), and what can never be read stops the
/// process before a wrong answer is given.
pub trait Source: Send {
    /// Says whom to wake when there is more.
    fn wake(&mut self, waker: Waker);

    /// The next epochs, if they are sealed: at most `epochs_max` of them, and no more than about `inputs_max` inputs and
    /// `bytes_max` bytes unless one epoch has more. Does not block.
    fn poll(&mut self, epochs_max: usize, inputs_max: usize, bytes_max: usize) -> Polled;
}

/// What follows the core: store, index, publisher. Applies whole epochs, in order.
pub trait Sink: Send {
    /// Takes an epoch. A sink that holds it already ignores it.
    fn apply(&mut self, changes: &Arc<Changes>);
}

/// The core's state at one epoch, held readable while it is copied.
pub trait Held: Send {
    /// The epoch.
    fn epoch(&self) -> Epoch;

    /// How every view stands.
    fn standings(&self) -> &Standings;

    /// Appends the next rows of a table in the order of their keys, behind `after`, in the form that is kept: at most
    /// `rows_max`, and no further one once that are `bytes_max` bytes. Says how many, and the key of the last.
    fn rows(
        &self,
        table: Table,
        after: Option<&SmolStr>,
        rows_max: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<SmolStr>), Forgotten>;
}

/// The state was held for too long, and is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("epoch {0} was forgotten while it was read")]
pub struct Forgotten(pub Epoch);

/// Measures how long deciding takes: the core reads no clock, and nothing that it decides depends on this.
pub trait Stopwatch: Send + Sync {
    /// The time since a fixed moment.
    fn elapsed(&self) -> Duration;

    /// Takes in how long an epoch took.
    fn decided(&self, time: &EpochTime);
}

/// How long the decisions of an epoch took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochTime {
    /// The epoch.
    pub epoch: Epoch,
    /// How many commands it had.
    pub commands: u64,
    /// All of it.
    pub took: Duration,
    /// The command that took the longest.
    pub slowest: Option<CommandTime>,
}

/// How long the decision of a command took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTime {
    /// Where the command was read.
    pub origin: Origin,
    /// Its type.
    pub command_type: CommandType,
    /// How long.
    pub took: Duration,
}

/// Measures nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmeasured;

impl Stopwatch for Unmeasured {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn decided(&self, _: &EpochTime) {}
}

/// What holds the core's state.
pub trait Holder: Send + Sync {
    /// Holds the newest epoch; none before there is one.
    fn hold(&self) -> Option<Box<dyn Held>>;
}

/// What a record that we publish is.
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
    /// The record's key: the id of the aggregate, or of who was observed.
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
            key: command.id(),
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
pub type Appended = Box<dyn FnOnce(Result<Vec<Origin>, AppendError>) + Send>;

/// The log, for those who publish commands.
pub trait CommandLog: Send + Sync {
    /// Appends the commands in order, and calls `done` when all are durable. Does not block.
    fn append(&self, commands: Vec<Publication>, done: Appended);
}
