//! The status of the rest of the process, for `/health/ready`, `/metrics` and `/status`.

use dataflows::contract::epoch::{Cut, Epoch};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Figures that this room cannot know by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeStatus {
    /// The ends of the log's partitions now.
    pub ends: Cut,
    /// The bytes that the log takes.
    pub log_bytes: u64,
    /// The last epoch that the log held when the node started.
    pub replay_to: Option<Epoch>,
    /// The address that Kafka clients connect to.
    pub kafka: Option<String>,
    /// The reason why no epoch can be closed now, so that what is sent is not decided.
    pub stalled: Option<String>,
    /// The [`SINKS`] that are stalled while the node keeps running.
    pub standstills: Vec<Standstill>,
    /// The epoch up to which outputs may be deleted; none if nothing deletes them here.
    pub outputs_floor: Option<OutputsFloor>,
    /// Further figures for `/metrics` and `/status`.
    pub gauges: Vec<Gauge>,
    /// The times of the stages of an epoch.
    pub stages: Vec<Histogram>,
}

/// The times of a stage, counted in buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    stage: &'static str,
    counts: [u64; STAGE_BUCKETS_US.len()],
    beyond: u64,
    sum: Duration,
}

/// The ends of the buckets of a stage's times.
const STAGE_BUCKETS_US: [u64; 10] = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000];

impl Histogram {
    /// Of a stage, without any time yet.
    pub fn new(stage: &'static str) -> Histogram {
        Histogram { stage, ..Histogram::default() }
    }

    /// Counts a time.
    pub fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum += took;
        match self.counts.get_mut(STAGE_BUCKETS_US.partition_point(|end| *end < us)) {
            Some(count) => *count += 1,
            None => self.beyond += 1,
        }
    }

    /// The stage.
    pub const fn stage(&self) -> &'static str {
        self.stage
    }

    /// The end of each bucket, in seconds, and the number that took no longer.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let ends = STAGE_BUCKETS_US.iter().map(|end| *end as f64 / 1e6);
        ends.zip(&self.counts).scan(0, |below, (end, count)| {
            *below += count;
            Some((end, *below))
        })
    }

    /// The number of them.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }

    /// The sum of their times.
    pub const fn sum(&self) -> Duration {
        self.sum
    }
}

/// The parts that follow the core, by name: each can be stalled while the node keeps running.
pub const SINKS: [&str; 6] = ["checkpoints", "dead_letters", "export", "outputs", "retention", "search"];

/// A stalled sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// One of [`SINKS`].
    pub sink: &'static str,
    /// Why, for people.
    pub why: String,
    /// For how long the log has had to be kept because of it; none if the log does not wait for it.
    pub holds_log: Option<Duration>,
}

/// The epoch up to which outputs may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OutputsFloor {
    /// The last epoch of which they may.
    pub epoch: Epoch,
    /// The one that holds those of the next epoch.
    pub held_by: &'static str,
}

/// A further figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Its name: `checkpoint_age_seconds`.
    pub name: &'static str,
    /// Its meaning.
    pub help: &'static str,
    /// Its value.
    pub value: f64,
}

/// Asks for the figures; quick, and callable from any thread.
pub type VitalsSource = Arc<dyn Fn() -> NodeStatus + Send + Sync>;

impl NodeStatus {
    /// The sink that has held the log for longest, if that is longer than `longest`.
    pub fn holding(&self, longest: Duration) -> Option<(&Standstill, Duration)> {
        let held = self.standstills.iter().filter_map(|standstill| Some((standstill, standstill.holds_log?)));
        held.filter(|(_, lasts)| *lasts >= longest).max_by_key(|(_, lasts)| *lasts)
    }

    /// The number of records of command topics beyond a cut. The topic of the epochs is in no cut.
    pub fn lag(&self, cut: &Cut) -> u64 {
        cut.lag_to(&self.ends.clone().without_epochs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_its_bucket_and_all_longer_ones() {
        let mut times = Histogram::new("decide");
        [0, 100, 101, 2_000_000, 20_000_000].into_iter().for_each(|us| times.add(Duration::from_micros(us)));
        let counts: Vec<u64> = times.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!((times.count(), times.sum()), (5, Duration::from_micros(22_000_201)));
    }
}
