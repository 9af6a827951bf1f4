//! The state that the parts of one log share.

use super::client::Names;
use super::config::KafkaConfig;
use super::offsets::OffsetClient;
use crate::Error;
use crate::log::{Partitions, Watchers, lock};
use dataflows::contract::epoch::Cut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The state that the parts of one log share.
pub struct KafkaShared {
    pub config: KafkaConfig,
    pub names: Names,
    pub partitions: Partitions,
    pub watchers: Watchers,
    pub places: OffsetClient,
    /// The ends as they were last seen.
    pub seen: Mutex<Cut>,
    pub sizes: Arc<Sizes>,
}

/// The size of records, as the readers of this log see them.
#[derive(Debug, Default)]
pub struct Sizes(AtomicU64);

impl Sizes {
    /// Takes in that so many records with so many bytes were read: larger ones count at once, smaller ones by and by.
    pub fn saw(&self, records: usize, bytes: usize) {
        if let Some(size) = bytes.checked_div(records) {
            let before = self.0.load(Ordering::Relaxed);
            self.0.store((size as u64).max(before - before / 16), Ordering::Relaxed);
        }
    }

    /// The bytes of a record; at least 1.
    pub fn record_bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed).max(1)
    }
}

impl KafkaShared {
    /// The ends of now, as [`Log::ends`] has them.
    pub fn ends(&self) -> Result<Cut, Error> {
        let ends = self.places.ends(&self.partitions)?;
        lock(&self.seen).clone_from(&ends);
        Ok(ends)
    }
}
