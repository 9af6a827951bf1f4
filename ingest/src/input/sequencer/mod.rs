//! Closes epochs: appends cuts of the log to `epochs`, and reads them back, since the log decides whose count. Any number
//! of sequencers may run on one log. Not for reading commands.
//!
//! It cuts when there is something to cut, the first time at once and then at most every `epoch_ms_min`, and at least
//! every `epoch_ms_max` so that time passes. An epoch holds about `epoch_records_max` records and `epoch_bytes_max` bytes
//! at most: when more waits, the cut stops short of the ends, at an earlier consistent snapshot of them, and the next one
//! follows at once.

use crate::input::sealed_epochs::{EpochFollower, STALL_MAX, SealedEpochs};
use crate::log::{CutLimit, Log, Record, Watch, lock};
use crate::{Clock, Error, Fatal, Signal};
use bytes::Bytes;
use dataflows::contract::epoch::{Cut, Epoch, Epochs};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::ports::AppendError;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Records of others taken in at once while no epoch can be due.
const FOLLOWED_MAX: usize = 256;

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequencerConfig {
    /// The least time between two epochs, unless commands wait that an epoch had no room for.
    pub epoch_ms_min: u64,
    /// The most time between two epochs.
    pub epoch_ms_max: u64,
    /// About how many records an epoch holds at most.
    pub epoch_records_max: u64,
    /// Bytes of records in an epoch, at most; one record may be larger than what is left.
    pub epoch_bytes_max: u64,
    /// The first wait after an error.
    pub retry_ms_min: u64,
    /// The longest wait after errors; each is twice the one before.
    pub retry_ms_max: u64,
    /// The time that the log may take to acknowledge an epoch record before that is an error.
    pub acknowledge_ms_max: u64,
}

impl Default for SequencerConfig {
    fn default() -> Self {
        SequencerConfig {
            epoch_ms_min: 5,
            epoch_ms_max: 1000,
            epoch_records_max: 10_000,
            epoch_bytes_max: 4 << 20,
            retry_ms_min: 10,
            retry_ms_max: 1000,
            acknowledge_ms_max: 10_000,
        }
    }
}

/// The receiver of the sequencer's reports.
#[derive(Clone)]
pub struct Report {
    /// The wall clock is that far behind the last epoch's `now`, whenever that changes by a millisecond; zero when it no
    /// longer is.
    pub clock_behind: Arc<dyn Fn(Duration) + Send + Sync>,
    /// The reason why no epoch can be closed, when that begins; none when it resumes.
    pub stalled: Arc<dyn Fn(Option<String>) + Send + Sync>,
    /// It cannot continue.
    pub fatal: Fatal,
}

/// A running sequencer. Dropping it stops it too.
pub struct Sequencer {
    signal: Signal,
    thread: Option<JoinHandle<()>>,
}

impl Sequencer {
    /// Starts closing epochs after those that are sealed.
    pub fn start(
        log: Arc<dyn Log>,
        sealed: &SealedEpochs,
        clock: Arc<dyn Clock>,
        report: Report,
        config: SequencerConfig,
    ) -> Result<Sequencer, Error> {
        let signal = Signal::default();
        let closer = EpochSequencer::new(log, sealed, clock, report.clone(), signal.clone(), config)?;
        let run = {
            let signal = signal.clone();
            move || run(closer, &report, &signal)
        };
        let thread = std::thread::Builder::new().name("sequencer".to_owned()).spawn(run);
        let thread = thread.map_err(Error::io("starting", "sequencer"))?;
        Ok(Sequencer { signal, thread: Some(thread) })
    }

    /// Stops it and waits until it has stopped.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.signal.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(thread.join());
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The wait for a log that has more than it gives, if it does not ring.
const SILENCE: Duration = Duration::from_millis(100);

/// The outcome of an append.
type AppendResult = Result<Vec<Origin>, AppendError>;

/// When the next step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// After that time, whatever comes.
    Pause(Duration),
    /// When the signal rings, or after that time.
    Idle(Duration),
}

/// The work that there is to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingCut {
    Nothing,
    Some,
    MoreThanAnEpoch,
}

impl SequencerConfig {
    /// The rule of the pace, from the time since the last epoch that was seen; none before any was.
    fn due(&self, since_last: Option<Duration>, waiting: PendingCut) -> Due {
        let Some(since_last) = since_last else { return Due::Now };
        let left = |ms: u64| Duration::from_millis(ms).saturating_sub(since_last);
        match waiting {
            PendingCut::MoreThanAnEpoch => Due::Now,
            PendingCut::Some if left(self.epoch_ms_min).is_zero() => Due::Now,
            PendingCut::Some => Due::Pause(left(self.epoch_ms_min)),
            PendingCut::Nothing if left(self.epoch_ms_max).is_zero() => Due::Now,
            PendingCut::Nothing => Due::Idle(left(self.epoch_ms_max)),
        }
    }
}

/// The time of the next epoch: the wall clock's, but always later than the last one's, and only just later while the
/// cut is behind what was there when the sequencer started, so that what waited through an outage is decided before
/// the timeouts that passed meanwhile. The first epoch has nothing to creep from.
fn next_now(epochs: &Epochs, wall: Timestamp, is_behind: bool) -> Timestamp {
    let least = Timestamp::from_micros(epochs.now.micros().saturating_add(1));
    if is_behind && epochs.last > Epoch(0) { least } else { least.max(wall) }
}

/// Moves the closer until it is stopped.
fn run(mut closer: EpochSequencer, report: &Report, signal: &Signal) {
    let first = Duration::from_millis(closer.config.retry_ms_min);
    let longest = Duration::from_millis(closer.config.retry_ms_max);
    let (mut retry, mut is_stalled) = (first, false);
    while !signal.is_stopped() {
        let before = closer.follower.epochs().last;
        match closer.step() {
            Ok(due) => {
                // What was appended now may still be refused.
                if closer.appended.is_none() || closer.follower.epochs().last > before {
                    retry = first;
                    if std::mem::take(&mut is_stalled) {
                        (report.stalled)(None);
                    }
                }
                match due {
                    Due::Now => {}
                    Due::Pause(wait) => signal.sleep(wait),
                    Due::Idle(wait) => drop(signal.wait(wait)),
                }
            }
            Err(error) if error.is_fatal() => return (report.fatal)(error),
            Err(_) if signal.is_stopped() => return,
            Err(error) => {
                tracing::warn!(%error, retry_ms = retry.as_millis(), "no epoch could be closed");
                if !std::mem::replace(&mut is_stalled, true) {
                    (report.stalled)(Some(error.to_string()));
                }
                signal.sleep(retry);
                retry = (retry * 2).min(longest);
            }
        }
    }
}

/// An epoch record that was appended.
struct AppendedRecord {
    epoch: Epoch,
    /// The last epoch before it.
    before: Epoch,
    landed: Arc<Mutex<Option<AppendResult>>>,
    since: Instant,
}

/// Closes epochs, step by step. Never waits: its caller does.
pub struct EpochSequencer {
    log: Arc<dyn Log>,
    follower: EpochFollower,
    clock: Arc<dyn Clock>,
    report: Report,
    signal: Signal,
    _watch: Watch,
    /// The ends when it started, until the cut has reached them.
    backlog: Option<Cut>,
    /// When the last epoch was seen, by any sequencer; none before the first since the start.
    closed: Option<Instant>,
    /// The record that waits for its acknowledgement.
    appended: Option<AppendedRecord>,
    /// Since when the log has not given what it has.
    silent: Option<Instant>,
    /// As it was reported.
    clock_behind: Duration,
    /// True if more waited than the last epoch had room for.
    is_hurried: bool,
    config: SequencerConfig,
}

impl EpochSequencer {
    /// Continues after the epochs that are sealed; the signal rings when a step may be due.
    pub fn new(
        log: Arc<dyn Log>,
        sealed: &SealedEpochs,
        clock: Arc<dyn Clock>,
        report: Report,
        signal: Signal,
        config: SequencerConfig,
    ) -> Result<EpochSequencer, Error> {
        let watch = log.watch(signal.waker());
        let mut follower = EpochFollower::new(&*log, sealed.end().clone())?;
        follower.wake(signal.waker());
        Ok(EpochSequencer {
            backlog: Some(log.ends()?.without_epochs()),
            log,
            follower,
            clock,
            report,
            signal,
            _watch: watch,
            closed: None,
            appended: None,
            silent: None,
            clock_behind: Duration::ZERO,
            is_hurried: false,
            config,
        })
    }

    /// Follows `epochs` to its end, then closes an epoch if one is due.
    pub fn step(&mut self) -> Result<Due, Error> {
        if let Some(appended) = &self.appended {
            let left = Duration::from_millis(self.config.acknowledge_ms_max).saturating_sub(appended.since.elapsed());
            let landed = lock(&appended.landed).clone();
            match landed {
                None if left.is_zero() => {
                    self.appended = None;
                    return Err(Error::Unavailable("an epoch record is not acknowledged".to_owned()));
                }
                None => return Ok(Due::Idle(left)),
                Some(Err(error)) => {
                    self.appended = None;
                    return Err(Error::Unavailable(error.to_string()));
                }
                Some(Ok(_)) => {}
            }
        }
        let before = self.follower.epochs().last;
        if let (None, false, Some(closed)) = (&self.appended, self.is_hurried, self.closed) {
            let left = Duration::from_millis(self.config.epoch_ms_min).saturating_sub(closed.elapsed());
            if !left.is_zero() {
                // Nothing can be due yet, and the ends may be far away to ask for: what others closed is here by itself.
                self.follower.poll(FOLLOWED_MAX, &mut |_| {})?;
                if self.follower.epochs().last > before {
                    self.closed = Some(Instant::now());
                }
                return Ok(Due::Idle(left));
            }
        }
        let ends = self.log.ends()?;
        let own_end = ends.get(TopicPartition::EPOCHS).unwrap_or(0);
        if !self.follower.follow(own_end)? {
            let silent = *self.silent.get_or_insert_with(Instant::now);
            if silent.elapsed() < STALL_MAX {
                return Ok(Due::Idle(SILENCE));
            }
            self.silent = None;
            return Err(Error::Unavailable(format!("{} gives nothing", TopicPartition::EPOCHS)));
        }
        self.silent = None;
        if self.follower.epochs().last > before {
            self.closed = Some(Instant::now());
        }
        // An acknowledged record is in the ends, so it was read. Ours counts or another's did; if neither, something in the
        // log is in the way, and hurry does not help.
        if let Some(appended) = self.appended.take()
            && self.follower.epochs().last == appended.before
        {
            return Err(Error::Unavailable(format!("the record of epoch {} does not count", appended.epoch)));
        }
        let epochs = self.follower.epochs();
        let ends = ends.without_epochs();
        let limit = CutLimit { records_max: self.config.epoch_records_max, bytes_max: self.config.epoch_bytes_max };
        let cut = self.log.cut_after(&epochs.cut, limit)?.without_epochs();
        let waiting = if !epochs.cut.is_before(&cut) {
            PendingCut::Nothing
        } else if cut.is_before(&ends) {
            PendingCut::MoreThanAnEpoch
        } else {
            PendingCut::Some
        };
        self.is_hurried = waiting == PendingCut::MoreThanAnEpoch;
        let due = self.config.due(self.closed.map(|closed| closed.elapsed()), waiting);
        if due == Due::Now {
            self.close(&cut)?;
        }
        Ok(due)
    }

    /// Appends the record of the next epoch; the next step sees what became of it.
    fn close(&mut self, cut: &Cut) -> Result<(), Error> {
        let now = self.now();
        let before = self.follower.epochs().last;
        let record = self.follower.epochs().next_record(cut, now);
        let value = serde_json::to_vec(&record).map_err(|error| Error::Unavailable(error.to_string()))?;
        let timestamp_ms = record.now.micros().div_euclid(1000);
        let landed: Arc<Mutex<Option<AppendResult>>> = Arc::default();
        let (place, signal) = (Arc::clone(&landed), self.signal.clone());
        let done = Box::new(move |result| {
            *lock(&place) = Some(result);
            signal.notify();
        });
        self.appended = Some(AppendedRecord { epoch: record.epoch, before, landed, since: Instant::now() });
        let record = Record { key: None, value: Some(Bytes::from(value)), headers: Vec::new(), timestamp_ms };
        self.log.append(vec![(TopicPartition::EPOCHS, record)], done);
        Ok(())
    }

    fn now(&mut self) -> Timestamp {
        let epochs = self.follower.epochs();
        let wall = self.clock.now();
        let is_behind = self.backlog.as_ref().is_some_and(|backlog| epochs.cut.is_before(backlog));
        if !is_behind {
            self.backlog = None;
        }
        let behind_us =
            if epochs.last > Epoch(0) { epochs.now.micros().saturating_sub(wall.micros()).max(0) } else { 0 };
        // Less than that is how epochs follow each other, not a clock that is wrong.
        let behind = Duration::from_millis(behind_us.unsigned_abs() / 1_000);
        let before = std::mem::replace(&mut self.clock_behind, behind);
        if behind != before {
            (self.report.clock_behind)(behind);
        }
        if before.is_zero() && !behind.is_zero() {
            tracing::warn!(?behind, "the wall clock is behind the last epoch and is not obeyed");
        }
        next_now(epochs, wall, is_behind)
    }
}

#[cfg(test)]
mod tests;
