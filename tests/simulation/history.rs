//! What was seen, over all stops of the machine: the log's records, also those that were deleted since, and every epoch
//! as it first left the core. Whatever is seen again must be the same.

use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::{AppendCallback, Sink, Waker};
use ingest::Error;
use ingest::log::journal::Journal;
use ingest::log::{CutLimit, Log, LogReader, LogRecord, Partitions, ReadLimit, Record, Watch};
use ingest::testing::Random;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Clones are the same.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<HistoryState>>);

#[derive(Default)]
pub struct HistoryState {
    /// Every record that was ever durable.
    pub records: BTreeMap<TopicPartition, Vec<(u64, Record)>>,
    /// Every epoch that was ever applied.
    pub epochs: BTreeMap<u64, Arc<Changes>>,
    pub counts: BTreeMap<String, u64>,
    /// One of so many times something small goes wrong.
    pub one_in: Option<(Random, usize)>,
}

impl History {
    pub fn seen(&self) -> MutexGuard<'_, HistoryState> {
        self.0.lock().unwrap()
    }

    pub fn count(&self, what: &str) {
        *self.seen().counts.entry(what.to_owned()).or_default() += 1;
    }

    pub fn strikes(&self, what: &str) -> bool {
        let strikes = self.seen().one_in.as_mut().is_some_and(|(random, one_in)| random.below(*one_in) == 0);
        if strikes {
            self.count(what);
        }
        strikes
    }

    /// Takes in what the log has; what it had before must still be there, or have been deleted.
    pub fn see_log(&self, journal: &Journal) -> Result<(), Error> {
        let (starts, ends) = (journal.starts()?, journal.ends()?);
        let mut from = Cut::default();
        for at in journal.partitions().iter() {
            let seen = self.seen().records.get(&at).and_then(|of| of.last()).map_or(0, |(offset, _)| offset + 1);
            let (start, end) = (starts.get(at).unwrap_or(0), ends.get(at).unwrap_or(0));
            assert!(start <= seen, "{at} was deleted up to {start}, and only {seen} were ever durable");
            assert!(seen <= end, "{at} had {seen} durable records and now ends at {end}");
            from.set(at, seen);
        }
        let mut reader = journal.reader(&from)?;
        let mut records: Vec<LogRecord> = Vec::new();
        let limit = ReadLimit { records_max: usize::MAX, bytes_max: usize::MAX };
        reader.poll(limit, &mut records)?;
        let seen = &mut *self.seen();
        for LogRecord { origin, record } in records {
            seen.records.entry(origin.topic_partition()).or_default().push((origin.offset, record));
        }
        Ok(())
    }

    /// The journal as a log that is seen before it is deleted.
    pub fn watched(&self, journal: Arc<Journal>) -> Arc<dyn Log> {
        Arc::new(WatchedLog { journal, history: self.clone() })
    }

    /// A sink that holds every epoch against what was seen of it; `base` is where the node begins.
    pub fn sink(&self, base: Option<Epoch>) -> Remember {
        Remember { history: self.clone(), base }
    }
}

struct WatchedLog {
    journal: Arc<Journal>,
    history: History,
}

impl Log for WatchedLog {
    fn partitions(&self) -> &Partitions {
        self.journal.partitions()
    }

    fn append(&self, records: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        self.journal.append(records, done);
    }

    fn starts(&self) -> Result<Cut, Error> {
        self.journal.starts()
    }

    fn ends(&self) -> Result<Cut, Error> {
        self.journal.ends()
    }

    fn cut_after(&self, from: &Cut, limit: CutLimit) -> Result<Cut, Error> {
        self.journal.cut_after(from, limit)
    }

    fn reader(&self, starts: &Cut) -> Result<Box<dyn LogReader>, Error> {
        self.journal.reader(starts)
    }

    fn delete_before(&self, floor: &Cut) -> Result<(), Error> {
        self.history.see_log(&self.journal)?;
        let before = self.journal.starts()?;
        let deleted = self.journal.delete_before(floor);
        if self.journal.starts()? != before {
            self.history.count("log deleted at its front");
        }
        deleted
    }

    fn watch(&self, waker: Waker) -> Watch {
        self.journal.watch(waker)
    }
}

pub struct Remember {
    history: History,
    base: Option<Epoch>,
}

impl Sink for Remember {
    fn apply(&mut self, changes: &Arc<Changes>) {
        let epoch = changes.epoch();
        let seen = &mut *self.history.seen();
        let before = seen.epochs.get(&epoch.0);
        if self.base.take() == Some(epoch) {
            let before = before.expect("a checkpoint is of an epoch that was applied");
            assert_eq!(changes.standings, before.standings, "the checkpoint of epoch {epoch}");
            return;
        }
        if let Some(before) = before {
            assert_eq!(changes, before, "epoch {epoch} was another before");
            *seen.counts.entry("epoch replayed".to_owned()).or_default() += 1;
            return;
        }
        assert_eq!(seen.epochs.len() as u64 + 1, epoch.0, "epochs follow each other");
        seen.epochs.insert(epoch.0, Arc::clone(changes));
    }
}
