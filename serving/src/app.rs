//! The state that every handler has at hand.

use crate::activity::{Activity, Allowance};
use crate::checkpoint_admin::CheckpointAdmin;
use crate::commands::in_flight::InFlightCommands;
use crate::config::Config;
use crate::dead_letter_admin::DeadLetterAdmin;
use crate::exports::Exports;
use crate::http::route_metrics::{Refusals, RouteMetrics};
use crate::node_status::{NodeStatus, VitalsSource};
use crate::progress::Progress;
use crate::shop::{Readiness, ViewStore};
use access::root::Signer;
use dataflows::engine::budget::Budget;
use dataflows::ports::CommandLog;
use dataflows::ports::product_search::ProductSearch;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Makes ids for commands that came without one: 16 random bytes, or why there are none.
pub type Entropy = Arc<dyn Fn() -> Result<[u8; 16], String> + Send + Sync>;

/// The parts of the room.
pub struct App {
    /// The limits.
    pub config: Config,
    /// The views that are read.
    pub shop: ViewStore,
    /// The log that commands go to.
    pub log: Arc<dyn CommandLog>,
    /// The commands on their way.
    pub flights: Arc<InFlightCommands>,
    /// The status of the rest of the process.
    pub vitals: VitalsSource,
    /// The checkpoints.
    pub keeper: Arc<dyn CheckpointAdmin>,
    /// The dead letters.
    pub letters: Arc<dyn DeadLetterAdmin>,
    /// The export of tables for analysts.
    pub exports: Arc<dyn Exports>,
    /// The product search.
    pub finder: Arc<dyn ProductSearch>,
    /// The signer of cursors.
    pub cursors: Signer,
    /// Bytes of bodies and answers under way, over HTTP or another way.
    pub bytes: Arc<Budget>,
    /// Room for searches: they keep a core busy.
    pub searches: Arc<Semaphore>,
    /// Observations of searches on their way to the log.
    pub activity: Arc<Activity>,
    /// The searches of an address that are observed.
    pub observed: Allowance,
    /// Randomness.
    pub entropy: Entropy,
    /// The counters of every route: method, path, counters.
    pub traffic: Vec<(&'static str, &'static str, Arc<RouteMetrics>)>,
    /// The requests refused before any route.
    pub refusals: Refusals,
    /// The document of the routes, as it is served.
    pub openapi: Vec<u8>,
    /// The document of the topics, as it is served.
    pub asyncapi: Vec<u8>,
    /// The content policy of the page that shows the document.
    pub docs_policy: String,
    /// The time at which the process started.
    pub started: Instant,
}

impl App {
    /// The node's readiness, and why not: a word of the contract and a sentence. A node that starts or stops reports
    /// that first; one that cannot decide, or whose log can no longer be dropped, is not ready either.
    pub fn readiness(&self, vitals: &NodeStatus) -> Readiness {
        let told = self.shop.readiness();
        let why = if !told.ready {
            let progress = Progress::of(&self.shop, vitals).map(|progress| format!("starting: {progress}"));
            progress.or(told.why)
        } else if let Some(stalled) = &vitals.stalled {
            Some(format!("log: no epoch can be closed: {stalled}"))
        } else {
            let holding = vitals.holding(Duration::from_millis(self.config.stalled_ms_max));
            holding.map(|(standstill, lasts)| {
                let sink = standstill.sink.replace('_', " ");
                format!("stalled: {sink} have stood still for {} s: {}", lasts.as_secs(), standstill.why)
            })
        };
        Readiness { ready: why.is_none(), why }
    }
}
