//! A worker's source: its share of the partitions, decoded, in strides of whole epochs. Not for closing epochs, and
//! not for what a command leads to.
//!
//! Two readers go over the log: one follows `epochs`, one reads the share. A record's epoch is the first whose cut covers
//! it; an epoch is complete here when every partition of the share is read up to its cut, by position, never by count.
//! The reader of the share runs ahead of the cuts, so that a live epoch finds its records decoded, but only so far.

use crate::input::codec;
use crate::input::sealed_epochs::{EpochFollower, SealedEpochs};
use crate::log::{Log, LogReader, LogRecord, ReadLimit};
use crate::{Error, Fatal};
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::input::{CommandEnvelope, Input};
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::{Source, SourcePoll, Stride, Waker};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// Records held that no sealed cut covers yet.
    pub uncovered_records_max: usize,
    /// Bytes of decoded records that all workers hold, about, before nothing more is read than sealed epochs need.
    pub held_bytes_max: usize,
    /// Records of sealed epochs that may be unread before no further epoch is taken in, unless few epochs are.
    pub unread_records_max: u64,
    /// Sealed epochs held that are not given yet.
    pub epochs_ahead_max: usize,
    /// No further sealed epoch is taken in while those held cover that many records of the share.
    pub covered_records_max: u64,
    /// Records read at once.
    pub read_records_max: usize,
    /// Bytes read at once.
    pub read_bytes_max: usize,
}

impl Default for SourceConfig {
    fn default() -> Self {
        SourceConfig {
            uncovered_records_max: 100_000,
            held_bytes_max: 64 << 20,
            unread_records_max: 64,
            epochs_ahead_max: 4096,
            covered_records_max: 200_000,
            read_records_max: 2048,
            read_bytes_max: 4 << 20,
        }
    }
}

/// The worker that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its number, from 0.
    pub index: usize,
    /// The number of workers.
    pub peers: usize,
}

/// Sealed epochs that may have unread records, whatever their number: an epoch is cut by bytes.
const UNREAD_EPOCHS_MAX: usize = 4;
/// Bytes of memory that a byte of a record becomes, about: lists of small things grow most.
const DECODED_BYTES: usize = 4;

/// A decoded record.
struct QueuedRecord {
    offset: u64,
    /// Its size in memory, about.
    bytes: usize,
    input: Input,
}

impl QueuedRecord {
    fn of(LogRecord { origin, record }: &LogRecord) -> QueuedRecord {
        let bytes = size_of::<QueuedRecord>() + size_of::<CommandEnvelope>() + DECODED_BYTES * record.bytes();
        QueuedRecord { offset: origin.offset, bytes, input: codec::decode(*origin, record) }
    }
}

/// A partition of the share.
struct PartitionQueue {
    at: TopicPartition,
    /// Decoded records that are not given yet, in order of their offsets.
    queue: VecDeque<QueuedRecord>,
    /// Every record before it is in the queue or was given.
    position: u64,
    /// The offset where the last sealed epoch ends it.
    sealed: u64,
    /// The offset where the last epoch that was given ends it.
    given: u64,
}

impl PartitionQueue {
    /// The number of queued records before that offset.
    fn before(&self, offset: u64) -> usize {
        self.queue.partition_point(|queued| queued.offset < offset)
    }

    const fn is_behind(&self) -> bool {
        self.position < self.sealed
    }
}

/// A worker's source over any log.
pub struct LogSource {
    log: Arc<dyn Log>,
    follower: EpochFollower,
    reader: Box<dyn LogReader>,
    /// Sorted by partition.
    parts: Vec<PartitionQueue>,
    /// Sealed epochs that are not given yet.
    sealed: VecDeque<Arc<EpochRecord>>,
    /// True if the reader reads only partitions that are short of the cuts.
    is_focused: bool,
    /// True if the reader knows where the last sealed epoch ends.
    is_told: bool,
    waker: Option<Waker>,
    last: Option<Epoch>,
    given: Epoch,
    fatal: Fatal,
    /// Why no further epoch can be taken in; reported when those before it are given.
    refused: Option<Error>,
    state: State,
    records: Vec<LogRecord>,
    /// The size of all decoded records.
    held_bytes: usize,
    config: SourceConfig,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// An error was logged that may go away.
    Waiting,
    /// `fatal` was called.
    Stopped,
}

impl LogSource {
    /// A source that begins where the sealed epochs were read from. [`Error::Deleted`] if the log no longer reaches back
    /// so far.
    pub fn open(
        log: Arc<dyn Log>,
        sealed: &SealedEpochs,
        worker: Worker,
        fatal: Fatal,
        mut config: SourceConfig,
    ) -> Result<LogSource, Error> {
        config.held_bytes_max /= worker.peers.max(1);
        let start = sealed.start();
        let part = |at| {
            let from = start.epochs.cut.get(at).unwrap_or(0);
            PartitionQueue { at, queue: VecDeque::new(), position: from, sealed: from, given: from }
        };
        let is_ours = |(number, at): (usize, _)| (number % worker.peers.max(1) == worker.index).then_some(at);
        let mut parts: Vec<PartitionQueue> =
            log.partitions().covered().enumerate().filter_map(is_ours).map(part).collect();
        parts.sort_by_key(|part| part.at);
        let follower = EpochFollower::new(&*log, start.clone())?;
        let reader = log.reader(&starts(&parts, |_| true))?;
        Ok(LogSource {
            log,
            follower,
            reader,
            parts,
            sealed: VecDeque::new(),
            is_focused: false,
            is_told: false,
            waker: None,
            last: None,
            given: start.epochs.last,
            fatal,
            refused: None,
            state: State::Reading,
            records: Vec::new(),
            held_bytes: 0,
            config,
        })
    }

    /// Ends after that epoch: for a replay up to it.
    #[must_use]
    pub fn until(mut self, last: Epoch) -> LogSource {
        self.last = Some(last);
        self
    }

    /// The number of decoded records held.
    pub fn held(&self) -> usize {
        self.parts.iter().map(|part| part.queue.len()).sum()
    }

    /// Adds to the stride what there is. What was added stays right if there is an error after it.
    fn fill(&mut self, stride: &mut Stride, (epochs_max, inputs_max, bytes_max): StrideRoom) -> Result<(), Error> {
        loop {
            self.take_in_epochs()?;
            while let Some(record) = self.sealed.front()
                && self.is_complete(record)
            {
                let (count, bytes) = self.count(record);
                let is_more = stride.inputs.len() + count > inputs_max || stride.bytes + bytes > bytes_max;
                let is_full = !stride.epochs.is_empty() && is_more;
                if is_full || stride.epochs.len() >= epochs_max.max(1) {
                    return Ok(());
                }
                self.give(stride);
            }
            let is_full = stride.epochs.len() >= epochs_max.max(1) || stride.inputs.len() >= inputs_max.max(1);
            if is_full || stride.bytes >= bytes_max.max(1) || !self.read()? {
                return Ok(());
            }
        }
    }

    /// Follows `epochs`, within the limits.
    fn take_in_epochs(&mut self) -> Result<(), Error> {
        let LogSource { follower, parts, sealed, config, last, refused, is_told, held_bytes, .. } = self;
        let covered = |parts: &[PartitionQueue]| parts.iter().map(|part| part.sealed - part.given).sum::<u64>();
        let unread =
            |parts: &[PartitionQueue]| parts.iter().map(|part| part.sealed.saturating_sub(part.position)).sum::<u64>();
        // What is unread is not known by its bytes: of many records, only few epochs are.
        let mut unread_epochs = sealed.iter().rev().take_while(|record| !is_read(parts, record)).count();
        let is_held = *held_bytes >= config.held_bytes_max;
        while refused.is_none()
            && (sealed.is_empty()
                || (sealed.len() < config.epochs_ahead_max
                    && covered(parts) < config.covered_records_max
                    && !is_held
                    && (unread(parts) <= config.unread_records_max || unread_epochs < UNREAD_EPOCHS_MAX)))
        {
            let mut taken = |record: EpochRecord| {
                if last.is_some_and(|last| record.epoch > last) {
                    return;
                }
                for (at, next) in record.cut.iter() {
                    if let Ok(number) = parts.binary_search_by_key(&at, |part| part.at) {
                        parts[number].sealed = next;
                    }
                }
                unread_epochs += usize::from(!is_read(parts, &record));
                sealed.push_back(Arc::new(record));
                *is_told = false;
            };
            match follower.poll(1, &mut taken) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.is_fatal() => *refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_complete(&self, record: &EpochRecord) -> bool {
        is_read(&self.parts, record)
    }

    /// The number of its inputs, and of their bytes.
    fn count(&self, record: &EpochRecord) -> (usize, usize) {
        let (mut count, mut bytes) = (0, 0);
        for (number, next) in cut(&self.parts, record) {
            let part = &self.parts[number];
            let own = part.before(next);
            count += own;
            bytes += part.queue.range(..own).map(|queued| queued.bytes).sum::<usize>();
        }
        (count, bytes)
    }

    /// Gives the first sealed epoch, which is complete: its inputs in the order of partition and offset.
    fn give(&mut self, stride: &mut Stride) {
        let Some(record) = self.sealed.pop_front() else { return };
        let cut: Vec<(usize, u64)> = cut(&self.parts, &record).collect();
        for (number, next) in cut {
            let part = &mut self.parts[number];
            let count = part.before(next);
            for QueuedRecord { offset: _, bytes, input } in part.queue.drain(..count) {
                stride.bytes += bytes;
                self.held_bytes -= bytes;
                stride.inputs.push((record.epoch, input));
            }
            part.given = next;
        }
        self.given = record.epoch;
        stride.epochs.push(record);
    }

    /// Reads on in the share; false if there is nothing now, or no room before another epoch is sealed.
    fn read(&mut self) -> Result<bool, Error> {
        let is_behind = self.parts.iter().any(PartitionQueue::is_behind);
        let uncovered: usize = self.parts.iter().map(|part| part.queue.len() - part.before(part.sealed)).sum();
        if uncovered >= self.config.uncovered_records_max || self.held_bytes >= self.config.held_bytes_max {
            if !is_behind {
                return Ok(false);
            }
            let is_unread = |part: &PartitionQueue| part.is_behind() && !self.is_read(part);
            if uncovered > 0 || self.parts.iter().any(is_unread) {
                self.focus()?;
            }
        } else if self.is_focused
            && (!is_behind || self.parts.iter().any(|part| part.is_behind() && !self.is_read(part)))
        {
            self.reader = self.reader_of(|_| true)?;
            self.is_focused = false;
        }
        if is_behind && !std::mem::replace(&mut self.is_told, true) {
            // Live, records are here before their epoch; in a replay they are told apart from those of much later ones.
            self.reader.prioritize_before(&ends(&self.parts));
        }
        let (records_max, bytes_max) = (self.config.read_records_max, self.config.read_bytes_max);
        let mut records = std::mem::take(&mut self.records);
        let before: u64 = self.parts.iter().map(|part| part.position).sum();
        let polled = self.reader.poll(ReadLimit { records_max, bytes_max }, &mut records);
        for record in records.drain(..) {
            if let Ok(number) = self.parts.binary_search_by_key(&record.origin.topic_partition(), |part| part.at) {
                let queued = QueuedRecord::of(&record);
                self.held_bytes += queued.bytes;
                self.parts[number].queue.push_back(queued);
            }
        }
        self.records = records;
        for part in &mut self.parts {
            part.position = self.reader.position(part.at).unwrap_or(part.position);
        }
        polled?;
        Ok(self.parts.iter().map(|part| part.position).sum::<u64>() != before)
    }

    fn is_read(&self, part: &PartitionQueue) -> bool {
        self.reader.position(part.at).is_some()
    }

    /// A sealed epoch needs partitions whose records come after more than we hold of others': lets go of what no cut
    /// covers, and reads only what is short of them until the cuts are reached.
    fn focus(&mut self) -> Result<(), Error> {
        // The dropped records are beyond the sealed cuts, so the lagging partitions are known before. The new reader comes
        // first: without it, the old one would continue after the dropped records.
        self.reader = self.reader_of(PartitionQueue::is_behind)?;
        self.is_focused = true;
        for part in &mut self.parts {
            let kept = part.before(part.sealed);
            if let Some(first) = part.queue.get(kept) {
                part.position = first.offset;
            }
            self.held_bytes -= part.queue.drain(kept..).map(|queued| queued.bytes).sum::<usize>();
        }
        Ok(())
    }

    fn reader_of(&mut self, wanted: impl Fn(&PartitionQueue) -> bool) -> Result<Box<dyn LogReader>, Error> {
        let mut reader = self.log.reader(&starts(&self.parts, wanted))?;
        if let Some(waker) = &self.waker {
            reader.wake(Arc::clone(waker));
        }
        self.is_told = false;
        Ok(reader)
    }
}

/// The epochs, inputs and bytes that there is room for.
type StrideRoom = (usize, usize, usize);

/// The epoch's cut in these parts.
fn cut<'a>(parts: &'a [PartitionQueue], record: &'a EpochRecord) -> impl Iterator<Item = (usize, u64)> + 'a {
    let number = |at| parts.binary_search_by_key(&at, |part| part.at).ok();
    record.cut.iter().filter_map(move |(at, next)| Some((number(at)?, next)))
}

/// Returns true if all of the epoch is read in these parts.
fn is_read(parts: &[PartitionQueue], record: &EpochRecord) -> bool {
    cut(parts, record).all(|(number, next)| parts[number].position >= next)
}

fn starts(parts: &[PartitionQueue], wanted: impl Fn(&PartitionQueue) -> bool) -> Cut {
    let mut starts = Cut::default();
    for part in parts.iter().filter(|part| wanted(part)) {
        starts.set(part.at, part.position);
    }
    starts
}

/// The end of the last sealed epoch.
fn ends(parts: &[PartitionQueue]) -> Cut {
    let mut ends = Cut::default();
    parts.iter().for_each(|part| ends.set(part.at, part.sealed));
    ends
}

impl Source for LogSource {
    fn wake(&mut self, waker: Waker) {
        self.follower.wake(Arc::clone(&waker));
        self.reader.wake(Arc::clone(&waker));
        self.waker = Some(waker);
    }

    fn poll(&mut self, epochs_max: usize, inputs_max: usize, bytes_max: usize) -> SourcePoll {
        if self.state == State::Stopped {
            return SourcePoll::Pending;
        }
        if self.last.is_some_and(|last| self.given >= last) {
            return SourcePoll::End;
        }
        let mut stride = Stride::default();
        match self.fill(&mut stride, (epochs_max, inputs_max, bytes_max)) {
            Ok(()) => self.state = State::Reading,
            Err(error) if error.is_fatal() => {
                self.state = State::Stopped;
                (self.fatal)(error);
            }
            Err(error) => {
                if self.state == State::Reading {
                    tracing::warn!(%error, "the log cannot be read now");
                }
                self.state = State::Waiting;
            }
        }
        if !stride.epochs.is_empty() {
            return SourcePoll::Stride(stride);
        }
        if self.state != State::Stopped
            && self.sealed.is_empty()
            && let Some(error) = self.refused.take()
        {
            self.state = State::Stopped;
            (self.fatal)(error);
        }
        SourcePoll::Pending
    }
}

#[cfg(test)]
mod tests;
