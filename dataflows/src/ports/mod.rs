//! The ports: what the core takes in and what others ask of the log, as traits, so that the rooms meet here and only
//! the root knows them all. Not for what leaves the core: see `contract::changes`.

mod checkpoints;
mod log;
pub mod product_search;
mod sink;
mod stopwatch;

pub use checkpoints::{SnapshotExpired, StateReader, StateSource};
pub use log::{AppendCallback, AppendError, CommandLog, Publication, RecordType, Source, SourcePoll, Stride, Waker};
pub use sink::Sink;
pub use stopwatch::{CommandTime, EpochTime, NoStopwatch, Stopwatch};
