//! The limits of the engine.

/// The engine's limits. None of them can change an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The number of epochs that may be on their way through the dataflow.
    pub epochs_in_flight: usize,
    /// The number of inputs of a worker that may be on their way.
    pub inputs_in_flight: usize,
    /// The number of epochs that a worker feeds at once.
    pub stride_epochs_max: usize,
    /// The number of inputs that it feeds at once, about.
    pub stride_inputs_max: usize,
    /// The bytes of inputs of a worker that may be on their way, about.
    pub bytes_in_flight: usize,
    /// The bytes of inputs that a worker feeds at once, about, unless one epoch has more.
    pub stride_bytes_max: usize,
    /// The bytes of changes that came of them that may wait for the sinks before more is fed.
    pub changes_bytes_in_flight: usize,
    /// The number of shards that may wait to be put together.
    pub shards_waiting_max: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            epochs_in_flight: 1_024,
            inputs_in_flight: 8_192,
            stride_epochs_max: 256,
            stride_inputs_max: 1_024,
            bytes_in_flight: 32 << 20,
            stride_bytes_max: 8 << 20,
            changes_bytes_in_flight: 64 << 20,
            shards_waiting_max: 4_096,
        }
    }
}
