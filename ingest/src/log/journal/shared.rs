//! What is durable of a journal, and what its parts share.

use super::base::{self, Base};
use super::commit::Segment;
use super::config::Config;
use super::front::Leftovers;
use super::index::Index;
use super::meta::Layout;
use crate::log::Watchers;
use crate::log::storage::Storage;
use std::sync::{Arc, Mutex};

/// What is durable.
pub struct State {
    pub position: u64,
    pub ends: Vec<u64>,
    pub index: Index,
    /// Each is held open.
    pub segments: Vec<Segment>,
    /// What is left of compacted topics before the front, if it has moved.
    pub base: Option<Arc<Base>>,
}

impl State {
    /// Whether what is left of that partition before the front is in the base.
    pub fn is_in_base(&self, layout: &Layout, slot: usize) -> bool {
        self.base.is_some() && base::is_compacted(layout.at(slot).topic)
    }
}

/// What the parts of one journal share.
pub struct Shared {
    pub state: Mutex<State>,
    pub layout: Layout,
    pub config: Config,
    pub storage: Arc<dyn Storage>,
    pub watchers: Watchers,
    /// Locked by who deletes.
    pub leftovers: Mutex<Leftovers>,
}
