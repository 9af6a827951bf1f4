//! The whole dataflow, on one page: what the workers feed, the decider, the views, what leaves.

use crate::changes::Changes;
use crate::decider::Decider;
use crate::operators::{Fed, Local, Message, decide, leave};
use crate::pipeline::Progress;
use crate::views::{invariants, revenue};
use std::sync::Arc;
use timely::dataflow::InputHandle;
use timely::dataflow::operators::vec::Input as _;
use timely::dataflow::operators::{Concatenate, Exchange};
use timely::worker::Worker;

/// Where a worker puts what it reads: each with its own epoch beside the time of its stride.
pub type Feed = InputHandle<u64, timely::container::CapacityContainerBuilder<Vec<(Local<Fed>, u64)>>>;

/// Builds the dataflow on a worker; all workers build the same. It begins behind `base`, or with an empty shop.
pub fn build(
    worker: &mut Worker,
    base: Option<&Changes>,
    progress: Arc<Progress>,
    out: crossbeam_channel::Sender<Message>,
) -> Feed {
    let share = Share { index: worker.index(), peers: worker.peers() };
    // One decider, on one worker.
    let decider = base.filter(|_| share.index == 0).map_or_else(Decider::default, |base| Decider::after(&base.rows));
    worker.dataflow(|scope| {
        let (feed, fed) = scope.new_input();
        // From then on everything under one key stays together.
        let decided = decide(fed, decider, base.is_none(), progress).exchange(|(Local(decided), _)| decided.route());
        let revenue = revenue::revenue(decided.clone(), base, share);
        let invariants = invariants::invariants(decided.clone(), revenue.clone(), base, share);
        leave(scope.concatenate([decided, revenue, invariants]), share.index, out);
        feed
    })
}

/// Which keys a worker has.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    index: usize,
    peers: usize,
}

impl Share {
    /// Whether what goes that way comes to this worker.
    pub const fn has(self, route: u64) -> bool {
        route % self.peers as u64 == self.index as u64
    }
}
