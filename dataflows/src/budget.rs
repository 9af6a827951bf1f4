//! How many bytes of bodies and answers may be under way at once, whichever way they come in or leave: all doors of a node
//! share one budget. Not for how large one may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget of bytes.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    most: usize,
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
}

impl Budget {
    /// So many bytes.
    pub fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget { used: AtomicUsize::new(0), most })
    }

    /// What is in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many bytes there are.
    pub fn most(&self) -> usize {
        self.most
    }

    /// So many bytes of it; `None` if they are not there.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        self.add(bytes).then(|| Held { budget: Arc::clone(self), bytes: AtomicUsize::new(bytes) })
    }

    /// So many bytes of it for what is already in memory, whether they are there or not.
    pub fn overdraw(self: &Arc<Self>, bytes: usize) -> Held {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Held { budget: Arc::clone(self), bytes: AtomicUsize::new(bytes) }
    }

    fn add(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl Held {
    /// Grows to that size, if there is room; false if not.
    pub fn grow_to(&self, bytes: usize) -> bool {
        let missing = bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        let grown = missing == 0 || self.budget.add(missing);
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

impl Drop for Held {
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
        assert_eq!((budget.used(), budget.most()), (2, 10));
        drop(six);
        assert_eq!(budget.used(), 0);
        let all = budget.overdraw(20);
        assert!(budget.take(0).is_none() && budget.take(1).is_none());
        drop(all);
        assert!(budget.take(10).is_some());
    }
}
