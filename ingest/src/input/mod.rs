//! The core's inputs: commands are appended, epochs are cut, and workers read both in strides of whole epochs.
//!
//! ```text
//! command_log ──▶ codec ──▶ partition ──▶ log ──▶ source ──▶ codec ──▶ strides of whole epochs
//!                                        ▲   │
//!                                        └ sequencer: cuts epochs, and follows them
//! ```
//!
//! [`sealed_epochs::SealedEpochs`] is read once at start: what is closed already, checked; the sequencer and every worker's source begin
//! from it.

mod cloud_event;
pub mod codec;
pub mod command_log;
pub mod partition;
pub mod sealed_epochs;
pub mod sequencer;
pub mod source;
mod structured_event;
