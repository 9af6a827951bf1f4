//! A scan over a view at one epoch, chunk by chunk, in either direction.
//! No lock is held between two rows. Not for filtering; callers have iterator adapters for that.

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use super::Epoch;
use super::chunk::{Chunk, Order, Span};
use super::view::View;

/// Rows of a view between two keys, at one epoch. Made by [`View::range`] and
/// [`View::range_rev`].
///
/// Hold a pin of the epoch meanwhile, and look whether it is valid after the last row.
pub struct Rows<'a, K, R> {
    view: &'a View<K, R>,
    at: Epoch,
    order: Order,
    /// The rest of the span, still to be read.
    from: Bound<K>,
    to: Bound<K>,
    /// The chunk at which an ascending scan resumes; none before the first chunk.
    next: Option<Arc<Chunk<K, R>>>,
    is_done: bool,
    /// Rows to give out at most, those read ahead included.
    left: usize,
    read_ahead: VecDeque<(K, Arc<R>)>,
}

impl<K: Ord + Clone, R> View<K, R> {
    /// The rows between two keys at an epoch, in key order.
    pub fn range(&self, bounds: impl RangeBounds<K>, at: Epoch) -> Rows<'_, K, R> {
        Rows::new(self, bounds, at, Order::Ascending)
    }

    /// The rows between two keys at an epoch, the greatest key first.
    pub fn range_rev(&self, bounds: impl RangeBounds<K>, at: Epoch) -> Rows<'_, K, R> {
        Rows::new(self, bounds, at, Order::Descending)
    }
}

impl<'a, K: Ord + Clone, R> Rows<'a, K, R> {
    fn new(view: &'a View<K, R>, bounds: impl RangeBounds<K>, at: Epoch, order: Order) -> Self {
        Self {
            view,
            at,
            order,
            from: bounds.start_bound().cloned(),
            to: bounds.end_bound().cloned(),
            next: None,
            is_done: false,
            left: usize::MAX,
            read_ahead: VecDeque::new(),
        }
    }

    /// No more rows than this. Cheaper than `take`, since rows beyond are not read ahead.
    pub fn limit(mut self, rows_max: usize) -> Self {
        self.left = rows_max;
        self
    }

    /// Reads one chunk upwards.
    fn ascend(&mut self) {
        let chunk = self.next.take().unwrap_or_else(|| {
            self.view.chunk(|directory| match &self.from {
                Bound::Included(from) | Bound::Excluded(from) => directory.find(from),
                Bound::Unbounded => directory.first(),
            })
        });
        let data = chunk.0.read();
        let starts_later = match &self.from {
            Bound::Included(from) | Bound::Excluded(from) => data.ends_before(from),
            Bound::Unbounded => false,
        };
        if !starts_later {
            let span = Span { from: self.from.as_ref(), to: self.to.as_ref() };
            data.collect(&span, self.at, self.order, self.left, &mut self.read_ahead);
            match &data.hi {
                Some(hi) if starts_within(hi, self.to.as_ref()) => {
                    self.from = Bound::Included(hi.clone());
                }
                _ => {
                    self.is_done = true;
                    return;
                }
            }
        }
        self.next = Some(Arc::clone(data.next()));
    }

    /// Reads one chunk downwards. Chunks do not know their left neighbour, since it may be split
    /// at any time; the directory leads to it or to one left of it.
    fn descend(&mut self) {
        let mut chunk = self.view.chunk(|directory| directory.last(self.to.as_ref()));
        loop {
            let data = chunk.0.read();
            if data.ends_below(self.to.as_ref()) {
                let next = Arc::clone(data.next());
                drop(data);
                chunk = next;
                continue;
            }
            let span = Span { from: self.from.as_ref(), to: self.to.as_ref() };
            data.collect(&span, self.at, self.order, self.left, &mut self.read_ahead);
            match &data.lo {
                Some(lo) if ends_within(lo, self.from.as_ref()) => {
                    self.to = Bound::Excluded(lo.clone());
                }
                _ => self.is_done = true,
            }
            return;
        }
    }
}

/// Returns true if keys from `key` upwards can be within the upper bound.
fn starts_within<K: Ord>(key: &K, to: Bound<&K>) -> bool {
    match to {
        Bound::Unbounded => true,
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
    }
}

/// Returns true if keys below `key` can be within the lower bound.
fn ends_within<K: Ord>(key: &K, from: Bound<&K>) -> bool {
    match from {
        Bound::Unbounded => true,
        Bound::Included(from) | Bound::Excluded(from) => from < key,
    }
}

impl<K: Ord + Clone, R> Iterator for Rows<'_, K, R> {
    type Item = (K, Arc<R>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        while self.read_ahead.is_empty() && !self.is_done {
            match self.order {
                Order::Ascending => self.ascend(),
                Order::Descending => self.descend(),
            }
        }
        self.left -= 1;
        let row = self.read_ahead.pop_front();
        if row.is_none() {
            self.left = 0;
        }
        row
    }
}

impl<K: Ord + Clone, R> FusedIterator for Rows<'_, K, R> {}
