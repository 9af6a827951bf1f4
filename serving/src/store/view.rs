//! A view of the store: the rows of one type in key order, read at any readable epoch.
//! Not for saying which epochs those are; the clock does that.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use super::Epoch;
use super::change::Change;
use super::chunk::{Chunk, Data};
use super::chunks::{ChunkDirectory, Stats};
use super::epoch_window::ApplyContext;
use super::writer::ViewWriter;

/// The rows of one type, by key, at each readable epoch.
///
/// Every read names an epoch, and is right only while a [`Pin`](super::Pin) of that epoch is
/// held and valid. One thread applies; any number reads.
pub struct View<K, R> {
    /// The directory by which readers find a chunk; it lags the writer's by an epoch's splits at most.
    directory: ArcSwap<ChunkDirectory<K, R>>,
    writer: Mutex<ViewWriter<K, R>>,
    stats: SharedStats,
}

#[derive(Default)]
struct SharedStats {
    rows: AtomicUsize,
    chunks: AtomicUsize,
    undo_entries: AtomicUsize,
    undo_bytes: AtomicUsize,
}

impl<K: Ord + Clone, R> View<K, R> {
    /// An empty view. `row_bytes` says what a row counts for in the history; it must always say
    /// the same for the same row.
    pub fn new(row_bytes: fn(&R) -> usize) -> Self {
        let first = Arc::new(Chunk(RwLock::new(Data::new(None))));
        let writer = ViewWriter::new(first, row_bytes);
        let view = Self {
            directory: ArcSwap::new(Arc::clone(writer.directory())),
            writer: Mutex::new(writer),
            stats: SharedStats::default(),
        };
        view.stats.set(view.writer.lock().stats());
        view
    }

    /// The row of a key at an epoch.
    pub fn get<Q>(&self, key: &Q, at: Epoch) -> Option<Arc<R>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let directory = self.directory.load();
        let mut hop;
        let mut chunk = directory.find(key);
        loop {
            let data = chunk.0.read();
            if !data.ends_before(key) {
                return data.get(key, at).cloned();
            }
            let next = Arc::clone(data.next());
            drop(data);
            hop = next;
            chunk = &hop;
        }
    }

    /// Applies an epoch's changes, at most one a key, and sweeps away some history that no reader
    /// can ask for any more. Empties `changes`, keeps its memory. Call it for every epoch, even
    /// without changes. Returns the bytes of history that the epoch added, for the clock.
    ///
    /// Nothing is visible before the clock publishes the epoch. Panics if the epoch comes before
    /// the last one applied, or a key comes twice.
    pub fn apply(&self, step: ApplyContext, changes: &mut Vec<Change<K, R>>) -> usize {
        if !changes.is_sorted_by(|a, b| a.0 < b.0) {
            changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            assert!(changes.is_sorted_by(|a, b| a.0 < b.0), "a key was changed twice in an epoch");
        }
        let mut writer = self.writer.lock();
        let undo_bytes = writer.apply(&step, changes);
        changes.clear();
        writer.sweep(&step);
        if writer.take_moved() {
            self.directory.store(Arc::clone(writer.directory()));
        }
        self.stats.set(writer.stats());
        undo_bytes
    }

    /// The sizes of the view. Never waits; each figure alone is exact after an epoch.
    pub fn stats(&self) -> Stats {
        self.stats.get()
    }

    /// The chunk to start in, by the readers' directory.
    pub(super) fn chunk(&self, find: impl FnOnce(&ChunkDirectory<K, R>) -> &Arc<Chunk<K, R>>) -> Arc<Chunk<K, R>> {
        Arc::clone(find(&self.directory.load()))
    }
}

impl SharedStats {
    fn set(&self, stats: Stats) {
        let Stats { rows, chunks, undo_entries, undo_bytes } = stats;
        self.rows.store(rows, Ordering::Relaxed);
        self.chunks.store(chunks, Ordering::Relaxed);
        self.undo_entries.store(undo_entries, Ordering::Relaxed);
        self.undo_bytes.store(undo_bytes, Ordering::Relaxed);
    }

    fn get(&self) -> Stats {
        Stats {
            rows: self.rows.load(Ordering::Relaxed),
            chunks: self.chunks.load(Ordering::Relaxed),
            undo_entries: self.undo_entries.load(Ordering::Relaxed),
            undo_bytes: self.undo_bytes.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
impl<K: Ord + Clone + std::fmt::Debug, R> View<K, R> {
    /// Panics unless all parts of the view agree.
    pub(super) fn check(&self) {
        self.writer.lock().check();
    }
}
