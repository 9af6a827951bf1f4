//! The writing side of a view: an epoch's changes to their chunks, and the sweep after them.
//! Not for what happens inside a chunk; `change.rs` does that.

use std::ops::Bound;
use std::sync::Arc;

use super::Epoch;
use super::change::{Change, Tally};
use super::chunk::{Chunk, Undo};
use super::chunks::{ChunkDirectory, Stats};
use super::directory::Directory;
use super::epoch_window::ApplyContext;

/// Undo entries dropped at most while a chunk is locked to change it.
const PRUNED_PER_CHANGE_LOCK: usize = 32;
/// Undo entries dropped at most while a chunk is locked by the sweep.
const PRUNED_PER_SWEEP_LOCK: usize = 64;

pub(super) struct ViewWriter<K, R> {
    /// Always exact, unlike the readers'.
    directory: Arc<ChunkDirectory<K, R>>,
    /// True if it has changed since the readers got it.
    moved: bool,
    chunks: usize,
    tally: Tally<R>,
    last: Epoch,
    /// The leftmost chunk, which is never merged away.
    first: Arc<Chunk<K, R>>,
    /// The chunk that the sweep looks at next.
    sweep_at: Arc<Chunk<K, R>>,
    /// Chunks to look at before the sweep may rest.
    sweep_due: usize,
    /// Changes of the epoch at hand; the sweep's work is in proportion.
    changed: usize,
}

/// The choice of whether to wait for a reader that holds a chunk.
#[derive(Clone, Copy)]
enum LockWait {
    Never,
    ForReader,
}

impl<K: Ord + Clone, R> ViewWriter<K, R> {
    pub(super) fn new(first: Arc<Chunk<K, R>>, row_bytes: fn(&R) -> usize) -> Self {
        Self {
            directory: Arc::new(Directory::new(Arc::clone(&first))),
            moved: false,
            chunks: 1,
            tally: Tally::new(row_bytes, size_of::<Undo<K, R>>()),
            last: Epoch::default(),
            sweep_at: Arc::clone(&first),
            first,
            sweep_due: 0,
            changed: 0,
        }
    }

    pub(super) fn directory(&self) -> &Arc<ChunkDirectory<K, R>> {
        &self.directory
    }

    /// Returns true if the directory has changed since the last call.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            rows: self.tally.rows,
            chunks: self.chunks,
            undo_entries: self.tally.undo_entries,
            undo_bytes: self.tally.undo_bytes,
        }
    }

    /// Applies sorted changes. Returns the bytes of history added.
    pub(super) fn apply(&mut self, step: &ApplyContext, changes: &mut [Change<K, R>]) -> usize {
        assert!(self.last <= step.epoch, "epoch {} applied after {}", step.epoch, self.last);
        self.last = step.epoch;
        self.changed = changes.len();
        self.tally.undo_bytes_added = 0;
        self.tally.removed = 0;
        // A reader that was descheduled inside a chunk would hold up the epoch for milliseconds.
        // Order within an epoch is free, so its chunk is tried again after all others.
        let mut busy = Vec::new();
        let mut at = 0;
        while at < changes.len() {
            match self.apply_run(step, &mut changes[at..], LockWait::Never) {
                Some(applied) => at += applied,
                None => {
                    busy.push(at);
                    at += 1;
                }
            }
        }
        for at in busy {
            while self.apply_run(step, &mut changes[at..=at], LockWait::ForReader) == Some(0) {}
        }
        if self.tally.removed > 0 {
            self.sweep_due = self.chunks * 2;
        }
        self.tally.undo_bytes_added
    }

    /// Applies the changes that fall into the first one's chunk, and returns how many; none if a
    /// reader is there. Zero if the chunk was full and has been split instead.
    fn apply_run(&mut self, step: &ApplyContext, run: &mut [Change<K, R>], wait: LockWait) -> Option<usize> {
        let chunk = Arc::clone(self.directory.find(&run[0].0));
        let mut data = match wait {
            LockWait::Never => chunk.0.try_write()?,
            LockWait::ForReader => chunk.0.write(),
        };
        let applied = data.apply(run, step, &mut self.tally);
        data.prune(step.floor, PRUNED_PER_CHANGE_LOCK, &mut self.tally);
        let upper = match run.get(applied) {
            Some((key, Some(_))) if applied == 0 => data.split_for(key),
            _ => data.split_log(),
        };
        if let Some(upper) = upper {
            let start = data.hi.clone().expect("a chunk that was split ends where the other starts");
            drop(data);
            Directory::insert(&mut self.directory, start, upper);
            self.chunks += 1;
            self.moved = true;
        }
        Some(applied)
    }

    /// Continues round the chunks, dropping history that no reader can need and merging chunks that
    /// ran empty. The work is bounded by the epoch's own, so that a long pin, once gone, leaves
    /// a debt that is paid over many epochs.
    pub(super) fn sweep(&mut self, step: &ApplyContext) {
        if self.tally.undo_entries == 0 && self.sweep_due == 0 {
            return;
        }
        let visits = ((self.chunks / 512).max(8) + self.changed / 4).min(self.chunks);
        let mut entries_left = 64 + 3 * self.changed;
        for _ in 0..visits {
            let here = Arc::clone(&self.sweep_at);
            // A reader is there: resume here next time.
            let Some(mut data) = here.0.try_write() else {
                return;
            };
            let max = entries_left.min(PRUNED_PER_SWEEP_LOCK);
            let pruned = data.prune(step.floor, max, &mut self.tally);
            entries_left -= pruned;
            self.sweep_due = match pruned {
                0 => self.sweep_due.saturating_sub(1),
                _ => self.chunks * 2,
            };
            if entries_left == 0 {
                return;
            }
            if pruned == max {
                continue;
            }
            let right = data.right.clone();
            let is_sparse = data.is_sparse();
            drop(data);
            if is_sparse && let Some(right) = &right {
                self.merge(&here, right);
            }
            self.sweep_at = right.unwrap_or_else(|| Arc::clone(&self.first));
        }
    }

    /// Moves a sparse chunk's rows to its right neighbour and unlinks it, unless readers are near.
    fn merge(&mut self, sparse: &Arc<Chunk<K, R>>, right: &Arc<Chunk<K, R>>) {
        let Some(start) = sparse.0.read().lo.clone() else {
            return;
        };
        let left = Arc::clone(self.directory.last(Bound::Excluded(&start)));
        let (Some(mut left), Some(mut sparse), Some(mut heir)) =
            (left.0.try_write(), sparse.0.try_write(), right.0.try_write())
        else {
            return;
        };
        if heir.absorb(&mut sparse) {
            assert!(left.hi.as_ref() == Some(&start), "the exact directory names the left neighbour");
            left.right = Some(Arc::clone(right));
            drop((left, sparse, heir));
            Directory::remove(&mut self.directory, &start);
            self.chunks -= 1;
            self.moved = true;
        }
    }
}

#[cfg(test)]
impl<K: Ord + Clone + std::fmt::Debug, R> ViewWriter<K, R> {
    /// Panics unless the chunks, the directory and the tally agree.
    pub(super) fn check(&self) {
        let entries = self.directory.entries();
        let mut stats = Stats { chunks: entries.len(), ..Stats::default() };
        let mut next = Some(Arc::clone(&self.first));
        let mut start = None;
        for (entry_start, entry) in &entries {
            let chunk = next.expect("as many chunks as entries");
            assert!(Arc::ptr_eq(&chunk, entry) && *entry_start == start);
            let data = chunk.0.read();
            assert_eq!((&data.lo, data.right.is_some()), (&start, data.hi.is_some()));
            assert_eq!(data.keys.len(), data.rows.len());
            assert!(data.keys.is_sorted_by(|a, b| a < b));
            assert!(data.undo.iter().is_sorted_by_key(|undo| undo.epoch));
            for key in data.keys.iter().chain(data.undo.iter().map(|undo| &undo.key)) {
                assert!(data.lo.as_ref().is_none_or(|lo| lo <= key) && !data.ends_before(key));
            }
            for undo in &data.undo {
                assert!(undo.epoch <= data.last);
                stats.undo_bytes += self.tally.entry_bytes + undo.before.as_deref().map_or(0, self.tally.row_bytes);
            }
            stats.rows += data.keys.len();
            stats.undo_entries += data.undo.len();
            start = data.hi.clone();
            next = data.right.clone();
        }
        assert!(next.is_none());
        assert_eq!(self.stats(), stats);
    }
}
