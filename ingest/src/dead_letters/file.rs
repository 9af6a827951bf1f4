//! The file of dead letters. A line is what was written with one sync: a checksum and a list of entries as JSON. What a
//! crash leaves half written is the last line, which nobody was told of, and is cut off. Not for when letters are written.
//!
//! Letters of one partition come in the order of their offsets, in a replay too. So a letter is known if its offset is
//! not beyond the last one kept, and the file is its own index: memory holds one entry for every [`BLOCK_BYTES`] of it
//! and partition, and the state of those letters that were dealt with since the file was rewritten.

use super::{Letter, LetterState, Summary};
use crate::Error;
use crate::lines::{self, Lines};
use crate::log::storage::{Storage, StorageFile, write_all};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::input::{DeadLetterCode, RawRecord};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, TopicPartition};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Named by its form, so that a later one can be beside it.
const NAME: &str = "letters.1";
/// The new file's name before it takes the place of the old one.
const NEXT: &str = "letters.1.next";
/// The index has at most one entry of a partition for so much of the file.
const BLOCK_BYTES: u64 = 64 << 10;
/// The file is rewritten when so many letters were dealt with since that was done last: their states are in memory.
const STATES_MAX: usize = 50_000;
/// A file is not made smaller below this.
const REWRITE_BYTES_MIN: u64 = 16 << 20;

/// A letter or what became of one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LetterEntry {
    Letter(LetterRecord),
    /// Of one that was not dealt with.
    State(Origin, LetterState),
    /// Of one that was.
    Again(Origin, LetterState),
}

/// A letter as it is written, bytes in base64.
#[derive(Serialize, Deserialize)]
struct LetterRecord {
    origin: Origin,
    /// As it was when the file was written.
    #[serde(default = "open", skip_serializing_if = "is_open")]
    state: LetterState,
    epoch: Epoch,
    at: Timestamp,
    code: DeadLetterCode,
    detail: String,
    timestamp_ms: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(SmolStr, Option<String>)>,
}

const fn open() -> LetterState {
    LetterState::Open
}

fn is_open(state: &LetterState) -> bool {
    *state == LetterState::Open
}

fn encode(letter: &Letter) -> LetterRecord {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    let Letter { summary, record } = letter;
    let Summary { origin, epoch, at, code, detail, state } = summary;
    let RawRecord { key, value, headers, timestamp_ms } = &**record;
    LetterRecord {
        origin: *origin,
        state: *state,
        epoch: *epoch,
        at: *at,
        code: *code,
        detail: detail.clone(),
        timestamp_ms: *timestamp_ms,
        key: text(key),
        value: text(value),
        headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
    }
}

fn decode(written: LetterRecord) -> Result<Letter, base64::DecodeError> {
    let bytes = |text: Option<String>| text.map(|text| STANDARD.decode(text)).transpose();
    let LetterRecord { origin, state, epoch, at, code, detail, timestamp_ms, key, value, headers } = written;
    let summary = Summary { origin, epoch, at, code, detail, state };
    let headers = headers.into_iter().map(|(name, value)| Ok((name, bytes(value)?))).collect::<Result<_, _>>()?;
    let record = RawRecord { key: bytes(key)?, value: bytes(value)?, headers, timestamp_ms };
    Ok(Letter { summary, record: Arc::new(record) })
}

/// The first letter of a partition in a block of the file.
#[derive(Clone, Copy)]
struct Block {
    /// Its offset in the partition.
    offset: u64,
    /// The place in the file where its line begins.
    line: u64,
}

/// The index of a partition's letters.
#[derive(Default)]
struct PartitionIndex {
    /// The offset of the last one.
    last: u64,
    /// Their blocks, in order.
    blocks: Vec<Block>,
}

/// Takes a letter of that line into the index.
fn know(known: &mut LetterIndex, origin: Origin, line: u64) {
    let known = known.entry(origin.topic_partition()).or_default();
    known.last = origin.offset;
    if known.blocks.last().is_none_or(|block| line >= block.line + BLOCK_BYTES) {
        known.blocks.push(Block { offset: origin.offset, line });
    }
}

/// A file that was rewritten, where it ends, and where every letter is in it.
type RewrittenFile = (Arc<dyn StorageFile>, u64, LetterIndex);

type LetterIndex = BTreeMap<TopicPartition, PartitionIndex>;

/// The file, and where every letter is in it.
pub struct LettersFile {
    storage: Arc<dyn Storage>,
    file: Arc<dyn StorageFile>,
    known: LetterIndex,
    /// The states of letters since the file was rewritten.
    states: BTreeMap<Origin, LetterState>,
    /// The place of the next line; everything before it is durable.
    end: u64,
    /// True if the file may hold more.
    is_dirty: bool,
    /// The rewritten file, until it has its name.
    next: Option<RewrittenFile>,
    /// The number of letters.
    count: usize,
    /// The number of open ones.
    open: usize,
    /// About how much of it belongs to letters that are no longer wanted.
    idle_bytes: u64,
    _lock: Box<dyn Send + Sync>,
}

impl LettersFile {
    /// Opens the file in a folder that is there, or makes it.
    pub fn open(storage: Arc<dyn Storage>) -> Result<LettersFile, Error> {
        let name = storage.describe(NAME);
        let lock = storage.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::Locked { folder: storage.describe("") },
            _ => Error::io("locking", &storage.describe(""))(error),
        })?;
        let failed = |error| Error::io("opening", &name)(error);
        let file = match storage.open(NAME).and_then(|file| Ok((file.size()?, file))) {
            Ok((1.., file)) => file,
            // The name of an empty one may not be durable: the process that made it may not have come so far.
            Ok((0, _)) => storage.create(NAME).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(NAME).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let mut opened = LettersFile {
            storage,
            file,
            known: BTreeMap::new(),
            states: BTreeMap::new(),
            end: 0,
            is_dirty: false,
            next: None,
            count: 0,
            open: 0,
            idle_bytes: 0,
            _lock: lock,
        };
        opened.load()?;
        Ok(opened)
    }

    fn load(&mut self) -> Result<(), Error> {
        let file = Arc::clone(&self.file);
        let size = file.size().map_err(|error| self.failed("reading", error))?;
        let mut lines = Lines::new(&*file, 0, size);
        while let Some(line) = lines.next().map_err(|error| self.failed("reading", error))? {
            let length = line.len();
            match lines::entries(line) {
                Ok(entries) => self.note(entries, length),
                // Only the last line was ever written without being synced.
                Err(_) if lines.at() == size => break,
                Err(why) => return Err(self.damaged(self.end, why)),
            }
        }
        // Also what is whole may have been written by a process that did not live to sync it.
        self.is_dirty = true;
        self.repair().map_err(|error| self.failed("cutting", error))
    }

    /// Notes what a line at the end holds.
    fn note(&mut self, entries: Vec<LetterEntry>, line_bytes: usize) {
        let share = (line_bytes / entries.len().max(1)) as u64;
        for entry in entries {
            match entry {
                LetterEntry::Letter(LetterRecord { origin, state, .. }) => self.note_letter(origin, state),
                LetterEntry::State(origin, state) => {
                    self.idle_bytes += share;
                    if state == LetterState::Discarded {
                        // About as much as the letter: how much exactly is not worth looking for.
                        self.idle_bytes += self.end / self.count.max(1) as u64;
                    }
                    self.states.insert(origin, state);
                    self.open = self.open.saturating_sub(1);
                }
                LetterEntry::Again(origin, state) => {
                    self.idle_bytes += share;
                    self.states.insert(origin, state);
                }
            }
        }
        self.end += line_bytes as u64;
    }

    fn note_letter(&mut self, origin: Origin, state: LetterState) {
        know(&mut self.known, origin, self.end);
        self.count += 1;
        self.open += usize::from(state == LetterState::Open);
    }

    /// The number of open ones.
    pub const fn open_count(&self) -> usize {
        self.open
    }

    /// The number of entries that memory holds for all of them.
    #[cfg(test)]
    pub fn entries_in_memory(&self) -> usize {
        self.states.len() + self.known.values().map(|known| known.blocks.len()).sum::<usize>()
    }

    /// Some letters' summaries by origin: the next block that has any after that place. None if there is none.
    pub fn summaries(&self, after: Option<Origin>) -> Result<Option<Vec<Summary>>, Error> {
        let from = after.map(|after| after.topic_partition());
        for (at, known) in self.known.iter().filter(|(at, _)| from.is_none_or(|from| **at >= from)) {
            let offset = after.filter(|after| after.topic_partition() == *at).map_or(0, |after| after.offset + 1);
            let mut next = (offset <= known.last).then_some(offset);
            while let Some(offset) = next {
                let mut found = Vec::new();
                next = self.scan(*at, known, offset, |written| {
                    let state = self.states.get(&written.origin).copied().unwrap_or(written.state);
                    let LetterRecord { origin, epoch, at, code, detail, .. } = written;
                    found.push(Summary { origin, epoch, at, code, detail, state });
                    true
                })?;
                if !found.is_empty() {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// Goes over the letters of a partition from an offset on, in the block that has it, until told to stop; says where
    /// the next block begins.
    fn scan(
        &self,
        at: TopicPartition,
        known: &PartitionIndex,
        offset: u64,
        mut each: impl FnMut(LetterRecord) -> bool,
    ) -> Result<Option<u64>, Error> {
        // A letter that is not the first of its block is in the block before the first later one.
        let next = known.blocks.partition_point(|block| block.offset <= offset);
        let Some(block) = known.blocks.get(next.saturating_sub(1)) else { return Ok(None) };
        let until = known.blocks.get(next.max(1)).map(|block| block.offset);
        let mut lines = Lines::new(&*self.file, block.line, self.end);
        loop {
            let line_at = lines.at();
            let Some(line) = lines.next().map_err(|error| self.failed("reading", error))? else { return Ok(until) };
            for entry in lines::entries::<LetterEntry>(line).map_err(|why| self.damaged(line_at, why))? {
                let LetterEntry::Letter(written) = entry else { continue };
                let origin = written.origin;
                if origin.topic_partition() != at || origin.offset < offset {
                    continue;
                }
                let is_next = until.is_some_and(|until| origin.offset >= until);
                if is_next || !each(written) || origin.offset == known.last {
                    return Ok(until);
                }
            }
        }
    }

    /// The letter as it is written, and what became of it; none if there never was one.
    fn written(&self, origin: Origin) -> Result<Option<LetterRecord>, Error> {
        let at = origin.topic_partition();
        let Some(known) = self.known.get(&at).filter(|known| origin.offset <= known.last) else { return Ok(None) };
        let mut found = None;
        self.scan(at, known, origin.offset, |written| {
            found = Some(written).filter(|written| written.origin == origin);
            false
        })?;
        if let (Some(written), Some(state)) = (&mut found, self.states.get(&origin)) {
            written.state = *state;
        }
        Ok(found)
    }

    /// A letter's summary.
    pub fn summary(&self, origin: Origin) -> Result<Option<Summary>, Error> {
        let written = self.written(origin)?;
        Ok(written.map(|LetterRecord { origin, state, epoch, at, code, detail, .. }| Summary {
            origin,
            epoch,
            at,
            code,
            detail,
            state,
        }))
    }

    /// A letter with its record; none if there is none, or no longer.
    pub fn letter(&self, origin: Origin) -> Result<Option<Letter>, Error> {
        let written = self.written(origin)?.filter(|written| written.state != LetterState::Discarded);
        let bad = |error: base64::DecodeError| self.damaged(0, format!("the letter {origin}: {error}"));
        written.map(|written| decode(written).map_err(bad)).transpose()
    }

    /// Keeps the letters durably, all or none; those that are there already are left as they are.
    pub fn keep(&mut self, letters: &[Letter]) -> Result<(), Error> {
        let mut last: BTreeMap<TopicPartition, u64> = BTreeMap::new();
        let new = letters.iter().filter(|letter| {
            let (at, offset) = (letter.summary.origin.topic_partition(), letter.summary.origin.offset);
            let before = last.get(&at).copied().or_else(|| self.known.get(&at).map(|known| known.last));
            let is_new = before.is_none_or(|before| offset > before);
            if is_new {
                last.insert(at, offset);
            }
            is_new
        });
        let entries: Vec<LetterEntry> = new.map(|letter| LetterEntry::Letter(encode(letter))).collect();
        self.append(entries)
    }

    /// Notes durably what became of a letter, and was before.
    pub fn mark(&mut self, origin: Origin, before: LetterState, state: LetterState) -> Result<(), Error> {
        let is_first = before == LetterState::Open;
        self.append(vec![if is_first {
            LetterEntry::State(origin, state)
        } else {
            LetterEntry::Again(origin, state)
        }])?;
        let is_idle = self.idle_bytes > self.end / 2 && self.end > REWRITE_BYTES_MIN;
        if is_idle || self.states.len() >= STATES_MAX {
            self.rewrite()?;
        }
        Ok(())
    }

    fn append(&mut self, entries: Vec<LetterEntry>) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let line = lines::line(&entries).map_err(|error| self.failed("encoding", error.into()))?;
        let written = self.repair().and_then(|()| {
            self.is_dirty = true;
            write_all(&*self.file, &line, self.end)?;
            self.file.sync()
        });
        if let Err(error) = written {
            // Tried at once so that a full disk has its room back; if it fails, before the next line again.
            drop(self.repair());
            return Err(self.failed("writing", error));
        }
        self.is_dirty = false;
        self.note(entries, line.len());
        Ok(())
    }

    fn repair(&mut self) -> io::Result<()> {
        self.settle()?;
        if self.is_dirty {
            self.file.truncate(self.end)?;
            self.file.sync()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// Rewrites the file, line by line, each letter with what became of it and without the record of what was
    /// discarded. That a letter was there at all is kept: an operator can still list it.
    fn rewrite(&mut self) -> Result<(), Error> {
        let next = self.write_next();
        if next.is_err() {
            // Gives its room back; the old file is as it was.
            drop(self.storage.delete(NEXT));
        }
        self.next = Some(next?);
        self.settle().map_err(|error| self.failed("replacing", error))
    }

    /// Puts the rewritten file in place. After an error it is not known which file has the name: nothing is written
    /// before that is settled.
    fn settle(&mut self) -> io::Result<()> {
        if self.next.is_none() {
            return Ok(());
        }
        match self.storage.rename(NEXT, NAME) {
            // An earlier attempt has come so far; what is left to do is to make it durable.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.storage.delete(NEXT)?,
            renamed => renamed?,
        }
        if let Some((file, end, known)) = self.next.take() {
            (self.file, self.end, self.known) = (file, end, known);
            (self.idle_bytes, self.is_dirty) = (0, false);
            self.states.clear();
        }
        Ok(())
    }

    fn write_next(&self) -> Result<RewrittenFile, Error> {
        let failed = |error| Error::io("writing", &self.storage.describe(NEXT))(error);
        let file = self.storage.create(NEXT).map_err(failed)?;
        let mut lines = Lines::new(&*self.file, 0, self.end);
        let (mut end, mut known) = (0, BTreeMap::<TopicPartition, PartitionIndex>::new());
        loop {
            let line_at = lines.at();
            let Some(old) = lines.next().map_err(|error| self.failed("reading", error))? else { break };
            let mut kept = Vec::new();
            for entry in lines::entries::<LetterEntry>(old).map_err(|why| self.damaged(line_at, why))? {
                let LetterEntry::Letter(mut written) = entry else { continue };
                written.state = self.states.get(&written.origin).copied().unwrap_or(written.state);
                if written.state == LetterState::Discarded {
                    written = LetterRecord { key: None, value: None, headers: Vec::new(), ..written };
                }
                know(&mut known, written.origin, end);
                kept.push(LetterEntry::Letter(written));
            }
            if !kept.is_empty() {
                let line = lines::line(&kept).map_err(|error| failed(error.into()))?;
                write_all(&*file, &line, end).map_err(failed)?;
                end += line.len() as u64;
            }
        }
        file.sync().map_err(failed)?;
        Ok((file, end, known))
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> Error {
        Error::io(doing, &self.storage.describe(NAME))(error)
    }

    fn damaged(&self, offset: u64, why: String) -> Error {
        Error::Damaged { file: self.storage.describe(NAME), offset, why }
    }
}
