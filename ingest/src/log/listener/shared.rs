//! The state that all connections share.

use super::apis::Access;
use super::budget::Budget;
use super::config::ListenerConfig;
use super::groups::Groups;
use super::offsets::Offsets;
use super::producers::Producers;
use crate::log::Log;
use dataflows::engine::budget::Budget as InFlight;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// The state that all connections share.
pub struct ListenerShared {
    pub config: ListenerConfig,
    pub inputs: Arc<dyn Log>,
    pub outputs: Option<Arc<dyn Log>>,
    pub topic_prefix: String,
    pub access: Access,
    /// Changes whenever there may be more to read.
    pub moved: watch::Sender<u64>,
    pub producers: Producers,
    pub groups: Groups,
    pub offsets: Offsets,
    pub reads: Arc<Semaphore>,
    /// Bytes of large requests.
    pub requests: Budget,
    /// Memory of records on their way to the log.
    pub records: Budget,
    /// Their bytes, beside those that the node's other doors have under way.
    pub bytes: Arc<InFlight>,
    /// Bytes of large answers.
    pub answers: Budget,
}
