//! Writes the base of a later front: of the compacted topics, the last record of each key before it. Not for when the
//! front moves: see `log_start`.
//!
//! The part before the front is read twice: first for the last offset of each key, then for those records. Between the
//! two there are 24 bytes for each key, which the table that holds them makes 30 to 60.
//!
//! Publishers repeat records after a crash, and readers skip repeated ones. So they are skipped here too: an old row
//! that came once more is not the last one of its key.

use super::batch::{self, Records};
use super::commit::{self, Commit, HEADER_BYTES, Window};
use super::compacted_prefix::{CompactedPrefix, Removals, is_compacted};
use super::config::JournalConfig;
use super::index::IndexEntry;
use super::meta::PartitionLayout;
use super::reader::{Scan, ScanStep};
use super::shared::JournalShared;
use crate::log::storage::{StorageFile, write_all};
use crate::log::{Record, lock};
use crate::output::publisher;
use crate::{Clock, Error, Signal, WallClock};
use dataflows::contract::epoch::Cut;
use std::collections::HashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128_with_seed;
use zstd::bulk::Compressor;

/// The rules for compacted topics; by default no key is forgotten.
#[derive(Clone)]
pub struct Compaction {
    /// The readers' clock, in milliseconds. Never earlier than before, or keys are kept longer.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// A key whose last record has no value is forgotten once that record has been in a base for so long; after at most
    /// twice as long when the front moves on.
    pub removals_kept_ms: i64,
    /// Ends it early, with nothing changed.
    pub signal: Signal,
}

impl Default for Compaction {
    fn default() -> Compaction {
        let now_ms = || WallClock.now().micros() / 1_000;
        Compaction { now_ms: Arc::new(now_ms), removals_kept_ms: i64::MAX, signal: Signal::default() }
    }
}

impl Compaction {
    /// The removals of the base before that may go.
    fn forgotten(&self, before: Option<&Removals>) -> Option<Cut> {
        let before = before?;
        let is_old = (self.now_ms)().saturating_sub(before.since_ms) >= self.removals_kept_ms;
        is_old.then(|| before.ends.clone())
    }

    /// The removals of a base whose time begins now, up to that front.
    fn removals(&self, layout: &PartitionLayout, to: &IndexEntry) -> Removals {
        let is_compacted = |(slot, _): &(usize, &u64)| is_compacted(layout.at(*slot).topic);
        let mut ends = Cut::default();
        let slots = to.ends.iter().enumerate().filter(is_compacted);
        slots.for_each(|(slot, end)| ends.set(layout.at(slot), *end));
        Removals { since_ms: (self.now_ms)(), ends }
    }
}

/// Makes the base of the front that is to be, durably. The last record of a partition is never left out. The file has no
/// meaning until the front speaks of it.
pub fn write(shared: &Arc<JournalShared>, to: &IndexEntry, compaction: &Compaction) -> Result<CompactedPrefix, Error> {
    let signal = &compaction.signal;
    let before = lock(&shared.state).base.clone();
    let before = before.as_ref().and_then(|base| base.removals.as_ref());
    let forgotten = compaction.forgotten(before);
    let forgotten_before: Vec<u64> = (0..shared.layout.len())
        .map(|slot| forgotten.as_ref().and_then(|ends| ends.get(shared.layout.at(slot))).unwrap_or(0))
        .collect();
    let name = CompactedPrefix::name(to.position);
    let shown = shared.storage.describe(&name);
    let last = last_offsets(shared, to, signal)?;
    let file = shared.storage.create(&name).map_err(Error::io("making", &shown))?;
    let mut writing = PrefixWriter::new(shared, &*file);
    each(shared, to, signal, &mut |slot, offset, record| {
        let is_forgotten = record.value.is_none() && offset < forgotten_before[slot];
        let is_last = last.get(&key(slot, record)) == Some(&offset);
        if offset + 1 == to.ends[slot] || (is_last && !is_forgotten) {
            writing.take(slot, offset, record).map_err(Error::io("writing", &shown))?;
        }
        Ok(())
    })?;
    writing.flush().and_then(|()| file.sync()).map_err(Error::io("writing", &shown))?;
    // The base is read back before anything that it replaces is deleted.
    let base = CompactedPrefix::open(to, &*shared.storage, &shared.layout, &shared.config)?;
    // Readers are at the base before until now.
    let removals = match before.filter(|_| forgotten.is_none()) {
        Some(before) => before.clone(),
        None => compaction.removals(&shared.layout, to),
    };
    Ok(base.with_removals(Some(removals)))
}

/// Finds the last record of each key.
fn last_offsets(
    shared: &Arc<JournalShared>,
    to: &IndexEntry,
    signal: &Signal,
) -> Result<HashMap<[u64; 2], u64>, Error> {
    let mut last = HashMap::new();
    let mut places = vec![None; shared.layout.len()];
    each(shared, to, signal, &mut |slot, offset, record| {
        let place = publisher::place(record);
        if place.is_none() || place > places[slot] {
            places[slot] = place.or(places[slot]);
            last.insert(key(slot, record), offset);
        }
        Ok(())
    })?;
    Ok(last)
}

/// A record's key in its partition. One without a key counts as one with an empty one.
fn key(slot: usize, record: &Record) -> [u64; 2] {
    let hash = xxh3_128_with_seed(record.key.as_deref().unwrap_or_default(), slot as u64);
    [hash as u64, (hash >> 64) as u64]
}

type Take<'a> = &'a mut dyn FnMut(usize, u64, &Record) -> Result<(), Error>;

/// Hands over every record of the compacted topics before that front, with its partition's number and its offset.
fn each(shared: &Arc<JournalShared>, to: &IndexEntry, signal: &Signal, take: Take<'_>) -> Result<(), Error> {
    let (base, from) = {
        let state = lock(&shared.state);
        (state.base.clone(), state.index.front().position)
    };
    if let Some(base) = base {
        let (mut window, mut position) = (Window::new(shared.config.read_window_bytes), 0);
        while let Some(commit) = base.commit(&mut window, position)? {
            go_on(signal)?;
            of_commit(shared, &commit, take, |why| base.damaged(position, why))?;
            position = commit.next;
        }
    }
    let mut scan = Scan::new(Arc::clone(shared), from);
    while scan.position() < to.position {
        // Nothing else deletes, so that it is there; if not, the base that is made will not be whole.
        let ScanStep::Commit(commit) = scan.next_commit()? else { break };
        go_on(signal)?;
        of_commit(shared, &commit, take, |why| scan.damaged_entry(&commit, why))?;
    }
    Ok(())
}

fn go_on(signal: &Signal) -> Result<(), Error> {
    if signal.is_stopped() { Err(Error::Unavailable("it was told to stop".to_owned())) } else { Ok(()) }
}

fn of_commit(
    shared: &JournalShared,
    commit: &Commit,
    take: Take<'_>,
    damaged: impl Fn(&'static str) -> Error,
) -> Result<(), Error> {
    let mut entries = commit.entries.clone();
    while !entries.is_empty() {
        let (entry, rest) = commit::entry(&entries).map_err(&damaged)?;
        entries = rest;
        let slot =
            shared.layout.slot_of(entry.topic, entry.partition).ok_or_else(|| damaged("an unknown partition"))?;
        if is_compacted(shared.layout.at(slot).topic) {
            let mut records = Records::of(entry.batch).map_err(|bad| damaged(bad.0))?;
            while let Some((offset, record)) = records.next_record().map_err(|bad| damaged(bad.0))? {
                take(slot, offset, &record)?;
            }
        }
    }
    Ok(())
}

/// Writes records as commits, each of about as much as one write may have.
struct PrefixWriter<'a> {
    shared: &'a JournalShared,
    file: &'a dyn StorageFile,
    at: u64,
    /// By the partitions' numbers.
    pending: Vec<Vec<(u64, Record)>>,
    bytes: usize,
    compressor: Option<Compressor<'static>>,
}

impl<'a> PrefixWriter<'a> {
    fn new(shared: &'a JournalShared, file: &'a dyn StorageFile) -> PrefixWriter<'a> {
        let pending = vec![Vec::new(); shared.layout.len()];
        let compressor = shared.config.is_packed.then(batch::compressor);
        PrefixWriter { shared, file, at: 0, pending, bytes: 0, compressor }
    }

    fn take(&mut self, slot: usize, offset: u64, record: &Record) -> std::io::Result<()> {
        self.bytes += record.bytes();
        // A copy, since a record that is kept would hold on to all that was read with it.
        self.pending[slot].push((offset, record.raw().into()));
        if self.bytes < self.shared.config.commit_bytes_max { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let JournalShared { layout, config, .. } = self.shared;
        let mut commit = vec![0; HEADER_BYTES];
        for (slot, records) in self.pending.iter_mut().enumerate() {
            let at = layout.at(slot);
            let mut rest = &records[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(batch_length(rest, config));
                commit.extend_from_slice(&layout.topic_number(at.topic).to_le_bytes());
                commit.extend_from_slice(&at.partition.to_le_bytes());
                let now = now.iter().map(|(offset, record)| (*offset, record));
                batch::encode(now, self.compressor.as_mut(), &mut commit);
                rest = later;
            }
            records.clear();
        }
        self.bytes = 0;
        if commit.len() > HEADER_BYTES {
            commit::seal(&mut commit, self.at);
            write_all(self.file, &commit, self.at)?;
            self.at += commit.len() as u64;
        }
        Ok(())
    }
}

/// The number of the records that the next batch takes; at least one.
fn batch_length(records: &[(u64, Record)], config: &JournalConfig) -> usize {
    let (mut bytes, first) = (0, records.first().map_or(0, |(offset, _)| *offset));
    let fits = |(offset, record): &&(u64, Record)| {
        bytes += record.bytes();
        bytes <= config.batch_bytes_max && offset - first < batch::SPAN_MAX
    };
    records.iter().take(config.batch_records_max).take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests;
