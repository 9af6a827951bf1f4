//! What the rest of the process tells this room about itself, for `/health/ready`, `/metrics` and `/status`.

use dataflows::epoch::{Cut, Epoch};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Figures that this room cannot know by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Where the log's partitions end now.
    pub ends: Cut,
    /// The bytes that the log takes.
    pub log_bytes: u64,
    /// The last epoch that the log held when the node started.
    pub replay_to: Option<Epoch>,
    /// Where Kafka clients connect.
    pub kafka: Option<String>,
    /// Why no epoch can be closed now, so that what is sent is not decided.
    pub stalled: Option<String>,
    /// Which of [`SINKS`] stand still while the node goes on.
    pub standstills: Vec<Standstill>,
    /// Up to where outputs may be deleted; none if nobody deletes them here.
    pub outputs_floor: Option<OutputsFloor>,
    /// Further figures for `/metrics` and `/status`.
    pub gauges: Vec<Gauge>,
}

/// What follows the core, by name: each can stand still while the node goes on.
pub const SINKS: [&str; 6] = ["checkpoints", "dead_letters", "export", "outputs", "retention", "search"];

/// A sink that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// One of [`SINKS`].
    pub sink: &'static str,
    /// Why, for people.
    pub why: String,
    /// For how long the log has had to be kept because of it; none if the log does not wait for it.
    pub holds_log: Option<Duration>,
}

/// Up to where outputs may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OutputsFloor {
    /// The last epoch of which they may.
    pub epoch: Epoch,
    /// Who holds those of the next one.
    pub held_by: &'static str,
}

/// A further figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Its name: `checkpoint_age_seconds`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// How much.
    pub value: f64,
}

/// Asks for the figures; quick, and callable from any thread.
pub type VitalsSource = Arc<dyn Fn() -> Vitals + Send + Sync>;

impl Vitals {
    /// The sink that has held the log for longest, if that is longer than `longest`.
    pub fn holding(&self, longest: Duration) -> Option<(&Standstill, Duration)> {
        let held = self.standstills.iter().filter_map(|standstill| Some((standstill, standstill.holds_log?)));
        held.filter(|(_, lasts)| *lasts >= longest).max_by_key(|(_, lasts)| *lasts)
    }

    /// How many records of command topics are beyond a cut. The topic of the epochs is in no cut.
    pub fn lag(&self, cut: &Cut) -> u64 {
        cut.lag_to(&self.ends.clone().without_epochs())
    }
}
