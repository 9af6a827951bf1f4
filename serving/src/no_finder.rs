//! For a shop without a product index.

use dataflows::contract::epoch::Epoch;
use dataflows::ports::product_search::{EpochUnavailable, IndexSnapshot, IndexStatus, ProductSearch};
use std::sync::Arc;
use std::time::Duration;

/// Finds nothing at any epoch.
pub struct NoFinder;

impl ProductSearch for NoFinder {
    fn newest(&self, _: Epoch, _: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        Err(EpochUnavailable::NotYet { newest: Epoch(0) })
    }

    fn at(&self, _: Epoch, _: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        Err(EpochUnavailable::NotYet { newest: Epoch(0) })
    }

    fn standing(&self) -> IndexStatus {
        IndexStatus::default()
    }
}
