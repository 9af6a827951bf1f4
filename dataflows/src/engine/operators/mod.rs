//! The operators of our own: where the way of differential (an index of everything) would cost more than the answer.

mod decide;
mod leave;
mod local;
mod share;
mod tally;
mod update;

pub use decide::{Fed, decide};
pub use leave::{Message, leave};
pub use local::Local;
pub use share::Share;
pub use tally::{Sum, Summand, Tallied, tally};
pub use update::{Decided, Seen, route};
