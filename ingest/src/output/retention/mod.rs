//! The retention of the output topics of the embedded log: records older than the retention, by the log's own time, are
//! deleted once every follower of the topics is beyond them. Not for how files are deleted, and not for a cluster, which
//! has settings for that.
//!
//! `views.progress` says of each epoch when it was and where it ends in every partition, so following it as far as may go
//! is all that there is to do. Dead letters go with what stands before and behind them. How long removals of rows are
//! there counts by the wall clock, as for readers.

use super::publisher::Progress;
use crate::log::journal::{Compaction, Journal};
use crate::log::{Log, LogReader, LogRecord, ReadLimit};
use crate::{Clock, Error, Signal};
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::{Topic, TopicPartition};
use std::collections::VecDeque;
use std::sync::Arc;

const PROGRESS: TopicPartition = TopicPartition::new(Topic::Progress, 0);
const LIMIT: ReadLimit = ReadLimit { records_max: 256, bytes_max: 1 << 20 };

/// Why no more may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The next epoch is not old enough.
    Age,
    /// The follower does not have the next epoch yet.
    Follower,
}

/// The part that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The last epoch that may.
    pub epoch: Epoch,
    /// Why not the next one.
    pub holder: Holder,
}

/// Deletes what is old, step by step.
pub struct Retention {
    journal: Arc<Journal>,
    kept_ms: i64,
    /// That of readers: between two epochs their time passes, too.
    clock: Arc<dyn Clock>,
    signal: Signal,
    /// Reads the progress after the floor.
    reader: Option<Box<dyn LogReader>>,
    read: VecDeque<LogRecord>,
    floor: Cut,
    epoch: Epoch,
}

impl Retention {
    /// Keeps what is not older than that; that a row is gone is known for as long again, from when it is compacted. Ends
    /// what it does early if it is stopped.
    pub fn new(journal: Arc<Journal>, kept_ms: u64, clock: Arc<dyn Clock>, signal: Signal) -> Retention {
        let kept_ms = i64::try_from(kept_ms).unwrap_or(i64::MAX);
        let (reader, read, floor) = (None, VecDeque::new(), Cut::default());
        Retention { journal, kept_ms, clock, signal, reader, read, floor, epoch: Epoch(0) }
    }

    /// Deletes what may go, given the last epoch that the follower has, if there is one.
    pub fn step(&mut self, followed: Option<Epoch>) -> Result<Floor, Error> {
        let mut floor = Floor { epoch: self.epoch, holder: Holder::Age };
        let Some(newest_ms) = self.newest_ms()? else { return Ok(floor) };
        let old_ms = newest_ms.saturating_sub(self.kept_ms);
        while let Some((offset, time_ms, progress)) = self.next()? {
            if time_ms >= old_ms {
                break;
            }
            if followed.is_some_and(|followed| progress.epoch > followed) {
                floor.holder = Holder::Follower;
                break;
            }
            self.read.pop_front();
            self.floor.advance(&progress.cut()?);
            self.floor.set(PROGRESS, offset + 1);
            self.epoch = progress.epoch;
        }
        floor.epoch = self.epoch;
        let mut cut = self.floor.clone();
        let ends = self.journal.ends()?;
        ends.iter().filter(|(at, _)| at.topic == Topic::DeadLetters).for_each(|(at, end)| cut.set(at, end));
        let clock = Arc::clone(&self.clock);
        let now_ms = Arc::new(move || newest_ms.max(clock.now().micros() / 1_000));
        let compaction = Compaction { now_ms, removals_kept_ms: self.kept_ms, signal: self.signal.clone() };
        self.journal.compact_before(&cut, &compaction)?;
        Ok(floor)
    }

    /// The time of the newest epoch; none if there is none.
    fn newest_ms(&self) -> Result<Option<i64>, Error> {
        let (start, end) = (self.journal.starts()?.get(PROGRESS), self.journal.ends()?.get(PROGRESS));
        let Some(last) = end.and_then(|end| end.checked_sub(1)).filter(|last| Some(*last) >= start) else {
            return Ok(None);
        };
        let mut from = Cut::default();
        from.set(PROGRESS, last);
        let mut records = Vec::new();
        self.journal.reader(&from)?.poll(ReadLimit { records_max: 1, ..LIMIT }, &mut records)?;
        Ok(records.first().map(|found| found.record.timestamp_ms))
    }

    /// The progress after the floor: where it is, its time, and what it says.
    fn next(&mut self) -> Result<Option<(u64, i64, Progress)>, Error> {
        if self.read.is_empty() {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => {
                    let mut from = Cut::default();
                    from.set(PROGRESS, self.journal.starts()?.get(PROGRESS).unwrap_or(0));
                    self.reader.insert(self.journal.reader(&from)?)
                }
            };
            let mut records = Vec::new();
            reader.poll(LIMIT, &mut records)?;
            self.read.extend(records);
        }
        let Some(LogRecord { origin, record }) = self.read.front() else { return Ok(None) };
        let progress = serde_json::from_slice(record.value.as_deref().unwrap_or_default());
        let progress = progress.map_err(|error| Error::Outputs(format!("{origin} cannot be read: {error}")))?;
        Ok(Some((origin.offset, record.timestamp_ms, progress)))
    }
}

#[cfg(test)]
mod tests;
