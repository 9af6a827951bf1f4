//! The snapshots that can be asked: the newest, and for a while those that a next page may want. Says at which epochs
//! each is exact, and lets requests wait for an epoch. Not for opening them.

use super::snapshot::Snapshot;
use dataflows::contract::epoch::Epoch;
use dataflows::ports::product_search::{EpochUnavailable, IndexStatus};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A snapshot, with the epochs that it is exact for.
pub struct CachedSnapshot {
    /// It.
    pub snapshot: Snapshot,
    /// True if a next page may want it.
    is_wanted: AtomicBool,
}

impl CachedSnapshot {
    /// Notes that a next page may want it.
    pub fn keep_for_paging(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
    }
}

struct CacheEntry {
    shelved: Arc<CachedSnapshot>,
    from: Epoch,
    upto: Epoch,
    used: Instant,
    /// The bytes replaced in the catalogue when it was put here: it may keep what was replaced since.
    superseded_bytes: usize,
}

#[derive(Default)]
struct State {
    newest: Option<CacheEntry>,
    older: VecDeque<CacheEntry>,
    standing: IndexStatus,
}

/// The snapshots.
pub struct SnapshotCache {
    state: Mutex<State>,
    moved: Condvar,
    older_max: usize,
    older_age_max: Duration,
    older_bytes_max: usize,
}

impl SnapshotCache {
    /// Nothing yet.
    pub fn new(older_max: usize, older_age_max: Duration, older_bytes_max: usize) -> SnapshotCache {
        SnapshotCache { state: Mutex::default(), moved: Condvar::new(), older_max, older_age_max, older_bytes_max }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A reader that panicked left nothing half done: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a new snapshot in front, exact from that epoch on. `superseded_bytes` is what was replaced in the catalogue so
    /// far.
    pub fn publish(&self, snapshot: Snapshot, epoch: Epoch, bytes: u64, superseded_bytes: usize) {
        let now = Instant::now();
        let mut state = self.state();
        state.standing.products = snapshot.products;
        state.standing.bytes = bytes;
        state.standing.epoch = epoch;
        let shelved = Arc::new(CachedSnapshot { snapshot, is_wanted: AtomicBool::new(false) });
        let before =
            state.newest.replace(CacheEntry { shelved, from: epoch, upto: epoch, used: now, superseded_bytes });
        state.older.extend(before.filter(|kept| kept.shelved.is_wanted.load(Ordering::Relaxed)));
        let is_old = |kept: &CacheEntry| now.duration_since(kept.used) > self.older_age_max;
        let keeps_much = |kept: &CacheEntry| superseded_bytes - kept.superseded_bytes > self.older_bytes_max;
        state.older.retain(|kept| !is_old(kept) && !keeps_much(kept));
        let over = state.older.len().saturating_sub(self.older_max);
        state.older.drain(..over);
        self.moved.notify_all();
    }

    /// Notes that the newest snapshot is exact up to that epoch too: no product changed.
    pub fn extend(&self, epoch: Epoch) {
        let mut state = self.state();
        if let Some(newest) = &mut state.newest {
            newest.upto = epoch;
            state.standing.epoch = epoch;
            self.moved.notify_all();
        }
    }

    /// Notes why the index cannot continue, or that it can.
    pub fn stalled(&self, why: Option<String>) {
        self.state().standing.stalled = why;
    }

    /// The state of the index.
    pub fn standing(&self) -> IndexStatus {
        self.state().standing.clone()
    }

    /// The newest snapshot, once it is not before that epoch.
    pub fn newest(&self, least: Epoch, wait: Duration) -> Result<(Arc<CachedSnapshot>, Epoch), EpochUnavailable> {
        let state = self.wait_for(least, wait)?;
        let newest = state.newest.as_ref().ok_or(EpochUnavailable::NotYet { newest: Epoch(0) })?;
        Ok((Arc::clone(&newest.shelved), newest.upto))
    }

    /// The snapshot that is exact for that epoch.
    pub fn at(&self, epoch: Epoch, wait: Duration) -> Result<Arc<CachedSnapshot>, EpochUnavailable> {
        let mut state = self.wait_for(epoch, wait)?;
        let forgotten = EpochUnavailable::Forgotten { newest: state.standing.epoch };
        let State { newest, older, standing: _ } = &mut *state;
        let mut all = newest.iter_mut().chain(older.iter_mut());
        let kept = all.find(|kept| kept.from <= epoch && epoch <= kept.upto).ok_or(forgotten)?;
        kept.used = Instant::now();
        Ok(Arc::clone(&kept.shelved))
    }

    fn wait_for(&self, epoch: Epoch, wait: Duration) -> Result<MutexGuard<'_, State>, EpochUnavailable> {
        let is_before = |state: &mut State| state.newest.as_ref().is_none_or(|newest| newest.upto < epoch);
        let waited = self.moved.wait_timeout_while(self.state(), wait, is_before);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() { Err(EpochUnavailable::NotYet { newest: state.standing.epoch }) } else { Ok(state) }
    }
}
