//! The directory of a view's chunks, and the view's sizes.

use std::sync::Arc;

use super::chunk::Chunk;
use super::directory::Directory;

pub(super) type ChunkDirectory<K, R> = Directory<K, Arc<Chunk<K, R>>>;

/// The sizes of a view after the last epoch applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows of the newest epoch.
    pub rows: usize,
    /// Chunks that hold them.
    pub chunks: usize,
    /// Rows kept from before a change, or notes that there was none.
    pub undo_entries: usize,
    /// Their size; more than the readable epochs need until the sweep came by.
    pub undo_bytes: usize,
}
