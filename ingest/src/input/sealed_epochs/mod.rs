//! The epochs that are closed already: where a process begins, and the one way in which everybody here follows the
//! topic `epochs`. Not for closing epochs: see `sequencer`.

use crate::log::{Log, LogReader, LogRecord, ReadLimit};
use crate::{Error, Signal};
use dataflows::contract::epoch::{Cut, EpochRecord, EpochRefusal, Epochs, RULES};
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::Waker;
use std::time::{Duration, Instant};

/// The time that reading may make no progress before it is an error.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(30);
/// Epoch records read at once.
const RECORDS_MAX: usize = 256;
const BYTES_MAX: usize = 1 << 20;

/// A place in the history: what the epoch records say so far, and the offset right after the last of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Their content.
    pub epochs: Epochs,
    /// The next offset to read in `epochs`.
    pub offset: u64,
}

impl LogPosition {
    /// The floor of a log in which no reader begins before this place.
    pub fn floor(&self) -> Cut {
        let mut floor = self.epochs.cut.clone();
        floor.set(TopicPartition::EPOCHS, self.offset);
        floor
    }
}

/// The epochs closed when the process started: read once, and checked. Every epoch in it is decided by rules that this
/// build has, and the log still has everything that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEpochs {
    start: LogPosition,
    end: LogPosition,
    backlog: Cut,
}

impl SealedEpochs {
    /// Reads `epochs` from `start`, the place of a checkpoint or the beginning, to its end. [`Error::Deleted`] if the log
    /// no longer reaches back to that place in every partition.
    pub fn read(log: &dyn Log, start: LogPosition) -> Result<SealedEpochs, Error> {
        check_reaches_back(&start, &log.starts()?)?;
        let ends = log.ends()?;
        check_is_there(&start.epochs, start.offset, &ends)?;
        let mut follower = EpochFollower::new(log, start.clone())?;
        let signal = Signal::default();
        follower.wake(signal.waker());
        follower.read_to(ends.get(TopicPartition::EPOCHS).unwrap_or(0), &signal, &mut |_| {})?;
        let end = follower.place;
        check_is_there(&end.epochs, end.offset, &ends)?;
        Ok(SealedEpochs { start, end, backlog: ends.without_epochs() })
    }

    /// The place it was read from.
    pub const fn start(&self) -> &LogPosition {
        &self.start
    }

    /// The place where it ended.
    pub const fn end(&self) -> &LogPosition {
        &self.end
    }

    /// The log's end then: what lies between the last epoch and it was acknowledged, and is still to be decided.
    pub const fn backlog(&self) -> &Cut {
        &self.backlog
    }
}

/// A partition that the place does not name is still to be read from its beginning.
fn check_reaches_back(place: &LogPosition, starts: &Cut) -> Result<(), Error> {
    let floor = place.floor();
    for (at, start) in starts.iter() {
        let asked = floor.get(at).unwrap_or(0);
        if asked < start {
            return Err(Error::Deleted { at, asked, start });
        }
    }
    Ok(())
}

/// A cut beyond the log's end means that the log lost what was decided already.
fn check_is_there(epochs: &Epochs, offset: u64, ends: &Cut) -> Result<(), Error> {
    let own = (TopicPartition::EPOCHS, offset);
    for (at, cut) in epochs.cut.iter().chain([own]) {
        let end = ends.get(at).unwrap_or(0);
        if cut > end {
            return Err(Error::LogTruncated { epoch: epochs.last, at, cut, end });
        }
    }
    Ok(())
}

/// Follows `epochs`: takes the records that count.
pub(crate) struct EpochFollower {
    reader: Box<dyn LogReader>,
    place: LogPosition,
    records: Vec<LogRecord>,
}

impl EpochFollower {
    /// From a place on.
    pub fn new(log: &dyn Log, from: LogPosition) -> Result<EpochFollower, Error> {
        let mut starts = Cut::default();
        starts.set(TopicPartition::EPOCHS, from.offset);
        Ok(EpochFollower { reader: log.reader(&starts)?, place: from, records: Vec::new() })
    }

    /// Whom to wake when there is more.
    pub fn wake(&mut self, waker: Waker) {
        self.reader.wake(waker);
    }

    /// Its place.
    pub const fn place(&self) -> &LogPosition {
        &self.place
    }

    /// The content of the records so far.
    pub const fn epochs(&self) -> &Epochs {
        &self.place.epochs
    }

    /// Reads at most that many records and hands on those that count; says whether there was any record. An epoch of
    /// other rules is an error, after the ones before it were handed on.
    pub fn poll(&mut self, records_max: usize, taken: &mut dyn FnMut(EpochRecord)) -> Result<bool, Error> {
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        self.reader.poll(ReadLimit { records_max, bytes_max: BYTES_MAX }, &mut records)?;
        for LogRecord { origin, record } in &records {
            match self.place.epochs.accept_bytes(record.value.as_deref().unwrap_or_default()) {
                Ok(EpochRecord { epoch, rules: found, .. }) if found != RULES => {
                    return Err(Error::Rules { epoch, found, known: RULES });
                }
                Ok(record) => taken(record),
                Err(ignored) => report(&ignored, origin.offset),
            }
            self.place.offset = origin.offset + 1;
        }
        let any = !records.is_empty();
        self.records = records;
        self.place.offset = self.place.offset.max(self.reader.position(TopicPartition::EPOCHS).unwrap_or(0));
        Ok(any)
    }

    /// Reads up to that offset as far as the log gives it now; says whether it is reached.
    pub fn follow(&mut self, end: u64) -> Result<bool, Error> {
        while self.place.offset < end {
            if !self.poll(RECORDS_MAX, &mut |_| {})? {
                return Ok(self.place.offset >= end);
            }
        }
        Ok(true)
    }

    /// Reads up to that offset, waiting for a log that gives its records by and by.
    pub fn read_to(&mut self, end: u64, signal: &Signal, taken: &mut dyn FnMut(EpochRecord)) -> Result<(), Error> {
        let mut progress = Instant::now();
        while self.place.offset < end {
            if self.poll(RECORDS_MAX, taken)? {
                progress = Instant::now();
            } else if self.place.offset < end {
                if progress.elapsed() > STALL_MAX || signal.is_stopped() {
                    return Err(Error::Unavailable(format!("{} gives nothing", TopicPartition::EPOCHS)));
                }
                signal.wait(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}

/// Two sequencers that race leave records that do not count; anything else is worth a look.
fn report(ignored: &EpochRefusal, offset: u64) {
    match ignored {
        EpochRefusal::NotNext { .. } => tracing::debug!(offset, %ignored, "an epoch record does not count"),
        EpochRefusal::NotLater { .. } | EpochRefusal::Uncovered { .. } | EpochRefusal::Unreadable(_) => {
            tracing::warn!(offset, %ignored, "an epoch record does not count");
        }
    }
}

#[cfg(test)]
mod tests;
