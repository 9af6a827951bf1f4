//! The durable state of a journal, and what its parts share.

use super::commit::Segment;
use super::compacted_prefix::{self, CompactedPrefix};
use super::config::JournalConfig;
use super::index::PositionIndex;
use super::log_start::ObsoleteFiles;
use super::meta::PartitionLayout;
use crate::log::Watchers;
use crate::log::storage::Storage;
use std::sync::{Arc, Mutex};

/// The durable state.
pub struct JournalState {
    pub position: u64,
    pub ends: Vec<u64>,
    pub index: PositionIndex,
    /// Each is held open.
    pub segments: Vec<Segment>,
    /// The records left of compacted topics before the front, if it has moved.
    pub base: Option<Arc<CompactedPrefix>>,
}

impl JournalState {
    /// Returns true if what is left of that partition before the front is in the base.
    pub fn is_in_base(&self, layout: &PartitionLayout, slot: usize) -> bool {
        self.base.is_some() && compacted_prefix::is_compacted(layout.at(slot).topic)
    }
}

/// The state that the parts of one journal share.
pub struct JournalShared {
    pub state: Mutex<JournalState>,
    pub layout: PartitionLayout,
    pub config: JournalConfig,
    pub storage: Arc<dyn Storage>,
    pub watchers: Watchers,
    /// Locked by the deletion that is under way.
    pub leftovers: Mutex<ObsoleteFiles>,
}
