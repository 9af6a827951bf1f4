//! The dead letters that a process holds: a sink that takes new ones in, a thread that writes them, and what an operator
//! does with them.
//!
//! An epoch does not wait for the disk while its letters are written; a checkpoint waits for them. Letters that the disk
//! does not take wait in memory, up to a limit. Then the core waits, so that none is passed by, until the disk takes them.

use super::file::LettersFile;
use super::{Letter, LetterState, Summary};
use crate::checkpoint::FlushBeforeCheckpoint;
use crate::input::partition::partition_of;
use crate::log::storage::Storage;
use crate::log::{Log, Record, lock};
use crate::standstill::{Faults, Standstill};
use crate::{Error, Signal};
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::input::{DeadLetter, RawRecord};
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::ports::Sink;
use dataflows::shop::footprint::Footprint as _;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterConfig {
    /// Bytes of letters that may wait for the disk; the core waits when there are more.
    pub waiting_bytes_max: usize,
    /// About how many are written with one sync.
    pub commit_bytes_max: usize,
    /// The wait after an error.
    pub retry_ms: u64,
    /// The time that the log may take to acknowledge what is published again.
    pub acknowledge_ms_max: u64,
}

impl Default for DeadLetterConfig {
    fn default() -> Self {
        DeadLetterConfig {
            waiting_bytes_max: 64 << 20,
            commit_bytes_max: 1 << 20,
            retry_ms: 1_000,
            acknowledge_ms_max: 10_000,
        }
    }
}

/// The changes to a letter before it is published again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another key.
    pub key: Option<Vec<u8>>,
    /// Another value.
    pub value: Option<Vec<u8>>,
    /// Headers that replace those of their name, or are added.
    pub headers: Vec<(SmolStr, Vec<u8>)>,
}

/// Which letters are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterFilter {
    /// Every one.
    All,
    /// Those not dealt with.
    Open,
}

impl LetterFilter {
    const fn has(self, state: LetterState) -> bool {
        match (self, state) {
            (LetterFilter::All, _) | (LetterFilter::Open, LetterState::Open) => true,
            (LetterFilter::Open, LetterState::Redriven(_) | LetterState::Discarded) => false,
        }
    }
}

/// The dead letters of a node. Clones are the same.
#[derive(Clone)]
pub struct DeadLetters {
    shared: Arc<LettersState>,
}

struct LettersState {
    /// Locked before `waiting`, never after.
    file: Mutex<LettersFile>,
    waiting: Mutex<LetterQueue>,
    /// Rung when there is room again, or nothing is to wait any more.
    room: Condvar,
    /// Since they could be written last.
    faults: Faults,
    signal: Signal,
    config: DeadLetterConfig,
}

#[derive(Default)]
struct LetterQueue {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Nothing waits for room any more: the node stops.
    is_over: bool,
    /// The first epoch of which a letter was not taken because of that.
    missed: Option<Epoch>,
}

impl DeadLetters {
    /// Those in a folder that is there.
    pub fn open(folder: Arc<dyn Storage>, config: DeadLetterConfig) -> Result<DeadLetters, Error> {
        let file = Mutex::new(LettersFile::open(folder)?);
        let (waiting, faults, signal) = (Mutex::default(), Faults::default(), Signal::default());
        Ok(DeadLetters {
            shared: Arc::new(LettersState { file, waiting, room: Condvar::new(), faults, signal, config }),
        })
    }

    /// Every letter, by origin, after that one; at most so many.
    pub fn list(&self, after: Option<Origin>, wanted: LetterFilter, count_max: usize) -> Result<Vec<Summary>, Error> {
        let (mut found, mut after) = (Vec::new(), after);
        while found.len() < count_max {
            // The lock is held for one block only: new letters wait for it.
            let file = lock(&self.shared.file);
            let is_there = match wanted {
                LetterFilter::All => true,
                LetterFilter::Open => file.open_count() > 0,
            };
            let Some(block) = is_there.then(|| file.summaries(after)).transpose()?.flatten() else { break };
            drop(file);
            after = block.last().map(|last| last.origin);
            found.extend(block.into_iter().filter(|summary| wanted.has(summary.state)));
        }
        found.truncate(count_max);
        Ok(found)
    }

    /// The number of open letters.
    pub fn open_count(&self) -> usize {
        lock(&self.shared.file).open_count()
    }

    /// The number of entries that memory holds for all letters.
    #[cfg(test)]
    pub fn entries_in_memory(&self) -> usize {
        lock(&self.shared.file).entries_in_memory()
    }

    /// The reason why they cannot be written, while that is so.
    pub fn stalled(&self) -> Option<Standstill> {
        self.shared.faults.standstill()
    }

    /// A letter with its record.
    pub fn letter(&self, origin: Origin) -> Result<Letter, Error> {
        lock(&self.shared.file).letter(origin)?.ok_or(Error::NoLetter(origin))
    }

    /// Throws a letter away. Once more is no error.
    pub fn discard(&self, origin: Origin) -> Result<Summary, Error> {
        self.mark(origin, LetterState::Discarded)
    }

    /// Publishes a letter again, to the topic that it came from, and says where it stands now. What cannot be read still
    /// comes back as a letter of its own.
    pub fn redrive(&self, origin: Origin, edit: Edit, log: &dyn Log) -> Result<Summary, Error> {
        let letter = self.letter(origin)?;
        let at = match &edit.key {
            Some(key) => {
                TopicPartition::new(origin.topic, partition_of(Some(key), log.partitions().count(origin.topic)))
            }
            None => origin.topic_partition(),
        };
        let record = edit.apply((*letter.record).clone());
        let (send, receive) = mpsc::sync_channel(1);
        log.append(vec![(at, record)], Box::new(move |result| drop(send.send(result))));
        let landed = receive.recv_timeout(Duration::from_millis(self.shared.config.acknowledge_ms_max));
        let landed = landed.map_err(|_| Error::Unavailable("it does not acknowledge".to_owned()))?;
        let landed = landed.map_err(|error| Error::Unavailable(error.to_string()))?;
        let to = landed.first().copied().ok_or_else(|| Error::Unavailable("an append without a place".to_owned()))?;
        self.mark(origin, LetterState::Redriven(to))
    }

    /// Nothing waits for room any more.
    fn end_waiting(&self) {
        lock(&self.shared.waiting).is_over = true;
        self.shared.room.notify_all();
    }

    fn mark(&self, origin: Origin, state: LetterState) -> Result<Summary, Error> {
        let file = &mut *lock(&self.shared.file);
        let before = file.summary(origin)?.ok_or(Error::NoLetter(origin))?;
        if before.state != state {
            file.mark(origin, before.state, state)?;
        }
        Ok(Summary { state, ..before })
    }

    /// Writes what waits.
    pub fn flush(&self) -> Result<(), Error> {
        let file = &mut *lock(&self.shared.file);
        loop {
            let batch = lock(&self.shared.waiting).batch(self.shared.config.commit_bytes_max);
            if batch.is_empty() {
                return Ok(());
            }
            let kept = file.keep(&batch);
            match &kept {
                Ok(()) => drop(self.shared.faults.clear()),
                Err(error) => drop(self.shared.faults.note(error.to_string())),
            }
            kept?;
            lock(&self.shared.waiting).forget(batch.len());
            self.shared.room.notify_all();
        }
    }
}

impl Edit {
    fn apply(self, mut record: RawRecord) -> Record {
        let Edit { key, value, headers } = self;
        record.key = key.or(record.key);
        record.value = value.or(record.value);
        for (name, value) in headers {
            record.headers.retain(|(other, _)| *other != name);
            record.headers.push((name, Some(value)));
        }
        record.into()
    }
}

/// About what a letter takes.
fn bytes_of(letter: &Letter) -> usize {
    size_of::<Letter>() + letter.summary.detail.len() + letter.record.bytes()
}

impl LetterQueue {
    fn has_room(&self, letter: &Letter, bytes_max: usize) -> bool {
        self.letters.is_empty() || self.bytes + bytes_of(letter) <= bytes_max
    }

    fn push(&mut self, letter: Letter, bytes_max: usize) {
        // Once one was missed, later ones are too: the next start brings all of them.
        if self.missed.is_none() && self.has_room(&letter, bytes_max) {
            self.bytes += bytes_of(&letter);
            self.letters.push_back(letter);
        } else if self.missed.is_none() {
            self.missed = Some(letter.summary.epoch);
        }
    }

    /// The first letters, up to about that many bytes.
    fn batch(&self, bytes_max: usize) -> Vec<Letter> {
        let mut bytes = 0;
        let fits = |letter: &&Letter| {
            let is_first = bytes == 0;
            bytes += bytes_of(letter);
            is_first || bytes <= bytes_max
        };
        self.letters.iter().take_while(fits).cloned().collect()
    }

    fn forget(&mut self, count: usize) {
        for letter in self.letters.drain(..count) {
            self.bytes -= bytes_of(&letter);
        }
    }
}

impl Sink for DeadLetters {
    fn apply(&mut self, changes: &Arc<Changes>) {
        if changes.dead_letters.is_empty() {
            return;
        }
        let (epoch, at) = (changes.epoch(), changes.record.now);
        let LettersState { waiting, room, signal, config, .. } = &*self.shared;
        let mut waiting = lock(waiting);
        for DeadLetter { origin, code, detail, record } in &changes.dead_letters {
            let detail = detail.clone();
            let summary = Summary { origin: *origin, epoch, at, code: *code, detail, state: LetterState::Open };
            let letter = Letter { summary, record: Arc::clone(record) };
            while !waiting.is_over && !waiting.has_room(&letter, config.waiting_bytes_max) {
                signal.notify();
                waiting = room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            waiting.push(letter, config.waiting_bytes_max);
        }
        signal.notify();
    }
}

impl FlushBeforeCheckpoint for DeadLetters {
    fn make_durable(&self, upto: Epoch) -> Result<(), Error> {
        self.flush()?;
        match lock(&self.shared.waiting).missed {
            Some(missed) if missed <= upto => {
                Err(Error::Unavailable(format!("dead letters of epoch {missed} and later are only in it")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Writes what waits, as it comes. Dropping it ends that, after a last attempt.
pub struct Flusher {
    letters: DeadLetters,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts it.
    pub fn start(letters: DeadLetters) -> Result<Flusher, Error> {
        let run = {
            let letters = letters.clone();
            move || letters.run()
        };
        let thread = std::thread::Builder::new().name("dead-letters".to_owned()).spawn(run);
        let thread = thread.map_err(Error::io("starting the writer of", "dead letters"))?;
        Ok(Flusher { letters, thread: Some(thread) })
    }
}

impl Flusher {
    /// Has the core wait for room no more: what finds none comes again after the next start.
    pub fn end_waiting(&self) {
        self.letters.end_waiting();
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.letters.shared.signal.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(thread.join());
        }
    }
}

impl DeadLetters {
    fn run(&self) {
        let LettersState { signal, config, .. } = &*self.shared;
        let retry = Duration::from_millis(config.retry_ms);
        let mut is_stalled = false;
        loop {
            match self.flush() {
                Ok(()) => is_stalled = false,
                Err(error) => {
                    if !std::mem::replace(&mut is_stalled, true) {
                        tracing::warn!(%error, "dead letters cannot be written now; they stay in the log");
                    }
                }
            }
            if signal.is_stopped() {
                return;
            }
            if is_stalled {
                signal.sleep(retry);
            } else {
                signal.wait(Duration::from_secs(60));
            }
        }
    }
}
