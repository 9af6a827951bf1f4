//! The embedded log: one append-only journal of Kafka record batches for all topics, in segments. Acknowledged after a
//! group-committed fdatasync, read in-process. One node: not for replication, and not for more than one process.
//!
//! A folder holds `lock`, `meta` (format and partition counts), segments named by the position of their first byte, and
//! `front` (where the journal begins) once the first of them were deleted, with a base if topics are compacted. `commit`
//! has the form of the segments, `recovery` what happens at start, `writer` what happens to an append, `front` what happens
//! when records are no longer needed, `base` and `compact` what is left of them.

pub mod batch;
mod commit;
mod compact;
mod compacted_prefix;
mod config;
mod cut;
mod index;
mod log_start;
mod meta;
mod reader;
mod recovery;
mod shared;
mod varint;
mod writer;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;

pub use compact::Compaction;
pub use config::JournalConfig;
pub use writer::Writer;

use crate::Error;
use crate::log::storage::{Folder, Storage};
use crate::log::{CutLimit, Log, LogReader, Partitions, Record, Watch, Watchers, lock};
use commit::Segment;
use compacted_prefix::CompactedPrefix;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::TopicPartition;
use dataflows::ports::{AppendCallback, AppendError, Waker};
use shared::JournalShared;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The embedded log. Dropping it writes what waits, and closes it.
pub struct Journal {
    shared: Arc<JournalShared>,
    queue: Arc<writer::AppendQueue>,
    writer: Option<JoinHandle<()>>,
    _lock: Box<dyn Send + Sync>,
}

impl Journal {
    /// Opens the journal in a folder, or makes it there.
    pub fn open(folder: &Path, partitions: &Partitions, config: JournalConfig) -> Result<Journal, Error> {
        let storage = Folder::at(folder).map_err(Error::io("opening", &folder.display().to_string()))?;
        Journal::open_on(Arc::new(storage), partitions, config)
    }

    /// Opens the journal on any storage.
    pub fn open_on(
        storage: Arc<dyn Storage>,
        partitions: &Partitions,
        config: JournalConfig,
    ) -> Result<Journal, Error> {
        let (mut journal, writer) = Journal::open_stepped(storage, partitions, config)?;
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run());
        let folder = journal.shared.storage.describe("");
        journal.writer = Some(thread.map_err(Error::io("starting the writer of", &folder))?);
        Ok(journal)
    }

    /// The same without a thread: nothing is written but by the writer's steps.
    pub fn open_stepped(
        storage: Arc<dyn Storage>,
        partitions: &Partitions,
        config: JournalConfig,
    ) -> Result<(Journal, Writer), Error> {
        if config.append_bytes_max > 1 << 30 {
            return Err(Error::Config { name: "append_bytes_max", why: "at most 1 GiB".to_owned() });
        }
        let folder = storage.describe("");
        let held = storage.lock().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked { folder: folder.clone() },
            _ => Error::io("locking", &folder)(error),
        })?;
        let starts = recovery::segments(&*storage)?;
        let front = log_start::read(&*storage)?;
        let layout = meta::open(&*storage, partitions, starts.is_empty() && front.is_none())?;
        let (begin, base) = log_start::place(front, &*storage, &layout, &config)?;
        let (before, starts) = starts.split_at(starts.partition_point(|start| *start < begin.position));
        let in_use = base.as_ref().map(|_| CompactedPrefix::name(begin.position));
        let mut leftovers: Vec<String> = before.iter().map(|start| Segment::name(*start)).collect();
        leftovers.extend(recovery::bases(&*storage)?.into_iter().filter(|name| Some(name) != in_use.as_ref()));
        let mut state = recovery::recover(&*storage, starts, begin, &layout, &config)?;
        state.base = base;
        let mut leftovers = log_start::ObsoleteFiles::new(leftovers);
        if let Err(error) = leftovers.delete(&*storage) {
            // They only take room on the disk, and the next deletion tries again.
            tracing::warn!(%error, "what is before the journal's front is not deleted yet");
        }
        let (state, leftovers) = (Mutex::new(state), Mutex::new(leftovers));
        let shared =
            Arc::new(JournalShared { state, layout, config, storage, watchers: Watchers::default(), leftovers });
        let queue = Arc::new(writer::AppendQueue::default());
        let writer = Writer::new(Arc::clone(&shared), Arc::clone(&queue)).expect("a recovered journal has a segment");
        Ok((Journal { shared, queue, writer: None, _lock: held }, writer))
    }

    /// The same as [`Log::delete_before`], with rules for the compacted topics.
    pub fn compact_before(&self, floor: &Cut, compaction: &Compaction) -> Result<(), Error> {
        log_start::delete_before(&self.shared, floor, compaction)
    }

    /// The bytes that it takes of a disk.
    pub fn bytes(&self) -> u64 {
        let state = lock(&self.shared.state);
        state.position - state.index.front().position + state.base.as_ref().map_or(0, |base| base.bytes)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // A panic in the writer has taken the process down; there is nothing to hand on.
            drop(writer.join());
        }
    }
}

impl Log for Journal {
    fn partitions(&self) -> &Partitions {
        self.shared.layout.partitions()
    }

    fn append(&self, records: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        let (layout, config) = (&self.shared.layout, &self.shared.config);
        let bytes: usize = records.iter().map(|(_, record)| record.bytes()).sum();
        if bytes > config.append_bytes_max {
            let why = format!("an append of {bytes} bytes is over append_bytes_max, {}", config.append_bytes_max);
            return done(Err(AppendError::Unavailable(why)));
        }
        if records.is_empty() {
            return done(Ok(Vec::new()));
        }
        let waiting = writer::PendingAppend::encode(&records, layout, config, done);
        if let Err((error, done)) = waiting.and_then(|waiting| self.queue.push(waiting, config)) {
            done(Err(error));
        }
    }

    fn starts(&self) -> Result<Cut, Error> {
        let state = lock(&self.shared.state);
        let layout = &self.shared.layout;
        let start = |(slot, end): (usize, &u64)| if state.is_in_base(layout, slot) { 0 } else { *end };
        let starts: Vec<u64> = state.index.front().ends.iter().enumerate().map(start).collect();
        Ok(layout.cut(&starts))
    }

    fn ends(&self) -> Result<Cut, Error> {
        let ends = lock(&self.shared.state).ends.clone();
        Ok(self.shared.layout.cut(&ends))
    }

    fn cut_after(&self, from: &Cut, limit: CutLimit) -> Result<Cut, Error> {
        loop {
            // Each further attempt begins at a later front, so this ends.
            if let Some(cut) = cut::cut_after(&self.shared, from, limit)? {
                return Ok(cut);
            }
        }
    }

    fn reader(&self, starts: &Cut) -> Result<Box<dyn LogReader>, Error> {
        Ok(Box::new(reader::JournalReader::new(&self.shared, starts)?))
    }

    fn delete_before(&self, floor: &Cut) -> Result<(), Error> {
        self.compact_before(floor, &Compaction::default())
    }

    fn bytes(&self) -> Option<u64> {
        Some(Journal::bytes(self))
    }

    fn watch(&self, waker: Waker) -> Watch {
        self.shared.watchers.add(waker)
    }
}
