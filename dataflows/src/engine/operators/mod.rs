//! The operators of our own: where the way of differential (an index of everything) would cost more than the answer.

mod decide;
mod leave;
mod local;
mod share;
mod tally;
mod update;

pub use decide::{DeciderInput, decide};
pub use leave::{Message, emit_shards};
pub use local::InProcess;
pub use share::WorkerKeys;
pub use tally::{Sum, SumChange, SumUpdate, sum_by_key};
pub use update::{CoreUpdate, ObservationInput, route};
