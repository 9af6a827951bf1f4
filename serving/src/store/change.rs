//! The changes of one chunk: rows applied, history pruned, chunks split and merged.
//! Not for finding the chunk, nor for when to do it; `writer.rs` does that.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use parking_lot::RwLock;

use super::Epoch;
use super::chunk::{Chunk, Data, LOG_MAX, ROWS_MAX, Undo};
use super::epoch_window::{ApplyContext, History};

/// A key and its row from an epoch on; none if the row goes.
pub type Change<K, R> = (K, Option<Arc<R>>);

/// Changes made under one lock at most, so that a reader waits for microseconds only.
const CHANGES_PER_LOCK: usize = 16;

/// A chunk with no more rows than this may be merged into its right neighbour.
const SPARSE_ROWS: usize = ROWS_MAX / 4;
/// Rows and undo entries that a merged chunk may have, low enough not to be split again at once.
const MERGED_ROWS_MAX: usize = ROWS_MAX * 3 / 4;
const MERGED_LOG_MAX: usize = LOG_MAX / 2;

/// Undo logs that once were longer than this give their memory back when they shrink.
const LOG_CAPACITY_KEPT: usize = 16;

/// The sizes of a view, counted by each change.
pub(super) struct Tally<R> {
    pub(super) row_bytes: fn(&R) -> usize,
    /// The size of an undo entry, beside the row that it keeps.
    pub(super) entry_bytes: usize,
    pub(super) rows: usize,
    pub(super) undo_entries: usize,
    pub(super) undo_bytes: usize,
    /// The part of `undo_bytes` that the current epoch added.
    pub(super) undo_bytes_added: usize,
    /// Rows that the current epoch removed.
    pub(super) removed: usize,
}

impl<R> Tally<R> {
    pub(super) fn new(row_bytes: fn(&R) -> usize, entry_bytes: usize) -> Self {
        Self { row_bytes, entry_bytes, rows: 0, undo_entries: 0, undo_bytes: 0, undo_bytes_added: 0, removed: 0 }
    }

    fn bytes_of(&self, before: Option<&Arc<R>>) -> usize {
        self.entry_bytes + before.map_or(0, |row| (self.row_bytes)(row))
    }

    fn pushed(&mut self, before: Option<&Arc<R>>) {
        let bytes = self.bytes_of(before);
        self.undo_entries += 1;
        self.undo_bytes += bytes;
        self.undo_bytes_added += bytes;
    }

    fn popped(&mut self, before: Option<&Arc<R>>) {
        self.undo_entries -= 1;
        self.undo_bytes -= self.bytes_of(before);
    }
}

impl<K: Ord + Clone, R> Data<K, R> {
    /// Applies changes from the front of a sorted run, and returns how many: up to the chunk's end,
    /// to a key that finds no room, or to what one lock allows.
    pub(super) fn apply(&mut self, run: &mut [Change<K, R>], step: &ApplyContext, tally: &mut Tally<R>) -> usize {
        let mut applied = 0;
        for (key, after) in run.iter_mut().take(CHANGES_PER_LOCK) {
            let slot = self.keys.binary_search(key);
            let is_full = slot.is_err() && after.is_some() && self.keys.is_full();
            if is_full || self.ends_before(key) {
                break;
            }
            applied += 1;
            let before = match (slot, after.take()) {
                (Ok(slot), Some(after)) => Some(mem::replace(&mut self.rows[slot], after)),
                (Ok(slot), None) => {
                    tally.rows -= 1;
                    tally.removed += 1;
                    self.keys.remove(slot);
                    Some(self.rows.remove(slot))
                }
                (Err(slot), Some(after)) => {
                    tally.rows += 1;
                    if !self.keys.is_empty() {
                        // No longer one key alone: a long log must be split after all.
                        self.log_max = LOG_MAX;
                    }
                    self.keys.insert(slot, key.clone());
                    self.rows.insert(slot, after);
                    None
                }
                // Neither before nor after: nothing to undo.
                (Err(_), None) => continue,
            };
            if step.history == History::Keep {
                tally.pushed(before.as_ref());
                self.last = step.epoch;
                self.undo.push_back(Undo { epoch: step.epoch, key: key.clone(), before });
            }
        }
        applied
    }

    /// Drops the oldest undo entries that no reader can need, at most `max`, and returns their number.
    pub(super) fn prune(&mut self, floor: Option<Epoch>, max: usize, tally: &mut Tally<R>) -> usize {
        let mut pruned = 0;
        while pruned < max && self.undo.front().is_some_and(|undo| Some(undo.epoch) <= floor) {
            let undo = self.undo.pop_front().expect("the front was just looked at");
            tally.popped(undo.before.as_ref());
            pruned += 1;
        }
        if pruned > 0 {
            if self.undo.len() < LOG_MAX {
                self.log_max = LOG_MAX;
            }
            let capacity = self.undo.capacity();
            if capacity > LOG_CAPACITY_KEPT && self.undo.len() < capacity / 4 {
                self.undo.shrink_to(self.undo.len() * 2);
            }
        }
        pruned
    }

    /// Splits a chunk in which `key` finds no room. Half and half, but at the right end of the
    /// view, where keys are appended, all but one row stay, so that the chunks to the left are full.
    pub(super) fn split_for(&mut self, key: &K) -> Option<Arc<Chunk<K, R>>> {
        if !self.keys.is_full() || self.ends_before(key) {
            return None;
        }
        let appends = self.right.is_none() && self.keys.last() < Some(key);
        let cut = if appends { ROWS_MAX - 1 } else { ROWS_MAX / 2 };
        let at = self.keys[cut].clone();
        Some(self.split(at))
    }

    /// Splits a chunk whose log has grown too long to be searched.
    pub(super) fn split_log(&mut self) -> Option<Arc<Chunk<K, R>>> {
        if self.undo.len() <= self.log_max {
            return None;
        }
        match self.log_middle() {
            Some(at) => Some(self.split(at)),
            None => {
                // One key has all of it: its entries need no search. Look again much later.
                self.log_max = self.undo.len() * 2;
                None
            }
        }
    }

    /// The key that halves the log, or else the second key of the chunk.
    fn log_middle(&self) -> Option<K> {
        let mut logged: Vec<&K> = self.undo.iter().map(|undo| &undo.key).collect();
        logged.sort_unstable();
        let middle = logged[logged.len() / 2];
        if logged[0] < middle || self.keys.first().is_some_and(|least| least < middle) {
            return Some(middle.clone());
        }
        let next_logged = logged.iter().copied().find(|key| *key > middle);
        let next_row = self.keys.iter().find(|key| *key > middle);
        next_logged.into_iter().chain(next_row).min().cloned()
    }

    /// Moves the keys from `at` on, with their history, to a new chunk on the right.
    fn split(&mut self, at: K) -> Arc<Chunk<K, R>> {
        let mut upper = Data::new(Some(at.clone()));
        let cut = self.keys.partition_point(|key| *key < at);
        upper.keys.extend(self.keys.drain(cut..));
        upper.rows.extend(self.rows.drain(cut..));
        for undo in mem::take(&mut self.undo) {
            let side = if undo.key < at { &mut self.undo } else { &mut upper.undo };
            side.push_back(undo);
        }
        upper.last = self.last;
        upper.hi = self.hi.replace(at);
        upper.right = self.right.take();
        self.log_max = LOG_MAX;
        let upper = Arc::new(Chunk(RwLock::new(upper)));
        self.right = Some(Arc::clone(&upper));
        upper
    }

    /// Returns true if the chunk holds so little that it may go. The first one stays, since it has no
    /// left neighbour, and so does the last, since its rows have nowhere to go.
    pub(super) fn is_sparse(&self) -> bool {
        let ends = self.lo.is_none() || self.right.is_none();
        !ends && self.keys.len() <= SPARSE_ROWS && self.undo.len() <= MERGED_LOG_MAX
    }

    /// Takes over all rows and history of the left neighbour, if there is room, and leaves it
    /// empty and pointing here for readers that still come by.
    pub(super) fn absorb(&mut self, left: &mut Self) -> bool {
        let has_room =
            left.keys.len() + self.keys.len() <= MERGED_ROWS_MAX && left.undo.len() + self.undo.len() <= MERGED_LOG_MAX;
        if !has_room {
            return false;
        }
        let (keys, rows) = (self.keys.take(), self.rows.take());
        self.keys = left.keys.take();
        self.rows = left.rows.take();
        self.keys.extend(keys);
        self.rows.extend(rows);
        let mut undo: Vec<_> = left.undo.drain(..).chain(self.undo.drain(..)).collect();
        undo.sort_by_key(|undo| undo.epoch);
        self.undo = VecDeque::from(undo);
        self.last = self.last.max(left.last);
        self.lo.clone_from(&left.lo);
        left.hi.clone_from(&left.lo);
        left.undo = VecDeque::new();
        true
    }
}
