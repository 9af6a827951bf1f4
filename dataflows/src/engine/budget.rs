//! The bytes of bodies and answers that may be under way at once, whichever way they come in or leave: all doors of a
//! node share one budget. Not for how large one may be.
//!
//! An eighth is for small ones, so that a few hundred large ones do not shut out requests for little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes of a body or answer that is let into the part for small ones.
pub const SMALL_BYTES: usize = 64 << 10;

/// A budget of bytes.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    most: usize,
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub struct BytesReservation {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
}

impl Budget {
    /// So many bytes.
    pub fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget { used: AtomicUsize::new(0), most })
    }

    /// The bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The bytes that one body or answer can have at most.
    pub fn one_most(&self) -> usize {
        self.large_most().max(SMALL_BYTES.min(self.most))
    }

    /// The bytes that all may have together for a large one to be let in.
    fn large_most(&self) -> usize {
        self.most - self.most / 8
    }

    /// So many bytes of it; `None` if they are not there.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<BytesReservation> {
        self.add(bytes, bytes).then(|| BytesReservation { budget: Arc::clone(self), bytes: AtomicUsize::new(bytes) })
    }

    /// So many bytes of it for what is already in memory, whether they are there or not.
    pub fn overdraw(self: &Arc<Self>, bytes: usize) -> BytesReservation {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        BytesReservation { budget: Arc::clone(self), bytes: AtomicUsize::new(bytes) }
    }

    /// So many bytes more for what then has `whole`.
    fn add(&self, bytes: usize, whole: usize) -> bool {
        let most = if whole <= SMALL_BYTES { self.most } else { self.large_most() };
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl BytesReservation {
    /// Grows to that size, if there is room; false if not.
    pub fn grow_to(&self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        let grown = missing == 0 || self.budget.add(missing, bytes);
        if grown {
            self.bytes.fetch_add(missing, Ordering::Relaxed);
        }
        grown
    }

    /// Gives back what is over that size.
    pub fn shrink_to(&mut self, bytes: usize) {
        let over = self.bytes.get_mut().saturating_sub(bytes);
        *self.bytes.get_mut() -= over;
        self.budget.used.fetch_sub(over, Ordering::Relaxed);
    }
}

impl Drop for BytesReservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        let budget = Budget::new(10);
        let mut six = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert!(six.grow_to(6) && six.grow_to(9) && !six.grow_to(11));
        six.shrink_to(10);
        assert_eq!(budget.used(), 9, "it does not grow");
        six.shrink_to(2);
        assert_eq!((budget.used(), budget.one_most()), (2, 10));
        drop(six);
        assert_eq!(budget.used(), 0);
        let all = budget.overdraw(20);
        assert!(budget.take(0).is_none() && budget.take(1).is_none());
        drop(all);
        assert!(budget.take(10).is_some());
    }

    #[test]
    fn large_ones_leave_an_eighth_to_small_ones() {
        let budget = Budget::new(80 * SMALL_BYTES);
        let large = budget.take(69 * SMALL_BYTES).unwrap();
        assert!(budget.take(2 * SMALL_BYTES).is_none() && !large.grow_to(71 * SMALL_BYTES));
        let mut small: Vec<BytesReservation> = (0..11).map_while(|_| budget.take(SMALL_BYTES)).collect();
        assert!(small.len() == 11 && budget.take(1).is_none());
        small.pop();
        assert!(!small[0].grow_to(SMALL_BYTES + 1), "what grows is small no longer");
        assert!(budget.take(1).is_some());
    }
}
