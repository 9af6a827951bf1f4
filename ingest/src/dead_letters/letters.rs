//! The dead letters that a process holds: a sink that takes new ones in, a thread that writes them, and what an operator
//! does with them.
//!
//! Nothing waits for the disk here: an epoch goes on while its letters are written, and a checkpoint waits for them. What
//! the disk does not take waits in memory; what has no room there is still in the log, which is then not let go of.

use super::file::File;
use super::{Letter, State, Summary};
use crate::Error;
use crate::checkpoint::Durable;
use crate::log::{Log, Record, lock};
use crate::partition::partition_of;
use crate::signal::Signal;
use crate::storage::Storage;
use dataflows::changes::Changes;
use dataflows::epoch::Epoch;
use dataflows::port::{DeadLetter, RawRecord, Sink};
use dataflows::topic::{Origin, TopicPartition};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// The limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many bytes of letters may wait for the disk.
    pub waiting_bytes_max: usize,
    /// About how many are written with one sync.
    pub commit_bytes_max: usize,
    /// How long to wait after an error.
    pub retry_ms: u64,
    /// How long the log may take to acknowledge what is published again.
    pub acknowledge_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { waiting_bytes_max: 64 << 20, commit_bytes_max: 4 << 20, retry_ms: 1_000, acknowledge_ms_max: 10_000 }
    }
}

/// What to change in a letter before it is published again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another key.
    pub key: Option<Vec<u8>>,
    /// Another value.
    pub value: Option<Vec<u8>>,
    /// Headers that replace those of their name, or are added.
    pub headers: Vec<(SmolStr, Vec<u8>)>,
}

/// The dead letters of a node. Clones are the same.
#[derive(Clone)]
pub struct DeadLetters {
    shared: Arc<Shared>,
}

struct Shared {
    /// Locked before `waiting`, never after.
    file: Mutex<File>,
    waiting: Mutex<Waiting>,
    /// Why they cannot be written, while that is so.
    stalled: Mutex<Option<String>>,
    signal: Signal,
    config: Config,
}

#[derive(Default)]
struct Waiting {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// The first epoch of which a letter had no room here.
    missed: Option<Epoch>,
}

impl DeadLetters {
    /// Those in a folder that is there.
    pub fn open(folder: Arc<dyn Storage>, config: Config) -> Result<DeadLetters, Error> {
        let file = Mutex::new(File::open(folder)?);
        let (waiting, stalled) = (Mutex::default(), Mutex::default());
        Ok(DeadLetters { shared: Arc::new(Shared { file, waiting, stalled, signal: Signal::default(), config }) })
    }

    /// Every letter, by origin, behind that one; at most so many.
    pub fn list(&self, after: Option<Origin>, wanted: impl Fn(&Summary) -> bool, count_max: usize) -> Vec<Summary> {
        let file = lock(&self.shared.file);
        let behind = |summary: &&Summary| after.is_none_or(|after| summary.origin > after);
        file.summaries().filter(behind).filter(|summary| wanted(summary)).take(count_max).cloned().collect()
    }

    /// How many nobody has looked at.
    pub fn open_count(&self) -> usize {
        lock(&self.shared.file).open_count()
    }

    /// Why they cannot be written, while that is so.
    pub fn stalled(&self) -> Option<String> {
        lock(&self.shared.stalled).clone()
    }

    /// A letter with its record.
    pub fn letter(&self, origin: Origin) -> Result<Letter, Error> {
        lock(&self.shared.file).letter(origin)?.ok_or(Error::NoLetter(origin))
    }

    /// Throws a letter away. Once more is no error.
    pub fn discard(&self, origin: Origin) -> Result<Summary, Error> {
        self.mark(origin, State::Discarded)
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
        self.mark(origin, State::Redriven(to))
    }

    fn mark(&self, origin: Origin, state: State) -> Result<Summary, Error> {
        let file = &mut *lock(&self.shared.file);
        let before = file.summary(origin).ok_or(Error::NoLetter(origin))?;
        if before.state != state {
            file.mark(origin, state)?;
        }
        file.summary(origin).cloned().ok_or(Error::NoLetter(origin))
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
            *lock(&self.shared.stalled) = kept.as_ref().err().map(ToString::to_string);
            kept?;
            lock(&self.shared.waiting).forget(batch.len());
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
    let RawRecord { key, value, headers, timestamp_ms: _ } = &*letter.record;
    let optional = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers: usize = headers.iter().map(|(name, value)| name.len() + optional(value)).sum();
    size_of::<Letter>() + letter.summary.detail.len() + optional(key) + optional(value) + headers
}

impl Waiting {
    fn push(&mut self, letter: Letter, bytes_max: usize) {
        let bytes = bytes_of(&letter);
        let has_room = self.letters.is_empty() || self.bytes + bytes <= bytes_max;
        // Once one was missed, later ones wait for it: a restart brings all of them.
        if has_room && self.missed.is_none() {
            self.bytes += bytes;
            self.letters.push_back(letter);
        } else if self.missed.is_none() {
            tracing::error!(
                epoch = letter.summary.epoch.0,
                "there is no room for dead letters any more; they stay in the log, and a restart takes them in"
            );
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
        let waiting = &mut *lock(&self.shared.waiting);
        for DeadLetter { origin, code, detail, record } in &changes.dead_letters {
            let detail = detail.clone();
            let summary = Summary { origin: *origin, epoch, at, code: *code, detail, state: State::Open };
            waiting.push(Letter { summary, record: Arc::clone(record) }, self.shared.config.waiting_bytes_max);
        }
        self.shared.signal.ring();
    }
}

impl Durable for DeadLetters {
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
        let Shared { signal, config, .. } = &*self.shared;
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
                signal.pause(retry);
            } else {
                signal.wait(Duration::from_secs(60));
            }
        }
    }
}
