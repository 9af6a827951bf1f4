//! Follows the output topics as whole epochs: all events and all changes of views of an epoch, once `views.progress` says
//! that it is complete, each record once however often publishers repeated it. Not for publishing, and not for what is
//! made of an epoch.
//!
//! Partitions come at their own pace where the log is a cluster's. The progress of an epoch says how far each of them has
//! to be read; nothing behind that is wanted meanwhile, so that what is held is bounded.

use crate::Error;
use crate::log::{Log, LogReader, LogRecord, ReadLimit, Record};
use crate::output::publisher::{Progress, header, place};
use bytes::Bytes;
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::ports::Waker;
use dataflows::shop::row::View;
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputReaderConfig {
    /// Records read at once.
    pub records_max: usize,
    /// About how many bytes.
    pub bytes_max: usize,
    /// About how many records may be read before the first of them is handed on; one epoch may have more.
    pub ahead_max: u64,
    /// About how many bytes; then only the first epoch is wanted.
    pub ahead_bytes_max: usize,
}

impl Default for OutputReaderConfig {
    fn default() -> OutputReaderConfig {
        OutputReaderConfig { records_max: 1_024, bytes_max: 4 << 20, ahead_max: 16_384, ahead_bytes_max: 16 << 20 }
    }
}

/// An epoch with everything that was published of it but dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochBatch {
    /// Its number.
    pub epoch: Epoch,
    /// Its time, in whole milliseconds.
    pub now: Timestamp,
    /// Its events, by their places.
    pub events: Vec<PublishedEvent>,
    /// The rows that changed, by view and place.
    pub changes: Vec<PublishedChange>,
}

/// A record of `<domain>.events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its place in the epoch.
    pub n: u64,
    /// The event's name, as in `tradewind.<Name>.v1`.
    pub name: SmolStr,
    /// The key of its subject.
    pub key: SmolStr,
    /// Its data, as JSON.
    pub data: Bytes,
}

/// A record of `views.<view>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedChange {
    /// The view.
    pub view: View,
    /// Its place among the view's changes of the epoch.
    pub n: u64,
    /// The row's key.
    pub key: SmolStr,
    /// The row as it is now, as JSON; none if it is gone.
    pub value: Option<Bytes>,
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next epoch.
    Epoch(EpochBatch),
    /// Something was read, and there may be more.
    More,
    /// The log gives nothing now.
    Idle,
}

/// An epoch that is complete in the topics.
struct CompletedEpoch {
    epoch: Epoch,
    now_ms: i64,
    /// The offset after its last record in each partition that moved.
    cut: Cut,
}

#[derive(Default)]
struct PendingEpoch {
    events: Vec<PublishedEvent>,
    changes: Vec<PublishedChange>,
    bytes: usize,
}

/// Follows the topics.
pub struct OutputReader {
    reader: Box<dyn LogReader>,
    config: OutputReaderConfig,
    /// The epoch that is handed on next.
    next: Epoch,
    /// Epoch and place of the last record that was taken, by partition.
    last: BTreeMap<TopicPartition, (u64, u64)>,
    told: VecDeque<CompletedEpoch>,
    pending: BTreeMap<Epoch, PendingEpoch>,
    /// The size of all of it.
    pending_bytes: usize,
    wanted: Cut,
    records: Vec<LogRecord>,
}

const PROGRESS: TopicPartition = TopicPartition::new(Topic::Progress, 0);

/// Returns true if the topic is followed.
const fn is_followed(topic: Topic) -> bool {
    match topic {
        Topic::Events(_) | Topic::View(_) | Topic::Progress => true,
        Topic::Policy
        | Topic::Catalog
        | Topic::Stock
        | Topic::Orders
        | Topic::Activity
        | Topic::Epochs
        | Topic::DeadLetters => false,
    }
}

fn text(bytes: Option<&Bytes>) -> Option<SmolStr> {
    std::str::from_utf8(bytes?).ok().map(SmolStr::from)
}

/// Returns true if the places are 1, 2, 3 … to their end.
fn are_all(places: impl Iterator<Item = u64>) -> bool {
    places.zip(1..).all(|(place, expected)| place == expected)
}

impl OutputReader {
    /// From that epoch on. Reads from the topics' beginning, and skips what is before it.
    pub fn open(log: &dyn Log, next: Epoch, config: OutputReaderConfig) -> Result<OutputReader, Error> {
        let mut starts = Cut::default();
        log.starts()?.iter().filter(|(at, _)| is_followed(at.topic)).for_each(|(at, start)| starts.set(at, start));
        let reader = log.reader(&starts)?;
        let mut published = OutputReader {
            reader,
            config,
            next: next.max(Epoch(1)),
            last: BTreeMap::new(),
            told: VecDeque::new(),
            pending: BTreeMap::new(),
            pending_bytes: 0,
            wanted: Cut::default(),
            records: Vec::new(),
        };
        published.want();
        Ok(published)
    }

    /// Whom to wake when there may be more.
    pub fn wake(&mut self, waker: Waker) {
        self.reader.wake(waker);
    }

    /// The epoch that is handed on next.
    pub const fn next(&self) -> Epoch {
        self.next
    }

    /// Continues by one epoch, or by one look at the log.
    pub fn step(&mut self) -> Result<Step, Error> {
        if let Some(whole) = self.complete()? {
            return Ok(Step::Epoch(whole));
        }
        let mut records = std::mem::take(&mut self.records);
        let limit = ReadLimit { records_max: self.config.records_max, bytes_max: self.config.bytes_max };
        let polled = self.reader.poll(limit, &mut records);
        let is_idle = records.is_empty();
        let taken = polled.and_then(|()| records.drain(..).try_for_each(|record| self.take(record)));
        self.records = records;
        taken?;
        self.want();
        // A position may have passed what holds nothing.
        let whole = self.complete()?;
        Ok(whole.map_or(if is_idle { Step::Idle } else { Step::More }, Step::Epoch))
    }

    fn take(&mut self, found: LogRecord) -> Result<(), Error> {
        let LogRecord { origin, record } = found;
        let at = origin.topic_partition();
        let Some(place) = place(&record) else {
            tracing::warn!(%origin, "a record of an output topic is no publisher's, and is passed by");
            return Ok(());
        };
        if self.last.get(&at).is_some_and(|last| place <= *last) {
            return Ok(());
        }
        self.last.insert(at, place);
        let (epoch, n) = (Epoch(place.0), place.1);
        if epoch < self.next {
            return Ok(());
        }
        let unreadable = |what: &str| Error::Outputs(format!("{what} of {origin} cannot be read"));
        let key = || text(record.key.as_ref()).ok_or_else(|| unreadable("the key"));
        match at.topic {
            Topic::Progress => {
                self.tell(epoch, &record).map_err(|error| error.unwrap_or_else(|| unreadable("the value")))?
            }
            Topic::Events(_) => {
                let name =
                    header(&record, "ce_type").and_then(|name| name.strip_prefix("tradewind.")?.strip_suffix(".v1"));
                let name = SmolStr::from(name.ok_or_else(|| unreadable("the type"))?);
                let data = record.value.clone().ok_or_else(|| unreadable("the value"))?;
                let event = PublishedEvent { n, name, key: key()?, data };
                self.pend(epoch, record.bytes()).events.push(event);
            }
            Topic::View(view) => {
                let change = PublishedChange { view, n, key: key()?, value: record.value.clone() };
                self.pend(epoch, record.bytes()).changes.push(change);
            }
            Topic::Policy
            | Topic::Catalog
            | Topic::Stock
            | Topic::Orders
            | Topic::Activity
            | Topic::Epochs
            | Topic::DeadLetters => {}
        }
        Ok(())
    }

    fn pend(&mut self, epoch: Epoch, bytes: usize) -> &mut PendingEpoch {
        self.pending_bytes += bytes;
        let pending = self.pending.entry(epoch).or_default();
        pending.bytes += bytes;
        pending
    }

    /// Takes the progress of an epoch; no error of its own if it cannot be read.
    fn tell(&mut self, epoch: Epoch, record: &Record) -> Result<(), Option<Error>> {
        let expected = self.told.back().map_or(self.next, |last| last.epoch.next());
        if epoch != expected {
            let why = format!("they go on at epoch {epoch}, and epoch {expected} is not there any more");
            return Err(Some(Error::Outputs(why)));
        }
        let progress: Progress = serde_json::from_slice(record.value.as_deref().ok_or(None)?).map_err(|_| None)?;
        let cut = progress.cut().map_err(Some)?;
        self.told.push_back(CompletedEpoch { epoch, now_ms: record.timestamp_ms, cut });
        Ok(())
    }

    /// Asks for the first epochs that are told of; if there is none, for the next that is.
    fn want(&mut self) {
        let mut wanted = Cut::default();
        let mut ahead = 0;
        for told in &self.told {
            for (at, next) in told.cut.iter() {
                let from = wanted.get(at).or_else(|| self.reader.position(at)).unwrap_or(next);
                ahead += next.saturating_sub(from);
                wanted.set(at, next.max(from));
            }
            if ahead > self.config.ahead_max || self.pending_bytes > self.config.ahead_bytes_max {
                break;
            }
        }
        if self.told.is_empty() {
            wanted.set(PROGRESS, u64::MAX);
        }
        if wanted != self.wanted {
            self.reader.prioritize_before(&wanted);
            self.wanted = wanted;
        }
    }

    /// The next epoch, if all of it was read.
    fn complete(&mut self) -> Result<Option<EpochBatch>, Error> {
        let Some(CompletedEpoch { epoch, now_ms, cut }) = self.told.front() else { return Ok(None) };
        let is_read = |(at, next): (TopicPartition, u64)| {
            let is_beyond = || self.last.get(&at).is_some_and(|(last, _)| *last > epoch.0);
            self.reader.position(at).is_some_and(|position| position >= next) || is_beyond()
        };
        if !cut.iter().all(is_read) {
            return Ok(None);
        }
        let (epoch, now) = (*epoch, Timestamp::from_micros(now_ms.saturating_mul(1000)));
        self.told.pop_front();
        let PendingEpoch { mut events, mut changes, bytes } = self.pending.remove(&epoch).unwrap_or_default();
        self.pending_bytes -= bytes;
        events.sort_unstable_by_key(|event| event.n);
        changes.sort_unstable_by_key(|change| (change.view, change.n));
        let of_a_view = |of: &[PublishedChange]| are_all(of.iter().map(|change| change.n));
        if !are_all(events.iter().map(|event| event.n)) || !changes.chunk_by(|a, b| a.view == b.view).all(of_a_view) {
            return Err(Error::Outputs(format!("records of epoch {epoch} are not there any more")));
        }
        self.next = epoch.next();
        Ok(Some(EpochBatch { epoch, now, events, changes }))
    }
}
