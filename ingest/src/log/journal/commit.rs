//! The form of the journal's files: commits, each the batches that became durable together, and how they are read back.
//! Not for deciding what a bad one means: see `recovery` and `reader`.
//!
//! A commit is `magic u32 · length u32 · checksum u32 · position u64 · entries`, little-endian; the length is that of the
//! entries, the checksum (CRC-32C) is over everything after itself and the length. An entry is
//! `topic u32 · partition u32 · record batch`. The position is the commit's own place in the journal, so that old bytes
//! elsewhere are never taken for a commit. One commit is one write and one fdatasync: what is torn by a crash is always
//! exactly the last commit, so a bad commit with a good one after it is damage.

use super::batch::{self, BatchHeader};
use crate::log::storage::{StorageFile, read_full};
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::Arc;

/// The bytes of a commit before its entries.
pub const HEADER_BYTES: usize = 20;
/// The bytes of an entry before its batch.
pub const ENTRY_BYTES: usize = 8;
const MAGIC: [u8; 4] = *b"TWJ1";

/// A file of the journal.
#[derive(Clone)]
pub struct Segment {
    /// The position of its first byte in the journal; its name.
    pub start: u64,
    /// The next offset of every partition there.
    pub offsets: Arc<[u64]>,
    /// The file.
    pub file: Arc<dyn StorageFile>,
}

impl Segment {
    /// The file's name.
    pub fn name(start: u64) -> String {
        format!("{start:020}.journal")
    }

    /// The position that a file's name gives.
    pub fn start_of(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".journal")?;
        (digits.len() == 20).then(|| digits.parse().ok())?
    }
}

/// A commit, checked.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The position at which it begins.
    pub position: u64,
    /// The position at which the next one begins.
    pub next: u64,
    /// Its entries, one after another.
    pub entries: Bytes,
}

/// An entry of a commit.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The topic's number in the journal.
    pub topic: u32,
    /// The partition.
    pub partition: u32,
    /// The front of its batch.
    pub header: BatchHeader,
    /// Its batch.
    pub batch: Bytes,
}

/// The result of a read at a position.
#[derive(Debug)]
pub enum CommitRead {
    /// A commit.
    Commit(Commit),
    /// No commit, and why not.
    Bad(&'static str),
}

/// Puts the front before the entries in `commit`, which begin at [`HEADER_BYTES`].
pub fn seal(commit: &mut [u8], position: u64) {
    let length = u32::try_from(commit.len() - HEADER_BYTES).expect("commits are limited far below 4 GiB");
    commit[..4].copy_from_slice(&MAGIC);
    commit[4..8].copy_from_slice(&length.to_le_bytes());
    commit[12..20].copy_from_slice(&position.to_le_bytes());
    let checksum = checksum(length, &commit[12..]);
    commit[8..12].copy_from_slice(&checksum.to_le_bytes());
}

fn checksum(length: u32, rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), rest)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The entry at the front of the bytes, and what is left after it.
pub fn entry(entries: &Bytes) -> Result<(Entry, Bytes), &'static str> {
    if entries.len() < ENTRY_BYTES {
        return Err("an entry is cut short");
    }
    let (topic, partition) = (u32_at(entries, 0), u32_at(entries, 4));
    let header = batch::header(&entries[ENTRY_BYTES..]).map_err(|bad| bad.0)?;
    let end = ENTRY_BYTES + header.bytes;
    Ok((Entry { topic, partition, header, batch: entries.slice(ENTRY_BYTES..end) }, entries.slice(end..)))
}

/// Reads commits one after another through a window on the file, so that many small ones cost one read.
#[derive(Debug)]
pub struct Window {
    bytes: Bytes,
    start: u64,
    bytes_min: usize,
}

impl Window {
    /// A window that reads at least that many bytes at once, if there are so many.
    pub const fn new(bytes_min: usize) -> Window {
        Window { bytes: Bytes::new(), start: 0, bytes_min }
    }

    /// Reads at `position` of the segment, whose readable part ends at `end` (both in the whole journal).
    pub fn commit(&mut self, segment: &Segment, position: u64, end: u64) -> io::Result<CommitRead> {
        let Some(head) = self.bytes_at(segment, position, HEADER_BYTES, end)? else {
            return Ok(CommitRead::Bad("it is cut short"));
        };
        if head[..4] != MAGIC {
            return Ok(CommitRead::Bad("no commit begins here"));
        }
        let own = u64::from(u32_at(&head, 12)) | u64::from(u32_at(&head, 16)) << 32;
        if own != position {
            return Ok(CommitRead::Bad("the commit belongs elsewhere"));
        }
        let (length, found) = (u32_at(&head, 4), u32_at(&head, 8));
        let Some(all) = self.bytes_at(segment, position, HEADER_BYTES + length as usize, end)? else {
            return Ok(CommitRead::Bad("it is cut short"));
        };
        if checksum(length, &all[12..]) != found {
            return Ok(CommitRead::Bad("the checksum is wrong"));
        }
        let next = position + all.len() as u64;
        Ok(CommitRead::Commit(Commit { position, next, entries: all.slice(HEADER_BYTES..) }))
    }

    /// The first place in `from..end` where a commit seems to begin; it is still to be checked.
    pub fn find(&mut self, segment: &Segment, mut from: u64, end: u64) -> io::Result<Option<u64>> {
        while from + HEADER_BYTES as u64 <= end {
            let length = usize::try_from(end - from).unwrap_or(usize::MAX).min(self.bytes_min.max(HEADER_BYTES));
            let Some(part) = self.bytes_at(segment, from, length, end)? else { break };
            if let Some(at) = part.windows(MAGIC.len()).position(|four| four == MAGIC) {
                return Ok(Some(from + at as u64));
            }
            from += (part.len() - MAGIC.len() + 1) as u64;
        }
        Ok(None)
    }

    fn bytes_at(&mut self, segment: &Segment, from: u64, length: usize, end: u64) -> io::Result<Option<Bytes>> {
        if end.saturating_sub(from) < length as u64 {
            return Ok(None);
        }
        let inside = from.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        if let Some(at) = inside
            && at + length <= self.bytes.len()
        {
            return Ok(Some(self.bytes.slice(at..at + length)));
        }
        let wanted = usize::try_from(end - from).unwrap_or(usize::MAX).min(length.max(self.bytes_min));
        // The last window's memory is used again if no record holds on to it.
        let mut buffer = std::mem::take(&mut self.bytes).try_into_mut().unwrap_or_else(|_| BytesMut::new());
        buffer.resize(wanted, 0);
        let filled = read_full(&*segment.file, &mut buffer, from - segment.start)?;
        buffer.truncate(filled);
        self.bytes = buffer.freeze();
        self.start = from;
        Ok((filled >= length).then(|| self.bytes.slice(..length)))
    }
}
