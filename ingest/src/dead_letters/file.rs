//! The file of dead letters. A line is what was written with one sync: a checksum and a list of entries as JSON. What a
//! crash leaves half written is the last line, which nobody was told of, and is cut off. Not for when letters are written.

use super::{Letter, State, Summary};
use crate::Error;
use crate::storage::{Storage, StorageFile, read_full, write_all};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataflows::epoch::Epoch;
use dataflows::port::{DeadLetterCode, RawRecord};
use dataflows::time::Timestamp;
use dataflows::topic::Origin;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Named by its form, so that a later one can stand beside it.
const NAME: &str = "letters.1";
/// The checksum in hex, and a space.
const HEAD_BYTES: usize = 9;
/// A file is not made smaller below this.
const REWRITE_BYTES_MIN: u64 = 16 << 20;

/// A letter or what became of one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Letter(Written),
    State(Origin, State),
}

/// A letter as it is written, bytes in base64.
#[derive(Serialize, Deserialize)]
struct Written {
    origin: Origin,
    epoch: Epoch,
    at: Timestamp,
    code: DeadLetterCode,
    detail: String,
    timestamp_ms: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(SmolStr, Option<String>)>,
}

fn encode(letter: &Letter) -> Written {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    let Letter { summary, record } = letter;
    let Summary { origin, epoch, at, code, detail, state: _ } = summary;
    let RawRecord { key, value, headers, timestamp_ms } = &**record;
    Written {
        origin: *origin,
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

fn decode(written: Written, state: State) -> Result<Letter, base64::DecodeError> {
    let bytes = |text: Option<String>| text.map(|text| STANDARD.decode(text)).transpose();
    let Written { origin, epoch, at, code, detail, timestamp_ms, key, value, headers } = written;
    let summary = Summary { origin, epoch, at, code, detail, state };
    let headers = headers.into_iter().map(|(name, value)| Ok((name, bytes(value)?))).collect::<Result<_, _>>()?;
    let record = RawRecord { key: bytes(key)?, value: bytes(value)?, headers, timestamp_ms };
    Ok(Letter { summary, record: Arc::new(record) })
}

/// Where a letter is: its line, and its number in it.
struct Place {
    summary: Summary,
    line: u64,
    line_bytes: usize,
    number: usize,
}

/// The file, and where every letter is in it.
pub struct File {
    storage: Arc<dyn Storage>,
    file: Arc<dyn StorageFile>,
    places: BTreeMap<Origin, Place>,
    /// Where the next line goes; everything before it is durable.
    end: u64,
    /// Whether the file may hold more.
    is_dirty: bool,
    /// How many nobody has dealt with.
    open: usize,
    /// About how much of it belongs to letters that nobody wants any more.
    idle_bytes: u64,
    _lock: Box<dyn Send + Sync>,
}

impl File {
    /// Opens the file in a folder that is there, or makes it.
    pub fn open(storage: Arc<dyn Storage>) -> Result<File, Error> {
        let name = storage.describe(NAME);
        let lock = storage.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::Locked { folder: storage.describe("") },
            _ => Error::io("locking", &storage.describe(""))(error),
        })?;
        let failed = |error| Error::io("opening", &name)(error);
        let file = match storage.open(NAME).and_then(|file| Ok((file.size()?, file))) {
            Ok((1.., file)) => file,
            // The name of an empty one may not be durable: whoever made it may not have come so far.
            Ok((0, _)) => storage.create(NAME).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(NAME).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let mut opened = File {
            storage,
            file,
            places: BTreeMap::new(),
            end: 0,
            is_dirty: false,
            open: 0,
            idle_bytes: 0,
            _lock: lock,
        };
        opened.load()?;
        Ok(opened)
    }

    fn load(&mut self) -> Result<(), Error> {
        let bytes = self.storage.read(NAME).map_err(|error| self.failed("reading", error))?;
        let mut rest = &bytes[..];
        while let Some(length) = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1) {
            let (line, after) = rest.split_at(length);
            match entries(line) {
                Ok(entries) => self.note(entries, length),
                // Only the last line was ever written without being synced.
                Err(_) if after.is_empty() => break,
                Err(why) => return Err(self.damaged(why)),
            }
            rest = after;
        }
        // Also what is whole may have been written by a process that did not live to sync it.
        self.is_dirty = true;
        self.repair().map_err(|error| self.failed("cutting", error))
    }

    /// Notes what a line at the end holds.
    fn note(&mut self, entries: Vec<Entry>, line_bytes: usize) {
        let share = (line_bytes / entries.len().max(1)) as u64;
        for (number, entry) in entries.into_iter().enumerate() {
            match entry {
                Entry::Letter(Written { origin, epoch, at, code, detail, .. }) => {
                    let summary = Summary { origin, epoch, at, code, detail, state: State::Open };
                    self.places.insert(origin, Place { summary, line: self.end, line_bytes, number });
                    self.open += 1;
                }
                Entry::State(origin, state) => {
                    self.idle_bytes += share;
                    if let Some(place) = self.places.get_mut(&origin) {
                        if state == State::Discarded {
                            self.idle_bytes += place.line_bytes as u64;
                        }
                        self.open -= usize::from(place.summary.state == State::Open);
                        place.summary.state = state;
                    }
                }
            }
        }
        self.end += line_bytes as u64;
    }

    /// Every letter's summary, by origin.
    pub fn summaries(&self) -> impl Iterator<Item = &Summary> {
        self.places.values().map(|place| &place.summary)
    }

    /// How many nobody has dealt with.
    pub const fn open_count(&self) -> usize {
        self.open
    }

    /// A letter's summary.
    pub fn summary(&self, origin: Origin) -> Option<&Summary> {
        self.places.get(&origin).map(|place| &place.summary)
    }

    /// A letter with its record; none if there is none, or no longer.
    pub fn letter(&self, origin: Origin) -> Result<Option<Letter>, Error> {
        let Some(place) = self.places.get(&origin).filter(|place| place.summary.state != State::Discarded) else {
            return Ok(None);
        };
        let mut line = vec![0; place.line_bytes];
        let read = read_full(&*self.file, &mut line, place.line).map_err(|error| self.failed("reading", error))?;
        let bad = |why: String| Error::Damaged { file: self.storage.describe(NAME), offset: place.line, why };
        let mut entries = entries(&line[..read]).map_err(bad)?;
        match (place.number < entries.len()).then(|| entries.swap_remove(place.number)) {
            Some(Entry::Letter(written)) if written.origin == origin => {
                decode(written, place.summary.state).map(Some).map_err(|error| bad(error.to_string()))
            }
            Some(Entry::Letter(_) | Entry::State(..)) | None => Err(bad(format!("there is no letter {origin}"))),
        }
    }

    /// Keeps the letters durably, all or none; those that are there already are left as they are.
    pub fn keep(&mut self, letters: &[Letter]) -> Result<(), Error> {
        let new = letters.iter().filter(|letter| !self.places.contains_key(&letter.summary.origin));
        let entries: Vec<Entry> = new.map(|letter| Entry::Letter(encode(letter))).collect();
        self.append(entries)
    }

    /// Notes durably what became of a letter.
    pub fn mark(&mut self, origin: Origin, state: State) -> Result<(), Error> {
        self.append(vec![Entry::State(origin, state)])?;
        if self.idle_bytes > self.end / 2 && self.end > REWRITE_BYTES_MIN {
            self.rewrite()?;
        }
        Ok(())
    }

    fn append(&mut self, entries: Vec<Entry>) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let line = line(&entries).map_err(|error| self.failed("encoding", error.into()))?;
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
        if self.is_dirty {
            self.file.truncate(self.end)?;
            self.file.sync()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// Writes the file again, without what was discarded. That a letter was there at all is kept: a replay brings it again.
    fn rewrite(&mut self) -> Result<(), Error> {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for (origin, place) in &self.places {
            let gone = || Letter { summary: place.summary.clone(), record: Arc::default() };
            let mut entries = vec![Entry::Letter(encode(&self.letter(*origin)?.unwrap_or_else(gone)))];
            if place.summary.state != State::Open {
                entries.push(Entry::State(*origin, place.summary.state));
            }
            let line = line(&entries).map_err(|error| self.failed("encoding", error.into()))?;
            places.push((bytes.len() as u64, line.len()));
            bytes.extend(line);
        }
        self.storage.replace(NAME, &bytes).map_err(|error| self.failed("writing", error))?;
        self.file = self.storage.open(NAME).map_err(|error| self.failed("opening", error))?;
        for (place, (line, line_bytes)) in self.places.values_mut().zip(places) {
            (place.line, place.line_bytes, place.number) = (line, line_bytes, 0);
        }
        (self.end, self.idle_bytes, self.is_dirty) = (bytes.len() as u64, 0, false);
        Ok(())
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> Error {
        Error::io(doing, &self.storage.describe(NAME))(error)
    }

    fn damaged(&self, why: String) -> Error {
        Error::Damaged { file: self.storage.describe(NAME), offset: self.end, why }
    }
}

fn line(entries: &[Entry]) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_string(entries)?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

fn entries(line: &[u8]) -> Result<Vec<Entry>, String> {
    let (head, json) = line.split_at_checked(HEAD_BYTES).ok_or("a line is cut short")?;
    let json = json.strip_suffix(b"\n").ok_or("a line is cut short")?;
    let checksum = std::str::from_utf8(head).ok().and_then(|head| u32::from_str_radix(head.trim_end(), 16).ok());
    if checksum != Some(crc32c::crc32c(json)) {
        return Err("the checksum is wrong".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}
