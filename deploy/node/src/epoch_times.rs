//! The times of deciding: the clock that the engine is given, its figures for `/metrics`, and a line in the log for an
//! epoch that took long.

use dataflows::ports::{EpochTime, Stopwatch};
use serving::Histogram;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The times of the epochs that this process decided.
pub struct EpochTimes {
    since: Instant,
    /// An epoch that takes longer is logged.
    slow: Duration,
    decided: Mutex<Histogram>,
}

impl EpochTimes {
    /// None yet.
    pub fn new(slow: Duration) -> EpochTimes {
        EpochTimes { since: Instant::now(), slow, decided: Mutex::new(Histogram::new("decide")) }
    }

    /// The times so far.
    pub fn decided(&self) -> Histogram {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stopwatch for EpochTimes {
    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    fn decided(&self, time: &EpochTime) {
        let EpochTime { epoch, commands, took, slowest } = time;
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).add(*took);
        if *took > self.slow {
            let origin = slowest.as_ref().map(|slowest| slowest.origin);
            let command_type = slowest.as_ref().map(|slowest| slowest.command_type.name());
            let of_it = slowest.as_ref().map(|slowest| slowest.took);
            tracing::warn!(
                epoch = epoch.0,
                commands,
                ?took,
                slowest = command_type,
                slowest_took = ?of_it,
                slowest_topic = origin.map(|origin| origin.topic.name()),
                slowest_partition = origin.map(|origin| origin.partition),
                slowest_offset = origin.map(|origin| origin.offset),
                "an epoch took long to decide"
            );
        }
    }
}
