//! The parts of a node that are known only when it has started.

use crate::epoch_times::EpochTimes;
use dataflows::contract::epoch::Epoch;
use dataflows::ports::product_search::{EpochUnavailable, IndexSnapshot, IndexStatus, ProductSearch};
use ingest::checkpoint::Checkpoints;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// The parts that are known only when the state is read.
#[derive(Default)]
pub struct LateBound {
    pub(crate) checkpoints: OnceLock<Weak<Checkpoints>>,
    pub(crate) replay_to: OnceLock<Epoch>,
    pub(crate) finder: OnceLock<Arc<dyn ProductSearch>>,
    pub(crate) kafka_listen: OnceLock<SocketAddr>,
    pub(crate) epoch_times: OnceLock<Arc<EpochTimes>>,
}

/// Until the index is open, it has nothing.
impl ProductSearch for LateBound {
    fn newest(&self, least: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        self.finder.get().ok_or(EpochUnavailable::NotYet { newest: Epoch(0) })?.newest(least, wait)
    }

    fn at(&self, epoch: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        self.finder.get().ok_or(EpochUnavailable::NotYet { newest: Epoch(0) })?.at(epoch, wait)
    }

    fn standing(&self) -> IndexStatus {
        self.finder.get().map(|finder| finder.standing()).unwrap_or_default()
    }
}

impl LateBound {
    /// The node's checkpoints; none while it starts or stops.
    pub fn checkpoints(&self) -> Option<Arc<Checkpoints>> {
        self.checkpoints.get()?.upgrade()
    }
}
