//! The whole dataflow, on one page: what the workers feed, the decider, the views, what leaves.

use crate::decider::Decider;
use crate::operators::{Fed, Local, Message, decide, leave};
use crate::views::{invariants, revenue};
use timely::dataflow::InputHandle;
use timely::dataflow::operators::vec::Input as _;
use timely::dataflow::operators::{Concatenate, Exchange};
use timely::worker::Worker;

/// Where a worker puts what it reads: each with its own epoch beside the time of its stride.
pub type Feed = InputHandle<u64, timely::container::CapacityContainerBuilder<Vec<(Local<Fed>, u64)>>>;

/// Builds the dataflow on a worker; all workers build the same.
pub fn build(worker: &mut Worker, out: crossbeam_channel::Sender<Message>) -> Feed {
    let index = worker.index();
    worker.dataflow(|scope| {
        let (feed, fed) = scope.new_input();
        // One decider, on one worker; from then on everything under one key stays together.
        let decided = decide(fed, Decider::default()).exchange(|(Local(decided), _)| decided.route());
        let revenue = revenue::revenue(decided.clone());
        let invariants = invariants::invariants(decided.clone(), revenue.clone());
        leave(scope.concatenate([decided, revenue, invariants]), index, out);
        feed
    })
}
