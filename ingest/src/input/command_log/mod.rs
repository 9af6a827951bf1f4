//! The log for publishers of commands: encodes them, places them by key, and refuses what would wait too long. Not
//! for deciding, and not for checking data.

use crate::Clock;
use crate::input::codec;
use crate::input::partition::partition_of;
use crate::log::Log;
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::{AppendCallback, AppendError, CommandLog, Publication};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandLogConfig {
    /// Commands that may wait to become durable; an append beyond that is `Overloaded`, unless nothing waits.
    pub commands_in_flight_max: usize,
}

impl Default for CommandLogConfig {
    fn default() -> Self {
        CommandLogConfig { commands_in_flight_max: 50_000 }
    }
}

/// Publishes commands to a log.
pub struct LogCommands {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    in_flight: Arc<AtomicUsize>,
    config: CommandLogConfig,
}

impl LogCommands {
    /// The clock gives the records' own timestamps, which decide nothing.
    pub fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>, config: CommandLogConfig) -> LogCommands {
        LogCommands { log, clock, in_flight: Arc::default(), config }
    }

    /// The number of commands that wait to become durable.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl CommandLog for LogCommands {
    fn append(&self, commands: Vec<Publication>, done: AppendCallback) {
        let count = commands.len();
        let before = self.in_flight.fetch_add(count, Ordering::Relaxed);
        if before > 0 && before + count > self.config.commands_in_flight_max {
            self.in_flight.fetch_sub(count, Ordering::Relaxed);
            return done(Err(AppendError::Overloaded));
        }
        let timestamp_ms = self.clock.now().micros().div_euclid(1000);
        let place = |command: Publication| {
            let partition = partition_of(Some(command.key.as_bytes()), self.log.partitions().count(command.topic));
            (TopicPartition::new(command.topic, partition), codec::encode(command, timestamp_ms))
        };
        let records = commands.into_iter().map(place).collect();
        let in_flight = Arc::clone(&self.in_flight);
        let landed: AppendCallback = Box::new(move |result| {
            in_flight.fetch_sub(count, Ordering::Relaxed);
            done(result);
        });
        self.log.append(records, landed);
    }
}

#[cfg(test)]
mod tests;
