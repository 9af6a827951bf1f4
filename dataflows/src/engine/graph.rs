//! The whole dataflow, on one page: what the workers feed, the decider, the views, what leaves.

use crate::contract::changes::Changes;
use crate::engine::control::EngineControl;
use crate::engine::operators::ObservationInput;
use crate::engine::operators::WorkerKeys;
use crate::engine::operators::{DeciderInput, InProcess, Message, decide, emit_shards};
use crate::ports::Stopwatch;
use crate::shop::dead_letters::LetterCounts;
use crate::shop::decider::Decider;
use crate::views::{invariants, revenue, searches};
use std::sync::Arc;
use timely::dataflow::InputHandle;
use timely::dataflow::operators::vec::Input as _;
use timely::dataflow::operators::{Concatenate, Exchange};
use timely::worker::Worker;

/// Takes what a worker reads: each with its own epoch beside the time of its stride.
type Handle<T> = InputHandle<u64, timely::container::CapacityContainerBuilder<Vec<(InProcess<T>, u64)>>>;

/// The inputs that a worker feeds.
pub struct Inputs {
    /// The inputs that are decided.
    pub fed: Handle<DeciderInput>,
    /// The inputs that are only counted.
    pub seen: Handle<ObservationInput>,
    /// The minute of the last epoch so far.
    pub minute: Option<i64>,
}

impl Inputs {
    /// Nothing more comes before that time.
    pub fn advance_to(&mut self, time: u64) {
        self.fed.advance_to(time);
        self.seen.advance_to(time);
        self.fed.flush();
        self.seen.flush();
    }

    /// Nothing more comes at all.
    pub fn close(self) {
        self.fed.close();
        self.seen.close();
    }
}

/// Builds the dataflow on a worker; all workers build the same. It begins after `base`, or with an empty shop.
pub fn build(
    worker: &mut Worker,
    base: Option<&Changes>,
    progress: Arc<EngineControl>,
    stopwatch: Arc<dyn Stopwatch>,
    out: crossbeam_channel::Sender<Message>,
) -> Inputs {
    let share = WorkerKeys::new(worker.index(), worker.peers());
    // One decider, on one worker.
    let decider = base.filter(|_| share.index() == 0).map_or_else(Decider::default, |base| Decider::after(&base.rows));
    worker.dataflow(|scope| {
        let (fed_handle, fed) = scope.new_input();
        let (seen_handle, seen) = scope.new_input();
        // From then on everything under one key stays together.
        let counts = LetterCounts::of(base.map(|base| base.quota.counts.as_slice()).unwrap_or_default());
        let decided = decide(fed, decider, counts, base.is_none(), Arc::clone(&progress), stopwatch)
            .exchange(|(InProcess(decided), _)| decided.key_hash());
        let revenue = revenue::revenue(decided.clone(), base, share);
        let invariants = invariants::invariants(decided.clone(), revenue.clone(), base, share);
        let searches = searches::searches(seen, base, share);
        emit_shards(scope.concatenate([decided, revenue, invariants, searches]), share.index(), progress, out);
        Inputs { fed: fed_handle, seen: seen_handle, minute: base.map(|base| searches::minute_of(base.record.now)) }
    })
}
