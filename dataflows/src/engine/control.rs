//! What workers and the one who puts epochs together know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// What workers and the one who puts epochs together know of each other.
#[derive(Debug, Default)]
pub struct EngineControl {
    /// The last epoch that all sinks have.
    pub applied: AtomicU64,
    /// Whether to stop.
    pub stopping: AtomicBool,
    /// The bytes of changes that have left the dataflow and that not all sinks have.
    pub changes_bytes: AtomicUsize,
}
