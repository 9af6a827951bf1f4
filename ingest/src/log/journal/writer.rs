//! The journal's one writer: takes everything that waits, writes it as one commit, syncs once, then acknowledges all of
//! it. Not for reading.
//!
//! After a write or a sync that failed, the file is cut back to its durable end before anything else is written, since
//! it is unknown what the disk has of the rest; until that works, every append is refused.

use super::batch;
use super::commit::{self, ENTRY_BYTES, HEADER_BYTES, Segment};
use super::config::JournalConfig;
use super::meta::PartitionLayout;
use super::shared::JournalShared;
use crate::log::storage::write_all;
use crate::log::{Record, lock};
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::ports::{AppendCallback, AppendError};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// An append, encoded but for its offsets.
pub struct PendingAppend {
    entries: Vec<u8>,
    /// The order of its records in `entries`.
    order: Vec<usize>,
    batches: Vec<BatchSpan>,
    done: AppendCallback,
}

/// A batch within the entries.
struct BatchSpan {
    slot: usize,
    at: usize,
    count: u32,
}

impl PendingAppend {
    /// Encodes the records: consecutive ones of a partition share a batch, within the limits of one. If packed, those
    /// of a partition are made consecutive: earlier topics first, as snapshots have it.
    pub fn encode(
        records: &[(TopicPartition, Record)],
        layout: &PartitionLayout,
        config: &JournalConfig,
        done: AppendCallback,
    ) -> Result<PendingAppend, (AppendError, AppendCallback)> {
        let mut order: Vec<usize> = (0..records.len()).collect();
        if config.is_packed {
            order.sort_by_key(|number| records[*number].0);
        }
        let mut waiting = PendingAppend { entries: Vec::new(), order: Vec::new(), batches: Vec::new(), done };
        let mut compressor = config.is_packed.then(batch::compressor);
        let mut rest = &order[..];
        while let Some(first) = rest.first() {
            let at = &records[*first].0;
            let Some(slot) = layout.slot(*at) else {
                let error = AppendError::Unavailable(format!("the log has no partition {at}"));
                return Err((error, waiting.done));
            };
            let mut bytes = 0;
            let fits = |number: &&usize| {
                let (other, record) = &records[**number];
                bytes += record.bytes();
                other == at && bytes <= config.batch_bytes_max
            };
            let count = rest.iter().take(config.batch_records_max).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            waiting.entries.extend_from_slice(&layout.topic_number(at.topic).to_le_bytes());
            waiting.entries.extend_from_slice(&at.partition.to_le_bytes());
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            waiting.batches.push(BatchSpan { slot, at: waiting.entries.len(), count });
            let now = now.iter().map(|number| &records[*number].1);
            batch::encode((0..).zip(now), compressor.as_mut(), &mut waiting.entries);
            rest = later;
        }
        waiting.order = order;
        debug_assert!(waiting.batches.first().is_none_or(|first| first.at == ENTRY_BYTES));
        Ok(waiting)
    }
}

/// The appends that wait for the writer.
#[derive(Default)]
pub struct AppendQueue {
    inner: Mutex<Inner>,
    more: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<PendingAppend>,
    bytes: usize,
    closed: bool,
}

impl AppendQueue {
    /// Lets an append wait, or hands it back because there is no room.
    pub fn push(&self, waiting: PendingAppend, config: &JournalConfig) -> Result<(), (AppendError, AppendCallback)> {
        let mut inner = lock(&self.inner);
        let is_full = inner.waiting.len() >= config.waiting_appends_max
            || (!inner.waiting.is_empty() && inner.bytes + waiting.entries.len() > config.waiting_bytes_max);
        if is_full {
            return Err((AppendError::Overloaded, waiting.done));
        }
        inner.bytes += waiting.entries.len();
        inner.waiting.push_back(waiting);
        drop(inner);
        self.more.notify_one();
        Ok(())
    }

    /// Ends the writer when nothing waits any more.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.more.notify_one();
    }

    /// Everything that waits, up to about that many bytes; none when closed and empty.
    fn take(&self, bytes_max: usize) -> Option<Vec<PendingAppend>> {
        let mut inner = lock(&self.inner);
        while inner.waiting.is_empty() {
            if inner.closed {
                return None;
            }
            inner = self.more.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        Some(inner.take(bytes_max))
    }

    /// The same without waiting; empty if nothing waits.
    fn take_now(&self, bytes_max: usize) -> Vec<PendingAppend> {
        lock(&self.inner).take(bytes_max)
    }
}

impl Inner {
    fn take(&mut self, bytes_max: usize) -> Vec<PendingAppend> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.waiting.front() {
            let size = next.entries.len();
            if !group.is_empty() && bytes + size > bytes_max {
                break;
            }
            bytes += size;
            self.bytes -= size;
            group.extend(self.waiting.pop_front());
        }
        group
    }
}

/// Writes what waits, one commit a step.
pub struct Writer {
    shared: Arc<JournalShared>,
    queue: Arc<AppendQueue>,
    /// The durable state, which only this thread changes.
    position: u64,
    ends: Vec<u64>,
    segment: Segment,
    /// True if the file may hold more than what is durable.
    is_dirty: bool,
    commit: Vec<u8>,
}

impl Writer {
    /// Creates a writer that continues at the journal's end.
    pub(super) fn new(shared: Arc<JournalShared>, queue: Arc<AppendQueue>) -> Option<Writer> {
        let state = lock(&shared.state);
        let (position, ends) = (state.position, state.ends.clone());
        let segment = state.segments.last().cloned()?;
        drop(state);
        Some(Writer { shared, queue, position, ends, segment, is_dirty: false, commit: Vec::new() })
    }

    /// Until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Some(group) = self.queue.take(self.shared.config.commit_bytes_max) {
            self.commit(group);
        }
    }

    /// Writes what waits, if anything does; returns true if it did.
    pub fn step(&mut self) -> bool {
        let group = self.queue.take_now(self.shared.config.commit_bytes_max);
        let is_any = !group.is_empty();
        if is_any {
            self.commit(group);
        }
        is_any
    }

    fn commit(&mut self, group: Vec<PendingAppend>) {
        let bases = self.place(&group);
        match self.write() {
            Ok(()) => self.publish(group, &bases),
            Err(error) => {
                self.ends.clone_from(&lock(&self.shared.state).ends);
                let error = refusal(&error);
                tracing::warn!(%error, appends = group.len(), "the journal refused appends");
                group.into_iter().for_each(|waiting| (waiting.done)(Err(error.clone())));
            }
        }
    }

    /// Lays out the commit and gives every batch its offset.
    fn place(&mut self, group: &[PendingAppend]) -> Vec<u64> {
        self.commit.clear();
        self.commit.resize(HEADER_BYTES, 0);
        let mut bases = Vec::new();
        for waiting in group {
            let start = self.commit.len();
            self.commit.extend_from_slice(&waiting.entries);
            for BatchSpan { slot, at, count } in &waiting.batches {
                let base = self.ends[*slot];
                batch::place(&mut self.commit[start + at..], base);
                bases.push(base);
                self.ends[*slot] = base + u64::from(*count);
            }
        }
        commit::seal(&mut self.commit, self.position);
        bases
    }

    fn write(&mut self) -> io::Result<()> {
        self.repair()?;
        let used = self.position - self.segment.start;
        // Nothing but the journal's end decides this: when making the file fails, the next commit tries it again, and a
        // file that is left over has the right name.
        if used >= self.shared.config.segment_bytes.max(1) {
            let file = self.shared.storage.create(&Segment::name(self.position))?;
            let state = &mut *lock(&self.shared.state);
            // Not our own ends, which are beyond the commit that is to be written.
            let offsets = state.ends.clone().into();
            self.segment = Segment { start: self.position, offsets, file };
            state.segments.push(self.segment.clone());
        }
        self.is_dirty = true;
        let file = &*self.segment.file;
        let written = write_all(file, &self.commit, self.position - self.segment.start).and_then(|()| file.sync());
        match written {
            Ok(()) => {
                self.is_dirty = false;
                self.position += self.commit.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Tried at once so that a full disk has its room back; if it fails, before the next commit again.
                if let Err(error) = self.repair() {
                    tracing::warn!(%error, "the journal's end is not cut back yet");
                }
                Err(error)
            }
        }
    }

    fn repair(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.segment.file.truncate(self.position - self.segment.start)?;
            self.segment.file.sync()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// First the ends, then the callbacks: an acknowledged record is in every later snapshot.
    fn publish(&self, group: Vec<PendingAppend>, bases: &[u64]) {
        {
            let state = &mut *lock(&self.shared.state);
            state.index.note(state.position, &state.ends);
            state.position = self.position;
            state.ends.clone_from(&self.ends);
        }
        self.shared.watchers.notify();
        let mut bases = bases.iter();
        for waiting in group {
            let mut places = Vec::new();
            for (BatchSpan { slot, count, .. }, base) in waiting.batches.iter().zip(&mut bases) {
                let TopicPartition { topic, partition } = self.shared.layout.at(*slot);
                places.extend((*base..base + u64::from(*count)).map(|offset| Origin { topic, partition, offset }));
            }
            let mut origins = places.clone();
            waiting.order.iter().zip(places).for_each(|(number, place)| origins[*number] = place);
            (waiting.done)(Ok(origins));
        }
    }
}

fn refusal(error: &io::Error) -> AppendError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    // A bound on the size of files is a disk of that size, for a log.
    if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
        AppendError::Full(error.to_string())
    } else {
        AppendError::Unavailable(error.to_string())
    }
}
