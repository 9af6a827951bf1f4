//! The values that move between the operators, and the worker that has each.

use crate::contract::changes::ViewChange;
use crate::contract::epoch::EpochRecord;
use crate::contract::event::Event;
use crate::contract::input::{DeadLetter, ObservationEnvelope};
use crate::contract::time::Timestamp;
use crate::shop::dead_letters::LetterQuota;
use crate::views::invariants::Residual;
use crate::views::searches::SearchMemoChange;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// An update that moves between the operators.
#[derive(Clone, Debug)]
pub enum CoreUpdate {
    /// An epoch was decided; the first such means that the shop is open.
    Epoch {
        /// Its record.
        record: Arc<EpochRecord>,
        /// True if the decider began with it.
        first: bool,
    },
    /// A row changed.
    Row(ViewChange),
    /// A fact was decided.
    Event(Arc<Event>),
    /// A record could not be read.
    Dead(DeadLetter),
    /// Records could not be read: what that changes in their quota.
    Quota(LetterQuota),
    /// A sum of a check changed.
    Imbalance(Residual),
    /// The memory of a search changed.
    SearchMemo(SearchMemoChange),
}

impl CoreUpdate {
    /// The hash that picks the next worker: everything under one key stays together.
    pub fn key_hash(&self) -> u64 {
        match self {
            CoreUpdate::Epoch { .. } | CoreUpdate::Quota(_) => 0,
            CoreUpdate::Row(change) => key_hash(&change.key()),
            CoreUpdate::Event(event) => key_hash(event.fact.key()),
            CoreUpdate::Dead(letter) => letter.origin.offset,
            CoreUpdate::Imbalance(imbalance) => key_hash(imbalance.check.name()),
            CoreUpdate::SearchMemo((search_id, _)) => key_hash(search_id),
        }
    }
}

/// The observations that the workers feed. They skip the decider: nothing of them is decided.
#[derive(Clone, Debug)]
pub enum ObservationInput {
    /// A fact from outside.
    Sighting {
        /// The observation, and the place that it was read from.
        sighting: Box<ObservationEnvelope>,
        /// The time of its epoch.
        now: Timestamp,
    },
    /// A minute begins with an epoch. Every worker sends it to itself.
    Minute {
        /// The minute since 1970.
        minute: i64,
        /// The worker.
        worker: usize,
    },
}

impl ObservationInput {
    /// The hash that picks the next worker: everything about one search stays together.
    pub fn key_hash(&self) -> u64 {
        match self {
            ObservationInput::Sighting { sighting, now: _ } => key_hash(sighting.observation.search_id()),
            ObservationInput::Minute { minute: _, worker } => *worker as u64,
        }
    }
}

/// A fixed hash: which worker has a key must not differ between workers or runs.
pub fn key_hash(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}
