//! The end of the next epoch when more waits than it takes: an earlier snapshot of the journal than its end.
//!
//! The journal's order is the order of acknowledgement. With a record that is left out, all later topics' records after
//! it are left out too, so that the cut is a consistent snapshot; see [`Log::ends`](crate::log::Log::ends). Apart from
//! that no partition waits for another: each gives at most its equal share.

use super::batch::{BadBatch, Records};
use super::commit::{self, Commit, Entry};
use super::reader::{Scan, ScanStep};
use super::shared::JournalShared;
use crate::Error;
use crate::log::{CutLimit, lock};
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::Topic;
use std::sync::Arc;

/// The search for other partitions' records after a long backlog, as a multiple of an epoch's bytes.
const AHEAD: u64 = 8;

/// See [`Log::cut_after`](crate::log::Log::cut_after); none if what has to be read for it was deleted meanwhile.
pub fn cut_after(shared: &Arc<JournalShared>, from: &Cut, limit: CutLimit) -> Result<Option<Cut>, Error> {
    let layout = &shared.layout;
    let inputs = || (0..layout.len()).filter(|slot| layout.at(*slot).topic != Topic::Epochs);
    let from: Vec<u64> = (0..layout.len()).map(|slot| from.get(layout.at(slot)).unwrap_or(0)).collect();
    let (ends, end, mark) = {
        let state = lock(&shared.state);
        let starts = inputs().map(|slot| (slot, from[slot]));
        (state.ends.clone(), state.position, state.index.before(starts).clone())
    };
    let left = |slot: usize| ends[slot].saturating_sub(from[slot]);
    let is_small = inputs().map(left).sum::<u64>() <= limit.records_max && end - mark.position <= limit.bytes_max;
    if is_small {
        return Ok(Some(layout.cut(&ends)));
    }
    // Deleted records count for nothing.
    let reached: Vec<u64> = from.iter().zip(&mark.ends).map(|(from, mark)| *from.max(mark)).collect();
    let waiting = inputs().filter(|slot| reached[*slot] < ends[*slot]).count();
    let mut shares = Shares::new(limit, waiting, reached);
    let mut scan = Scan::new(Arc::clone(shared), mark.position);
    // Before the first record that is taken there may be any number of those that were taken before.
    let (mut has_begun, mut last) = (false, end);
    while shares.open > 0 && scan.position() < last {
        match scan.next_commit()? {
            ScanStep::Commit(commit) => take(&mut shares, &scan, &commit, &ends)?,
            ScanStep::End => break,
            ScanStep::Deleted => return Ok(None),
        }
        if !has_begun && shares.has_any() {
            has_begun = true;
            last = scan.position().saturating_add(AHEAD.saturating_mul(limit.bytes_max)).min(end);
        }
    }
    Ok(Some(layout.cut(&shares.reached)))
}

fn take(shares: &mut Shares, scan: &Scan, commit: &Commit, ends: &[u64]) -> Result<(), Error> {
    let layout = &scan.shared().layout;
    let mut entries = commit.entries.clone();
    while !entries.is_empty() && shares.open > 0 {
        let (entry, rest) = commit::entry(&entries).map_err(|why| scan.damaged_entry(commit, why))?;
        entries = rest;
        let Some(slot) = layout.slot_of(entry.topic, entry.partition) else { continue };
        // Records that came after the journal's end was looked at are no part of the snapshot.
        if entry.header.base_offset < ends[slot] {
            let topic = layout.at(slot).topic;
            shares.take(slot, topic, &entry, ends[slot]).map_err(|bad| scan.damaged_entry(commit, bad.0))?;
        }
    }
    Ok(())
}

/// The share of each partition in the epoch.
struct Shares {
    /// Of each partition.
    records: u64,
    /// Of each partition.
    bytes: u64,
    /// The bytes left for records that are larger than a share, the oldest first.
    large_bytes: i64,
    /// By partition: the next offset.
    reached: Vec<u64>,
    /// By partition: how many records and bytes it has given, and whether it gives more.
    given: Vec<(u64, u64, bool)>,
    /// The earliest topic of which something is left out.
    left_out: Option<Topic>,
    /// The number of partitions that have more and may give it.
    open: usize,
}

impl Shares {
    /// Creates equal ones. If several partitions wait, half of the bytes is for records that are larger than a share.
    fn new(limit: CutLimit, waiting: usize, reached: Vec<u64>) -> Shares {
        let count = waiting.max(1) as u64;
        let bytes = if count > 1 { limit.bytes_max / 2 } else { limit.bytes_max };
        Shares {
            records: (limit.records_max / count).max(1),
            bytes: (bytes / count).max(1),
            large_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            given: vec![(0, 0, true); reached.len()],
            reached,
            left_out: None,
            open: waiting,
        }
    }

    /// Returns true if any record was taken.
    fn has_any(&self) -> bool {
        self.given.iter().any(|(records, ..)| *records > 0)
    }

    /// Takes of a batch what it may.
    fn take(&mut self, slot: usize, topic: Topic, entry: &Entry, partition_end: u64) -> Result<(), BadBatch> {
        let begin = entry.header.base_offset.max(self.reached[slot]);
        let end = entry.header.base_offset + u64::from(entry.header.span);
        if end <= begin {
            return Ok(());
        }
        if topic == Topic::Epochs {
            // It has no share. As the last topic it is taken for as long as nothing is left out.
            self.given[slot].2 &= self.left_out.is_none();
            if self.given[slot].2 {
                self.reached[slot] = end;
            }
            return Ok(());
        }
        if !self.given[slot].2 {
            return Ok(());
        }
        if self.left_out.is_none_or(|left_out| topic <= left_out) {
            self.take_records(slot, entry, begin, end)?;
        }
        if self.reached[slot] < end {
            self.given[slot].2 = false;
            self.left_out = Some(self.left_out.map_or(topic, |left_out| left_out.min(topic)));
        }
        if self.reached[slot] < end || self.reached[slot] >= partition_end {
            self.open -= 1;
        }
        Ok(())
    }

    fn take_records(&mut self, slot: usize, entry: &Entry, begin: u64, end: u64) -> Result<(), BadBatch> {
        let (records, bytes, _) = &mut self.given[slot];
        let size = entry.header.bytes as u64;
        // A batch that was compressed has more in it than its own bytes show.
        let is_whole = begin == entry.header.base_offset && !entry.header.is_compressed;
        if is_whole && *records + (end - begin) <= self.records && *bytes + size <= self.bytes {
            (*records, *bytes) = (*records + (end - begin), *bytes + size);
            self.reached[slot] = end;
            return Ok(());
        }
        let mut of_batch = Records::of(entry.batch.clone())?;
        of_batch.skip_before(begin)?;
        while let Some((offset, record)) = of_batch.next_record()? {
            let size = record.bytes() as u64;
            let fits = *records < self.records && *bytes + size <= self.bytes;
            // One record may be larger than a share, also than what is left.
            let is_large = *records == 0 && self.large_bytes > 0;
            if !fits && !is_large {
                return Ok(());
            }
            if !fits {
                self.large_bytes -= size.cast_signed();
            }
            (*records, *bytes) = (*records + 1, *bytes + size);
            self.reached[slot] = offset + 1;
        }
        self.reached[slot] = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
