//! Bytes that may be in memory at once, shared by all connections. Not for how much one request may take: see `Config`.
//!
//! Bytes that are held are given back by dropping them. A holder that waits for its peer, and not for us, asks
//! [`Budget::is_wanted`] now and then: a holder without progress while others wait has to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit that is counted in, in bytes: a semaphore has no more than 2^29 places on small machines.
const UNIT_BYTES: usize = 1 << 10;

/// So many bytes.
pub struct Budget {
    places: Arc<Semaphore>,
    units: u32,
    waiting: AtomicUsize,
}

/// Some bytes of a budget.
#[derive(Debug)]
pub struct BudgetReservation {
    permit: OwnedSemaphorePermit,
    units: u32,
}

/// Counts one waiter, for as long as it waits.
struct WaiterCount<'a>(&'a AtomicUsize);

impl<'a> WaiterCount<'a> {
    fn new(count: &'a AtomicUsize) -> WaiterCount<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        WaiterCount(count)
    }
}

impl Drop for WaiterCount<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Budget {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX >> 4).max(1);
        Budget { places: Arc::new(Semaphore::new(units as usize)), units, waiting: AtomicUsize::new(0) }
    }

    /// So many bytes, if they are free.
    pub fn try_hold(&self, bytes: usize) -> Option<BudgetReservation> {
        let units = units(bytes);
        let permit = Arc::clone(&self.places).try_acquire_many_owned(units).ok()?;
        Some(BudgetReservation { permit, units })
    }

    /// Waits until so many bytes are free; for all of them if it is more.
    pub async fn hold(&self, bytes: usize) -> BudgetReservation {
        let units = units(bytes).min(self.units);
        let _waiting = WaiterCount::new(&self.waiting);
        let permit = Arc::clone(&self.places).acquire_many_owned(units).await;
        BudgetReservation { permit: permit.expect("a budget is never closed"), units }
    }

    /// Returns true if anything waits for bytes.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

impl BudgetReservation {
    /// Gives back what is over that many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let units = units(bytes);
        if let Some(over) = self.units.checked_sub(units).filter(|over| *over > 0) {
            drop(self.permit.split(over as usize));
            self.units = units;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(budget: &Budget) -> usize {
        budget.places.available_permits()
    }

    #[tokio::test]
    async fn what_is_held_is_given_back() {
        let budget = Budget::new(10 << 10);
        let mut held = budget.hold(4_000).await;
        assert_eq!((free(&budget), budget.is_wanted()), (6, false));
        held.shrink(1_025);
        assert_eq!(free(&budget), 8);
        held.shrink(1 << 20);
        assert_eq!(free(&budget), 8, "it never grows");
        assert!(budget.try_hold(8 << 10).is_some() && budget.try_hold((8 << 10) + 1).is_none());
        drop(held);
        let all = budget.hold(1 << 30).await;
        assert_eq!(free(&budget), 0, "more than there is, is all of it");
        let mut second = Box::pin(budget.hold(1));
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(second.as_mut().poll(context).is_pending())).await
        );
        assert!(budget.is_wanted());
        drop(all);
        drop(second.await);
        assert_eq!((free(&budget), budget.is_wanted()), (10, false));
    }
}
