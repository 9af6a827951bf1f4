//! Reads some partitions of the journal by one pass over it, up to the durable end. Not for keeping records.
//!
//! A segment may be deleted under a reader. It reads the file as long as it has it open; where its next segment is
//! gone, it resumes at the journal's front if all that it wants is there, and fails if not. Records of compacted topics
//! before the front are read in the base first, to the end of that, whatever becomes of the front meanwhile.

use super::batch::Records;
use super::commit::{self, Commit, CommitRead, Entry, Segment, Window};
use super::compacted_prefix::CompactedPrefix;
use super::shared::{JournalShared, JournalState};
use crate::Error;
use crate::log::{LogReader, LogRecord, ReadLimit, Watch, lock};
use bytes::Bytes;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::ports::Waker;
use std::sync::Arc;

/// The outcome of a step of a scan.
pub enum ScanStep {
    /// A commit.
    Commit(Commit),
    /// The durable end.
    End,
    /// A place before the journal's front.
    Deleted,
}

/// Goes over the journal commit by commit.
pub struct Scan {
    shared: Arc<JournalShared>,
    window: Window,
    segment: Option<(Segment, u64)>,
    position: u64,
    end: u64,
}

impl Scan {
    /// From a place where a commit begins.
    pub fn new(shared: Arc<JournalShared>, position: u64) -> Scan {
        let window = Window::new(shared.config.read_window_bytes);
        Scan { shared, window, segment: None, position, end: position }
    }

    /// Resumes at another place where a commit begins.
    fn go_to(&mut self, position: u64) {
        (self.position, self.end, self.segment) = (position, position, None);
    }

    /// The journal.
    pub const fn shared(&self) -> &Arc<JournalShared> {
        &self.shared
    }

    /// The position at which the next commit begins.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The next commit, if there is a durable one.
    pub fn next_commit(&mut self) -> Result<ScanStep, Error> {
        if self.position == self.end {
            // A file that is kept open keeps its room on the disk even when it is deleted.
            self.segment = None;
            self.end = lock(&self.shared.state).position;
            if self.position == self.end {
                return Ok(ScanStep::End);
            }
        }
        let Some((segment, end)) = self.segment() else { return Ok(ScanStep::Deleted) };
        let name = self.shared.storage.describe(&Segment::name(segment.start));
        match self.window.commit(&segment, self.position, end).map_err(Error::io("reading", &name))? {
            CommitRead::Commit(commit) => {
                self.position = commit.next;
                Ok(ScanStep::Commit(commit))
            }
            CommitRead::Bad(why) => Err(self.damaged(&segment, self.position, why)),
        }
    }

    /// The segment at the position, and where its durable part ends; none if it is deleted.
    fn segment(&mut self) -> Option<(Segment, u64)> {
        if let Some((segment, end)) = &self.segment
            && self.position < *end
        {
            return Some((segment.clone(), *end));
        }
        let state = lock(&self.shared.state);
        let after = state.segments.partition_point(|segment| segment.start <= self.position);
        let segment = state.segments.get(after.checked_sub(1)?)?.clone();
        let end = state.segments.get(after).map_or(self.end, |next| next.start.min(self.end));
        drop(state);
        self.segment = Some((segment.clone(), end));
        Some((segment, end))
    }

    fn damaged(&self, segment: &Segment, position: u64, why: &str) -> Error {
        let file = self.shared.storage.describe(&Segment::name(segment.start));
        Error::Damaged { file, offset: position - segment.start, why: why.to_owned() }
    }

    /// An entry of the commit is not what was written.
    pub fn damaged_entry(&self, commit: &Commit, why: &str) -> Error {
        let segment = self.segment.as_ref().map(|(segment, _)| segment.clone());
        match segment {
            Some(segment) => self.damaged(&segment, commit.position, why),
            None => Error::Unavailable(why.to_owned()),
        }
    }
}

/// Goes over a base commit by commit.
struct BaseScan {
    base: Arc<CompactedPrefix>,
    window: Window,
    position: u64,
}

/// The place to begin at for these next offsets, given by the partitions' numbers: in the journal, but first in the
/// base if that has some of it.
fn place(shared: &JournalShared, state: &JournalState, next: &[Option<u64>]) -> Result<(u64, Option<BaseScan>), Error> {
    let wanted = next.iter().enumerate().filter_map(|(slot, next)| Some((slot, (*next)?)));
    let mut is_before = false;
    for (slot, asked) in wanted.clone() {
        let start = state.index.front().ends[slot];
        if asked < start && !state.is_in_base(&shared.layout, slot) {
            return Err(Error::Deleted { at: shared.layout.at(slot), asked, start });
        }
        is_before |= asked < start;
    }
    let Some(base) = state.base.as_ref().filter(|_| is_before) else {
        return Ok((state.index.before(wanted).position, None));
    };
    let window = Window::new(shared.config.read_window_bytes);
    let scan = BaseScan { base: Arc::clone(base), window, position: base.before(wanted) };
    Ok((state.index.front().position, Some(scan)))
}

/// See [`LogReader`].
pub struct JournalReader {
    scan: Scan,
    /// Read before the scan is continued.
    base: Option<BaseScan>,
    /// By partition number: where it is read up to, if it is read here.
    next: Vec<Option<u64>>,
    commit: Option<Commit>,
    entries: Bytes,
    batch: Option<(TopicPartition, usize, Records)>,
    watch: Option<Watch>,
}

impl JournalReader {
    /// A reader of the partitions that `starts` names.
    pub fn new(shared: &Arc<JournalShared>, starts: &Cut) -> Result<JournalReader, Error> {
        let mut next = vec![None; shared.layout.len()];
        let state = lock(&shared.state);
        for (at, asked) in starts.iter() {
            let slot = shared.layout.slot(at).ok_or(Error::NoPartition(at))?;
            let end = state.ends[slot];
            if asked > end {
                return Err(Error::OutOfRange { at, asked, end });
            }
            next[slot] = Some(asked);
        }
        let (position, base) = place(shared, &state, &next)?;
        drop(state);
        let scan = Scan::new(Arc::clone(shared), position);
        Ok(JournalReader { scan, base, next, commit: None, entries: Bytes::new(), batch: None, watch: None })
    }

    /// The next commit of the base, then of the journal; none at the durable end.
    fn next_commit(&mut self) -> Result<Option<Commit>, Error> {
        loop {
            if let Some(BaseScan { base, window, position }) = &mut self.base {
                if let Some(commit) = base.commit(window, *position)? {
                    *position = commit.next;
                    return Ok(Some(commit));
                }
                // All of these partitions was read that there is before the front of this base.
                let ends = base.ends.iter().zip(&mut self.next);
                ends.for_each(|(end, next)| *next = next.map(|next| next.max(*end)));
                self.go_on()?;
                continue;
            }
            match self.scan.next_commit()? {
                ScanStep::Commit(commit) => return Ok(Some(commit)),
                ScanStep::End => return Ok(None),
                ScanStep::Deleted => self.go_on()?,
            }
        }
    }

    /// Looks again for the place where what is wanted next can be read.
    fn go_on(&mut self) -> Result<(), Error> {
        self.base = None;
        let shared = Arc::clone(&self.scan.shared);
        let (position, base) = place(&shared, &lock(&shared.state), &self.next)?;
        self.scan.go_to(position);
        self.base = base;
        Ok(())
    }

    /// Goes to the next batch that holds something wanted; false at the durable end.
    fn next_batch(&mut self) -> Result<bool, Error> {
        loop {
            if self.entries.is_empty() {
                // Drops the window's memory before it is filled again.
                self.entries = Bytes::new();
                self.commit = None;
                let Some(commit) = self.next_commit()? else { return Ok(false) };
                self.entries = commit.entries.clone();
                self.commit = Some(commit);
            }
            let (entry, rest) = commit::entry(&self.entries).map_err(|why| self.damaged(why))?;
            self.entries = rest;
            if let Some(batch) = self.wanted(entry)? {
                self.batch = Some(batch);
                return Ok(true);
            }
        }
    }

    fn wanted(&self, entry: Entry) -> Result<Option<(TopicPartition, usize, Records)>, Error> {
        let layout = &self.scan.shared.layout;
        let slot = layout.slot_of(entry.topic, entry.partition).ok_or_else(|| self.damaged("an unknown partition"))?;
        let Some(start) = self.next[slot] else { return Ok(None) };
        if entry.header.base_offset + u64::from(entry.header.span) <= start {
            return Ok(None);
        }
        if entry.header.base_offset > start && self.base.is_none() {
            return Err(self.damaged("offsets before it are missing"));
        }
        let mut records = Records::of(entry.batch).map_err(|bad| self.damaged(bad.0))?;
        records.skip_before(start).map_err(|bad| self.damaged(bad.0))?;
        Ok(Some((layout.at(slot), slot, records)))
    }

    fn damaged(&self, why: &str) -> Error {
        match (&self.base, &self.commit) {
            (Some(scan), Some(commit)) => scan.base.damaged(commit.position, why),
            (None, Some(commit)) => self.scan.damaged_entry(commit, why),
            (_, None) => Error::Unavailable(why.to_owned()),
        }
    }
}

impl LogReader for JournalReader {
    fn poll(&mut self, limit: ReadLimit, into: &mut Vec<LogRecord>) -> Result<(), Error> {
        let (mut given, mut bytes) = (0, 0);
        while given < limit.records_max.max(1) && bytes < limit.bytes_max.max(1) {
            let Some((at, slot, records)) = &mut self.batch else {
                if self.next_batch()? {
                    continue;
                }
                return Ok(());
            };
            let (at, slot) = (*at, *slot);
            match records.next_record() {
                Ok(Some((offset, record))) => {
                    self.next[slot] = Some(offset + 1);
                    given += 1;
                    bytes += record.bytes();
                    let origin = Origin { topic: at.topic, partition: at.partition, offset };
                    into.push(LogRecord { origin, record });
                }
                Ok(None) => self.batch = None,
                Err(bad) => return Err(self.damaged(bad.0)),
            }
        }
        Ok(())
    }

    fn position(&self, at: TopicPartition) -> Option<u64> {
        self.next[self.scan.shared.layout.slot(at)?]
    }

    fn wake(&mut self, waker: Waker) {
        self.watch = Some(self.scan.shared.watchers.add(waker));
    }
}
