//! The operators of our own: where the way of differential (an index of everything) would cost more than the answer.

mod decide;
mod leave;
mod local;
mod tally;

pub use decide::{Fed, decide};
pub use leave::{Message, leave};
pub use local::Local;
pub use tally::{Sum, Summand, Tallied, tally};

use crate::changes::AnyChange;
use crate::epoch::EpochRecord;
use crate::event::Event;
use crate::port::DeadLetter;
use crate::rows::Imbalance;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What the decider lets go of.
#[derive(Clone, Debug)]
pub enum Decided {
    /// An epoch was decided; the first such says that the shop is open.
    Epoch {
        /// Its record.
        record: Arc<EpochRecord>,
        /// Whether the decider began with it.
        first: bool,
    },
    /// A row changed.
    Row(AnyChange),
    /// A fact was decided.
    Event(Arc<Event>),
    /// A record could not be read.
    Dead(DeadLetter),
    /// A sum of a check changed.
    Imbalance(Imbalance),
}

impl Decided {
    /// The worker that goes on with it: everything under one key stays together.
    pub fn route(&self) -> u64 {
        match self {
            Decided::Epoch { .. } => 0,
            Decided::Row(change) => route(&change.key()),
            Decided::Event(event) => route(event.fact.key()),
            Decided::Dead(letter) => letter.origin.offset,
            Decided::Imbalance(imbalance) => route(imbalance.check.name()),
        }
    }
}

/// A fixed hash: which worker has a key must not differ between workers or runs.
pub fn route(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}
