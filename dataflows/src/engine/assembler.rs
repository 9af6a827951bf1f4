//! Puts the shards of an epoch together and hands whole epochs to the sinks. Not for threads: `engine` has those.

use crate::contract::changes::{Changes, Shard, ViewDigests};
use crate::contract::epoch::EpochRecord;
use crate::engine::operators::Message;
use crate::ports::Sink;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Puts epochs together when every worker has sealed them, and hands them to the sinks.
pub struct EpochAssembler {
    /// Up to where each worker has; none when it has ended.
    sealed: Vec<Option<u64>>,
    records: BTreeMap<u64, Arc<EpochRecord>>,
    /// The shards of an epoch, and the bytes of them all.
    shards: BTreeMap<u64, (Vec<Shard>, usize)>,
    standings: ViewDigests,
    /// The sinks that get them.
    pub sinks: Vec<Box<dyn Sink>>,
}

impl EpochAssembler {
    /// Nothing is there yet but the base, which the sinks get first.
    pub fn new(workers: usize, base: Option<&Arc<Changes>>, mut sinks: Vec<Box<dyn Sink>>) -> EpochAssembler {
        let mut standings = ViewDigests::default();
        if let Some(base) = base {
            standings = base.standings.clone();
            sinks.iter_mut().for_each(|sink| sink.apply(base));
        }
        let (records, shards) = (BTreeMap::new(), BTreeMap::new());
        EpochAssembler { sealed: vec![Some(0); workers], records, shards, standings, sinks }
    }

    /// Takes a worker's message, and calls `applied` for each epoch that all sinks have by that, with its bytes.
    pub fn take(&mut self, message: Message, mut applied: impl FnMut(u64, usize)) {
        match message {
            Message::Shard { epoch, record, shard, bytes } => {
                self.records.extend(record.map(|record| (epoch, record)));
                let (shards, all) = self.shards.entry(epoch).or_default();
                shards.push(*shard);
                *all += bytes;
                return;
            }
            Message::Sealed { worker, upto } => self.sealed[worker] = upto,
        }
        let upto = self.sealed.iter().map(|upto| upto.unwrap_or(u64::MAX)).min().unwrap_or(0);
        while let Some(entry) = self.records.first_entry().filter(|entry| *entry.key() < upto) {
            let (epoch, record) = entry.remove_entry();
            let (shards, bytes) = self.shards.remove(&epoch).unwrap_or_default();
            let changes = Arc::new(Changes::of(record, shards, std::mem::take(&mut self.standings)));
            self.standings = changes.standings.clone();
            self.sinks.iter_mut().for_each(|sink| sink.apply(&changes));
            applied(epoch, bytes);
        }
    }
}
