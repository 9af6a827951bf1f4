//! The data kept beside the rows of an epoch, and their size.

use dataflows::contract::changes::{ViewChanges, ViewDigests};
use dataflows::contract::epoch::EpochRecord;
use std::sync::Arc;

/// The data kept beside the rows of an epoch.
#[derive(Clone, Debug)]
pub struct EpochInfo {
    /// Its number, its time, its cut.
    pub record: Arc<EpochRecord>,
    /// The state of every view. Epochs that change nothing share it.
    pub standings: Arc<ViewDigests>,
    /// The dead letters so far.
    pub dead_letters: u64,
}

/// The cost of keeping that a row changed: which row it was, and which it is.
const CHANGE_BYTES: usize = 16;

/// The size of an epoch of which nothing else is kept: its number, time and place in the history.
const EPOCH_BYTES: usize = 384;

/// The size of the lists of its changes beside the changes.
const LISTS_BYTES: usize = 320;

/// The size of a partition's place, or of a view's state.
const ENTRY_BYTES: usize = 64;

/// The size of an epoch in the history, beside the rows that it changed. `before` is the epoch before it.
pub fn epoch_bytes(info: &EpochInfo, before: Option<&EpochInfo>, rows: &ViewChanges) -> usize {
    let EpochInfo { record, standings, dead_letters: _ } = info;
    let is_shared = before.is_some_and(|before| Arc::ptr_eq(standings, &before.standings));
    let standings = if is_shared { 0 } else { (1 + standings.0.len()) * ENTRY_BYTES };
    let lists = if rows.is_empty() { 0 } else { LISTS_BYTES + rows.len() * CHANGE_BYTES };
    EPOCH_BYTES + standings + lists + record.cut.iter().count() * ENTRY_BYTES
}
