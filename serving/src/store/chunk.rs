//! A chunk: up to 64 neighbouring rows of a view in one small lock, read at any epoch.
//! Not for changing them; `change.rs` does that.
//!
//! Chunks form a B-link list: each knows where its keys end and which comes next, so a reader that
//! arrives by an old directory, or before a split, goes right until it is in the right place.
//! Keys only ever move to the right: a split moves its upper half, a merge all of its rows.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use arrayvec::ArrayVec;
use parking_lot::RwLock;

use super::Epoch;

/// Rows of a chunk at most.
pub(super) const ROWS_MAX: usize = 64;

/// Undo entries beyond which a chunk with more than one key is split, since looking one up in
/// the log is linear.
pub(super) const LOG_MAX: usize = 256;

pub(super) struct Chunk<K, R>(pub(super) RwLock<Data<K, R>>);

pub(super) struct Data<K, R> {
    /// No change in the chunk is newer than this, so a reader at it needs no undo.
    pub(super) last: Epoch,
    /// Keys at or after this one are further right.
    pub(super) hi: Option<K>,
    pub(super) right: Option<Arc<Chunk<K, R>>>,
    /// The newest rows, `rows[i]` being the row of `keys[i]`, sorted.
    pub(super) keys: ArrayVec<K, ROWS_MAX>,
    pub(super) rows: ArrayVec<Arc<R>, ROWS_MAX>,
    /// In epoch order.
    pub(super) undo: VecDeque<Undo<K, R>>,
    /// Undo entries beyond which a split is tried; grows where there is one key only.
    pub(super) log_max: usize,
    /// Keys before this one are further left. None in the first chunk.
    pub(super) lo: Option<K>,
}

/// A row as it was before an epoch changed it.
pub(super) struct Undo<K, R> {
    pub(super) epoch: Epoch,
    pub(super) key: K,
    pub(super) before: Option<Arc<R>>,
}

/// The direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// The ends of a scan.
pub(super) struct Span<'a, K> {
    pub(super) from: Bound<&'a K>,
    pub(super) to: Bound<&'a K>,
}

impl<K: Ord + Clone, R> Data<K, R> {
    pub(super) fn new(lo: Option<K>) -> Self {
        Self {
            last: Epoch::default(),
            hi: None,
            right: None,
            keys: ArrayVec::new(),
            rows: ArrayVec::new(),
            undo: VecDeque::new(),
            log_max: LOG_MAX,
            lo,
        }
    }

    /// Returns true if the key is further right.
    pub(super) fn ends_before<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.hi.as_ref().is_some_and(|hi| hi.borrow() <= key)
    }

    /// Returns true if a scan downwards from `to` starts further right.
    pub(super) fn ends_below(&self, to: Bound<&K>) -> bool {
        match (&self.hi, to) {
            (None, _) => false,
            (Some(_), Bound::Unbounded) => true,
            (Some(hi), Bound::Included(to)) => hi <= to,
            (Some(hi), Bound::Excluded(to)) => hi < to,
        }
    }

    /// The next chunk, for a caller that found this one to end too early.
    pub(super) fn next(&self) -> &Arc<Chunk<K, R>> {
        self.right.as_ref().expect("a chunk that ends has one to its right, set together")
    }

    /// The row of a key at an epoch.
    pub(super) fn get<Q>(&self, key: &Q, at: Epoch) -> Option<&Arc<R>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        if self.last > at {
            let mut later = self.undo.range(self.first_after(at)..);
            if let Some(undo) = later.find(|undo| undo.key.borrow() == key) {
                return undo.before.as_ref();
            }
        }
        let found = self.keys.binary_search_by(|probe| probe.borrow().cmp(key));
        found.ok().map(|slot| &self.rows[slot])
    }

    /// Appends the rows of the span at an epoch to `out`, at most `limit`.
    pub(super) fn collect(
        &self,
        span: &Span<'_, K>,
        at: Epoch,
        order: Order,
        limit: usize,
        out: &mut VecDeque<(K, Arc<R>)>,
    ) {
        if self.last > at {
            let pairs = self.pairs_at(span, at);
            push(pairs.into_iter(), order, limit, out);
        } else {
            let (start, end) = self.slots(span);
            let pairs = self.keys[start..end].iter().zip(&self.rows[start..end]);
            push(pairs, order, limit, out);
        }
    }

    /// The span's rows with the changes after `at` undone, in key order.
    fn pairs_at(&self, span: &Span<'_, K>, at: Epoch) -> Vec<(&K, &Arc<R>)> {
        let bounds = (span.from, span.to);
        let mut olds: Vec<&Undo<K, R>> =
            self.undo.range(self.first_after(at)..).filter(|undo| bounds.contains(&undo.key)).collect();
        // Stable, so that the first change after the epoch comes first and alone is kept.
        olds.sort_by(|a, b| a.key.cmp(&b.key));
        olds.dedup_by(|later, first| later.key == first.key);

        let (start, end) = self.slots(span);
        let mut pairs = Vec::with_capacity(end - start + olds.len());
        let mut newest = self.keys[start..end].iter().zip(&self.rows[start..end]).peekable();
        for old in olds {
            while let Some(pair) = newest.next_if(|(key, _)| **key < old.key) {
                pairs.push(pair);
            }
            newest.next_if(|(key, _)| **key == old.key);
            pairs.extend(old.before.as_ref().map(|row| (&old.key, row)));
        }
        pairs.extend(newest);
        pairs
    }

    /// The index in the undo log at which the changes after an epoch begin.
    fn first_after(&self, at: Epoch) -> usize {
        self.undo.partition_point(|undo| undo.epoch <= at)
    }

    /// The slots of the span; none if its ends cross.
    fn slots(&self, span: &Span<'_, K>) -> (usize, usize) {
        let start = match span.from {
            Bound::Unbounded => 0,
            Bound::Included(from) => self.keys.partition_point(|key| key < from),
            Bound::Excluded(from) => self.keys.partition_point(|key| key <= from),
        };
        let end = match span.to {
            Bound::Unbounded => self.keys.len(),
            Bound::Included(to) => self.keys.partition_point(|key| key <= to),
            Bound::Excluded(to) => self.keys.partition_point(|key| key < to),
        };
        (start, end.max(start))
    }
}

/// Clones pairs in the wanted order, no more than `limit`: each clone touches a row.
fn push<'a, K: Clone + 'a, R: 'a>(
    pairs: impl DoubleEndedIterator<Item = (&'a K, &'a Arc<R>)>,
    order: Order,
    limit: usize,
    out: &mut VecDeque<(K, Arc<R>)>,
) {
    let cloned = |(key, row): (&K, &Arc<R>)| (key.clone(), Arc::clone(row));
    match order {
        Order::Ascending => out.extend(pairs.take(limit).map(cloned)),
        Order::Descending => out.extend(pairs.rev().take(limit).map(cloned)),
    }
}

impl<K, R> Drop for Data<K, R> {
    /// Frees the chunks that hang on this one in a loop: by recursion the list of a large view
    /// would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.right.take();
        while let Some(chunk) = next {
            next = Arc::into_inner(chunk).and_then(|chunk| chunk.0.into_inner().right.take());
        }
    }
}
