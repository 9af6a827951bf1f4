//! The ports: what the core takes in and what others ask of the log, as traits, so that the rooms meet here and only
//! the root knows them all. Not for what leaves the core: see `contract::changes`.

mod checkpoints;
pub mod finder;
mod log;
mod sink;
mod stopwatch;

pub use checkpoints::{Forgotten, Held, Holder};
pub use log::{AppendError, Appended, CommandLog, Polled, Publication, RecordType, Source, Stride, Waker};
pub use sink::Sink;
pub use stopwatch::{CommandTime, EpochTime, Stopwatch, Unmeasured};
