//! Measures how long deciding takes.

use crate::contract::epoch::Epoch;
use crate::contract::topic::Origin;
use crate::shop::command::CommandType;
use std::time::Duration;

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
pub struct NoStopwatch;

impl Stopwatch for NoStopwatch {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn decided(&self, _: &EpochTime) {}
}
