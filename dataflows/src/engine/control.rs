//! The state that the workers and the assembling thread share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// The state that the workers and the assembling thread share.
#[derive(Debug, Default)]
pub struct EngineControl {
    /// The last epoch that all sinks have.
    pub applied: AtomicU64,
    /// True once the engine is to stop.
    pub stopping: AtomicBool,
    /// The bytes of changes that have left the dataflow and that not all sinks have.
    pub changes_bytes: AtomicUsize,
}
