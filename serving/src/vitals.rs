//! What the rest of the process tells this room about itself, for `/health/ready`, `/metrics` and `/status`.

use dataflows::epoch::{Cut, Epoch};
use serde::Serialize;
use std::sync::Arc;

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
    /// What stands still while the node goes on, by its name, and why.
    pub standstills: Vec<(&'static str, String)>,
    /// Up to where outputs may be deleted; none if nobody deletes them here.
    pub outputs_floor: Option<OutputsFloor>,
    /// Further figures for `/metrics` and `/status`.
    pub gauges: Vec<Gauge>,
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
    /// How many records of command topics are beyond a cut. The topic of the epochs is in no cut.
    pub fn lag(&self, cut: &Cut) -> u64 {
        cut.lag_to(&self.ends.clone().without_epochs())
    }
}
