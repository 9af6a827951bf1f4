//! The operators of our own: where the way of differential (an index of everything) would cost more than the answer.

mod decide;
mod emit;
mod in_process;
mod sum;
mod update;
mod worker_keys;

pub use decide::{DeciderInput, decide};
pub use emit::{Message, emit_shards};
pub use in_process::InProcess;
pub use sum::{Sum, SumChange, SumUpdate, sum_by_key};
pub use update::{CoreUpdate, ObservationInput, key_hash};
pub use worker_keys::WorkerKeys;
