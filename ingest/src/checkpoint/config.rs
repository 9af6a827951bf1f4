//! When checkpoints are taken, and what is kept of them and of the log.

use serde::{Deserialize, Serialize};

/// When checkpoints are taken, and what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// One is taken after that time, if anything was decided since the last.
    pub interval_s: u64,
    /// And once the log has grown by that much.
    pub log_bytes: u64,
    /// Checkpoints kept, at least two.
    pub kept: usize,
    /// The part of the log that is kept.
    pub log_kept: LogRetention,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig { interval_s: 60, log_bytes: 1 << 30, kept: 2, log_kept: LogRetention::Needed }
    }
}

/// The part of the log that is kept beside the checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogRetention {
    /// The part that the oldest kept checkpoint needs.
    #[default]
    Needed,
    /// Everything.
    All,
}
