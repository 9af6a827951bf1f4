//! The exit of the changes from the dataflow: each worker packs its shard of an epoch, with what it changes in the
//! digests, once nothing more can come for it.

use super::InProcess;
use super::update::CoreUpdate;
use crate::contract::changes::Shard;
use crate::contract::epoch::EpochRecord;
use crate::engine::control::EngineControl;
use crate::shop::footprint::Footprint;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;
use timely::progress::Antichain;

/// A message from a worker to the assembling thread. Messages of a worker arrive in the order they were sent.
#[derive(Debug)]
pub enum Message {
    /// Its part of an epoch.
    Shard {
        /// The epoch.
        epoch: u64,
        /// The epoch's record, from the one worker that has it.
        record: Option<Arc<EpochRecord>>,
        /// The changes.
        shard: Box<Shard>,
        /// The bytes that they take.
        bytes: usize,
    },
    /// Nothing more comes from the worker for any epoch before `upto` (`None`: for any at all).
    Sealed {
        /// The worker.
        worker: usize,
        /// The first epoch for which something may still come.
        upto: Option<u64>,
    },
}

/// A shard in the making.
#[derive(Default)]
struct ShardBuilder {
    record: Option<Arc<EpochRecord>>,
    shard: Box<Shard>,
}

/// Sends the shards of worker `worker` to `out`.
pub fn emit_shards(
    decided: Stream<'_, u64, Vec<(InProcess<CoreUpdate>, u64)>>,
    worker: usize,
    progress: Arc<EngineControl>,
    out: crossbeam_channel::Sender<Message>,
) {
    let mut leaving = BTreeMap::<u64, ShardBuilder>::new();
    let mut sealed = Antichain::from_elem(0);
    decided.sink(Pipeline, "Leave", move |(input, frontier)| {
        input.for_each(|_cap, data| {
            for (InProcess(decided), epoch) in data.drain(..) {
                let ShardBuilder { record, shard } = leaving.entry(epoch).or_default();
                match decided {
                    CoreUpdate::Epoch { record: of, first: _ } => *record = Some(of),
                    CoreUpdate::Row(change) => shard.push(change),
                    CoreUpdate::Event(event) => shard.events.push(event),
                    CoreUpdate::Dead(letter) => shard.dead_letters.push(letter),
                    CoreUpdate::Quota(quota) => shard.quota = quota,
                    CoreUpdate::Imbalance(imbalance) => shard.imbalances.push(imbalance),
                    CoreUpdate::SearchMemo(memo) => shard.search_memory.push(memo),
                }
            }
        });
        while let Some(entry) = leaving.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
            let (epoch, ShardBuilder { record, shard }) = entry.remove_entry();
            let bytes = shard.bytes();
            progress.changes_bytes.fetch_add(bytes, Ordering::AcqRel);
            // The receiver is gone only when the engine stops; what is lost then is computed again after a restart.
            let _ = out.send(Message::Shard { epoch, record, shard, bytes });
        }
        if frontier.frontier() != sealed.borrow() {
            sealed = frontier.frontier().to_owned();
            let _ = out.send(Message::Sealed { worker, upto: sealed.as_option().copied() });
        }
    });
}
