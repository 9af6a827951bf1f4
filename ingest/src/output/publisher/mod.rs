//! Publishes what leaves the core: `<domain>.events`, `views.<view>`, `dead-letters`, and `views.progress` after them.
//! Not for what the records look like: see `records`.
//!
//! Records of an epoch come after those of the epoch before, each epoch's in its order, and only when all before them are
//! acknowledged: so whatever fails and is repeated, a reader that takes only what is beyond the last that it took has
//! every record once. `views.progress` says last that an epoch is complete, and is where a publisher finds its place.

mod records;

pub use records::{EpochRecords, Progress, header, place};

use crate::checkpoint::FlushBeforeCheckpoint;
use crate::input::sealed_epochs::STALL_MAX;
use crate::input::sequencer::Due;
use crate::log::{Log, ReadLimit, Record, lock};
use crate::standstill::{Faults, Standstill};
use crate::{Error, Signal};
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use dataflows::ports::{AppendError, Sink};
use dataflows::shop::footprint::Footprint as _;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublisherConfig {
    /// Epochs that may wait; the core waits when there are more.
    pub epochs_waiting_max: usize,
    /// Bytes of them, about, unless one epoch has more.
    pub bytes_waiting_max: usize,
    /// About how much is appended at once.
    pub append_bytes_max: usize,
    /// Epochs appended at once.
    pub append_epochs_max: usize,
    /// The time that the log may take to acknowledge before that is reported.
    pub acknowledge_ms_max: u64,
    /// The first wait after an error.
    pub retry_ms_min: u64,
    /// The longest wait after errors; each is twice the one before.
    pub retry_ms_max: u64,
    /// The time that a checkpoint waits for what is on its way.
    pub durable_ms_max: u64,
}

impl Default for PublisherConfig {
    fn default() -> Self {
        PublisherConfig {
            epochs_waiting_max: 4_096,
            bytes_waiting_max: 64 << 20,
            append_bytes_max: 4 << 20,
            append_epochs_max: 256,
            acknowledge_ms_max: 30_000,
            retry_ms_min: 10,
            retry_ms_max: 1_000,
            durable_ms_max: 10_000,
        }
    }
}

/// The queue of epochs to be published. Clones are the same.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<PublisherState>,
}

struct PublisherState {
    state: Mutex<State>,
    /// Rung when something was published, or it is over.
    moved: Condvar,
    signal: Signal,
    /// Since something was published last.
    faults: Faults,
    config: PublisherConfig,
}

#[derive(Default)]
struct State {
    /// Each with its bytes.
    waiting: VecDeque<(Arc<Changes>, usize)>,
    bytes: usize,
    /// The last epoch that is complete in the topics.
    published: Epoch,
    is_over: bool,
}

/// The place that earlier publishers reached: the last epoch that is complete in the topics, 0 if there is none.
pub fn published(log: &dyn Log) -> Result<Epoch, Error> {
    let at = TopicPartition::new(Topic::Progress, 0);
    let (first, end) = (log.starts()?.get(at).unwrap_or(0), log.ends()?.get(at).unwrap_or(0));
    let mut back = 64;
    loop {
        // Offsets may have holes, so that the last record is somewhere before the end.
        let from = end.saturating_sub(back).max(first);
        if let Some(progress) = last_between(log, at, from, end)? {
            return Ok(progress.epoch);
        }
        if from == first {
            return Ok(Epoch(0));
        }
        back = back.saturating_mul(8);
    }
}

fn last_between(log: &dyn Log, at: TopicPartition, from: u64, end: u64) -> Result<Option<Progress>, Error> {
    let mut start = Cut::default();
    start.set(at, from);
    let mut reader = log.reader(&start)?;
    let signal = Signal::default();
    reader.wake(signal.waker());
    let (mut records, mut last, begun) = (Vec::new(), None, Instant::now());
    while reader.position(at).unwrap_or(end) < end {
        reader.poll(ReadLimit { records_max: 256, bytes_max: 1 << 20 }, &mut records)?;
        let read = records.drain(..).filter_map(|of| serde_json::from_slice(of.record.value.as_deref()?).ok());
        last = read.last().or(last);
        if reader.position(at).unwrap_or(end) < end {
            if begun.elapsed() > STALL_MAX {
                return Err(Error::Unavailable(format!("{at} gives nothing")));
            }
            signal.wait(Duration::from_millis(10));
        }
    }
    Ok(last)
}

impl Outbox {
    /// An empty one; `published` is where the publishers before have come.
    pub fn new(published: Epoch, config: PublisherConfig) -> Outbox {
        let state = Mutex::new(State { published, ..State::default() });
        let (moved, signal, faults) = (Condvar::new(), Signal::default(), Faults::default());
        Outbox { shared: Arc::new(PublisherState { state, moved, signal, faults, config }) }
    }

    /// The last epoch that is complete in the topics.
    pub fn published(&self) -> Epoch {
        lock(&self.shared.state).published
    }

    /// The number of epochs that wait.
    pub fn waiting(&self) -> usize {
        lock(&self.shared.state).waiting.len()
    }

    /// The number of their bytes, about.
    pub fn waiting_bytes(&self) -> usize {
        lock(&self.shared.state).bytes
    }

    /// Why nothing can be published, while that is so.
    pub fn stalled(&self) -> Option<Standstill> {
        self.shared.faults.standstill()
    }

    /// Notes why, until something is published.
    fn stall(&self, error: &Error) {
        if self.shared.faults.note(error.to_string()) {
            tracing::warn!(%error, "outputs cannot be published now");
        }
    }

    fn end(&self) {
        lock(&self.shared.state).is_over = true;
        self.shared.moved.notify_all();
        self.shared.signal.stop();
    }
}

impl Sink for Outbox {
    fn apply(&mut self, changes: &Arc<Changes>) {
        let PublisherState { state, moved, signal, faults: _, config } = &*self.shared;
        let mut state = lock(state);
        let epoch = changes.epoch();
        let last = state.waiting.back().map_or(state.published, |(last, _)| last.epoch().max(state.published));
        if epoch <= last {
            return;
        }
        if last > Epoch(0) && epoch > last.next() {
            tracing::warn!(last = last.0, epoch = epoch.0, "events between these epochs are in no output topic");
        }
        let bytes = changes.bytes();
        let is_full = |state: &State| {
            let too_many = state.waiting.len() >= config.epochs_waiting_max.max(1);
            too_many || (!state.waiting.is_empty() && state.bytes + bytes > config.bytes_waiting_max)
        };
        while is_full(&state) && !state.is_over {
            state = moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.push_back((Arc::clone(changes), bytes));
        state.bytes += bytes;
        signal.notify();
    }
}

impl FlushBeforeCheckpoint for Outbox {
    fn make_durable(&self, upto: Epoch) -> Result<(), Error> {
        let PublisherState { state, moved, config, .. } = &*self.shared;
        let longest = Duration::from_millis(config.durable_ms_max);
        let is_behind = |state: &mut State| state.published < upto && !state.is_over && !state.waiting.is_empty();
        let (state, _) =
            moved.wait_timeout_while(lock(state), longest, is_behind).unwrap_or_else(PoisonError::into_inner);
        if state.published >= upto {
            return Ok(());
        }
        let why = self.shared.faults.why().unwrap_or_else(|| "they are on their way".to_owned());
        Err(Error::Unavailable(format!("the outputs of epoch {upto} are not published: {why}")))
    }
}

type AckSlot = Arc<Mutex<Option<Result<Vec<Origin>, AppendError>>>>;

/// The epochs being published.
struct PublishBatch {
    epochs: VecDeque<Arc<Changes>>,
    /// The records of the first epoch whose records were not all appended.
    records: Option<EpochRecords>,
    /// For each epoch whose records were all appended, the record of the append at which it ended.
    ends: Vec<usize>,
    /// The progress that is published after it.
    progress: Vec<(TopicPartition, Record)>,
    /// The last epoch of the batch.
    last: Epoch,
    landed: Option<(AckSlot, Instant)>,
}

/// Publishes, step by step. Never waits: its caller does.
pub struct OutputPublisher {
    log: Arc<dyn Log>,
    outbox: Outbox,
    batch: Option<PublishBatch>,
    /// Which partitions of events and views moved since the last progress, and to where; none if that is not known.
    moved: Option<Cut>,
}

impl OutputPublisher {
    /// Publishes what is in the outbox.
    pub fn new(log: Arc<dyn Log>, outbox: Outbox) -> OutputPublisher {
        OutputPublisher { log, outbox, batch: None, moved: None }
    }

    /// Continues as far as it can now.
    pub fn step(&mut self) -> Result<Due, Error> {
        let stepped = self.try_step();
        if stepped.is_err() {
            // What of it is there is unknown: all of it comes again, in the same order.
            (self.batch, self.moved) = (None, None);
        }
        stepped
    }

    fn try_step(&mut self) -> Result<Due, Error> {
        let shared = Arc::clone(&self.outbox.shared);
        let config = &shared.config;
        let Some(mut batch) = self.batch.take() else {
            let state = lock(&shared.state);
            let epochs: VecDeque<_> = state
                .waiting
                .iter()
                .take(config.append_epochs_max.max(1))
                .map(|(changes, _)| Arc::clone(changes))
                .collect();
            drop(state);
            let Some(last) = epochs.back().map(|last| last.epoch()) else { return Ok(Due::Idle(IDLE)) };
            if self.moved.is_none() {
                self.moved = Some(self.log.ends()?);
            }
            self.batch = Some(PublishBatch {
                epochs,
                records: None,
                ends: Vec::new(),
                progress: Vec::new(),
                last,
                landed: None,
            });
            return Ok(Due::Now);
        };
        if let Some((landed, since)) = batch.landed.take() {
            let left = Duration::from_millis(config.acknowledge_ms_max).saturating_sub(since.elapsed());
            let result = lock(&landed).take();
            match result {
                None => {
                    // The log answers sooner or later, and what is on its way would only be there twice.
                    let is_late = left.is_zero();
                    if is_late {
                        self.outbox.stall(&Error::Unavailable("outputs are not acknowledged".to_owned()));
                    }
                    batch.landed = Some((landed, since));
                    self.batch = Some(batch);
                    return Ok(Due::Idle(if is_late { IDLE } else { left }));
                }
                Some(Err(error)) => return Err(Error::Unavailable(error.to_string())),
                Some(Ok(origins)) => self.acknowledge(&mut batch, &origins),
            }
        }
        let records = if batch.epochs.is_empty() { std::mem::take(&mut batch.progress) } else { self.next(&mut batch) };
        if records.is_empty() && batch.epochs.is_empty() {
            self.finish(batch.last);
            return Ok(Due::Now);
        }
        let landed = AckSlot::default();
        batch.landed = Some((Arc::clone(&landed), Instant::now()));
        self.batch = Some(batch);
        if records.is_empty() {
            // Epochs without anything to publish but that they are complete.
            *lock(&landed) = Some(Ok(Vec::new()));
            return Ok(Due::Now);
        }
        let signal = shared.signal.clone();
        let done = Box::new(move |result| {
            *lock(&landed) = Some(result);
            signal.notify();
        });
        self.log.append(records, done);
        Ok(Due::Now)
    }

    /// The records of the next append, and where in it epochs end.
    fn next(&self, batch: &mut PublishBatch) -> Vec<(TopicPartition, Record)> {
        let (partitions, bytes_max) = (self.log.partitions(), self.outbox.shared.config.append_bytes_max);
        let (mut out, mut bytes) = (Vec::new(), 0);
        while let Some(changes) = batch.epochs.get(batch.ends.len()) {
            let records = batch.records.get_or_insert_with(|| EpochRecords::new(Arc::clone(changes)));
            while bytes < bytes_max {
                let Some((at, record)) = records.next(partitions) else { break };
                bytes += record.bytes();
                out.push((at, record));
            }
            if bytes >= bytes_max {
                break;
            }
            batch.ends.push(out.len());
            batch.records = None;
        }
        out
    }

    /// Notes where the acknowledged records are, and which epochs are complete by that.
    fn acknowledge(&mut self, batch: &mut PublishBatch, origins: &[Origin]) {
        let mut ended = 0;
        for end in std::mem::take(&mut batch.ends) {
            let Some(changes) = batch.epochs.pop_front() else { break };
            self.note(&origins[ended.min(origins.len())..end.min(origins.len())]);
            ended = end;
            let moved = self.moved.replace(Cut::default()).unwrap_or_default();
            let progress = Progress::of(changes.epoch(), &changes.standings, &moved);
            batch.progress.push(progress.record(changes.record.now.micros().div_euclid(1000)));
        }
        self.note(&origins[ended.min(origins.len())..]);
    }

    fn note(&mut self, origins: &[Origin]) {
        for origin in origins.iter().filter(|origin| matches!(origin.topic, Topic::View(_) | Topic::Events(_))) {
            self.moved.get_or_insert_default().set(origin.topic_partition(), origin.offset + 1);
        }
    }

    fn finish(&self, last: Epoch) {
        let mut state = lock(&self.outbox.shared.state);
        while let Some((_, bytes)) = state.waiting.pop_front_if(|(first, _)| first.epoch() <= last) {
            state.bytes -= bytes;
        }
        state.published = state.published.max(last);
        drop(state);
        self.outbox.shared.faults.clear();
        self.outbox.shared.moved.notify_all();
    }
}

/// The wait for something to publish.
const IDLE: Duration = Duration::from_secs(60);

/// A publisher that runs. Dropping it ends that; what is not published is published again after the next start.
pub struct PublisherTask {
    outbox: Outbox,
    thread: Option<JoinHandle<()>>,
}

impl PublisherTask {
    /// Starts it.
    pub fn start(publisher: OutputPublisher) -> Result<PublisherTask, Error> {
        let outbox = publisher.outbox.clone();
        let thread = std::thread::Builder::new().name("publisher".to_owned()).spawn(move || run(publisher));
        let thread = thread.map_err(Error::io("starting", "publisher"))?;
        Ok(PublisherTask { outbox, thread: Some(thread) })
    }
}

impl Drop for PublisherTask {
    fn drop(&mut self) {
        self.outbox.end();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(thread.join());
        }
    }
}

fn run(mut publisher: OutputPublisher) {
    let outbox = publisher.outbox.clone();
    let PublisherState { signal, config, .. } = &*outbox.shared;
    let (first, longest) = (Duration::from_millis(config.retry_ms_min), Duration::from_millis(config.retry_ms_max));
    let mut retry = first;
    while !signal.is_stopped() {
        let before = outbox.published();
        match publisher.step() {
            Ok(due) => {
                if outbox.published() > before {
                    retry = first;
                }
                match due {
                    Due::Now => {}
                    Due::Pause(wait) => signal.sleep(wait),
                    Due::Idle(wait) => drop(signal.wait(wait)),
                }
            }
            Err(error) => {
                outbox.stall(&error);
                signal.sleep(retry);
                retry = (retry * 2).min(longest);
            }
        }
    }
}
