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

/// The time that the decisions of an epoch took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochTime {
    /// The epoch.
    pub epoch: Epoch,
    /// The number of its commands.
    pub commands: u64,
    /// All of it.
    pub took: Duration,
    /// The command that took the longest.
    pub slowest: Option<CommandTime>,
}

/// The time that the decision of a command took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTime {
    /// The place that the command was read from.
    pub origin: Origin,
    /// Its type.
    pub command_type: CommandType,
    /// The time.
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
