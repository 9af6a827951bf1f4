//! For a shop without a product index.

use dataflows::contract::epoch::Epoch;
use dataflows::ports::finder::{Finder, IndexAt, IndexStanding, NotThere};
use std::sync::Arc;
use std::time::Duration;

/// Finds nothing at any epoch.
pub struct NoFinder;

impl Finder for NoFinder {
    fn newest(&self, _: Epoch, _: Duration) -> Result<Arc<dyn IndexAt>, NotThere> {
        Err(NotThere::NotYet { newest: Epoch(0) })
    }

    fn at(&self, _: Epoch, _: Duration) -> Result<Arc<dyn IndexAt>, NotThere> {
        Err(NotThere::NotYet { newest: Epoch(0) })
    }

    fn standing(&self) -> IndexStanding {
        IndexStanding::default()
    }
}
