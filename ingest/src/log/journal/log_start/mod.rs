//! The start of the journal once its front was deleted: the file `front`, and how the front moves on. Not for deciding
//! what is needed: the caller's floor does that.
//!
//! The file is `{"front":{"format":1,"position":…,"offsets":{…}},"crc32c":…}`: the position at which the first segment
//! begins, and the next offset of every partition there; the checksum is over the bytes of the value of `front`.
//! Without the file the journal begins at position 0. Format 2 has `"base":{"format":1,"bytes":…}` too: there are
//! compacted topics, and what is left of them is in the base of that position. `"removals":{"since_ms":…,"ends":{…}}`
//! there says how long records without value have been in bases; without it, that is unknown.
//!
//! The file is replaced as a whole when the base is durable, and before the first segment is deleted. So a crash leaves
//! a journal that begins where it did, or one that begins later with some segments in front of it, which the next start
//! deletes, with every base but the one that `front` speaks of; and a missing segment that `front` does not account for
//! was not deleted by us.
//!
//! A base is written again whenever the front moves on, so that moves only when what becomes free is at least as much as
//! the base has: for each byte that is deleted, at most two are written.

mod obsolete_files;

pub use obsolete_files::ObsoleteFiles;

use super::commit::Segment;
use super::compact::{self, Compaction};
use super::compacted_prefix::{self, CompactedPrefix, is_compacted};
use super::config::JournalConfig;
use super::index::IndexEntry;
use super::meta::PartitionLayout;
use super::shared::JournalShared;
use crate::Error;
use crate::log::lock;
use crate::log::storage::Storage;
use dataflows::contract::epoch::Cut;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

const NAME: &str = "front";
const FORMAT: u32 = 1;
const FORMAT_WITH_BASE: u32 = 2;

/// The content of the file.
#[derive(Serialize, Deserialize)]
pub struct LogStart {
    format: u32,
    position: u64,
    offsets: Cut,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<compacted_prefix::PrefixRef>,
}

#[derive(Serialize, Deserialize)]
struct ChecksummedStart {
    front: Box<RawValue>,
    crc32c: u32,
}

/// The file is not what was written.
fn damaged(storage: &dyn Storage, why: String) -> Error {
    Error::Damaged { file: storage.describe(NAME), offset: 0, why }
}

/// Reads the file, if there is one.
pub fn read(storage: &dyn Storage) -> Result<Option<LogStart>, Error> {
    let bytes = match storage.read(NAME) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("reading", &storage.describe(NAME))(error)),
    };
    let bad = |why: String| damaged(storage, why);
    let ChecksummedStart { front, crc32c } = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if crc32c::crc32c(front.get().as_bytes()) != crc32c {
        return Err(bad("the checksum is wrong".to_owned()));
    }
    let front: LogStart = serde_json::from_str(front.get()).map_err(|error| bad(error.to_string()))?;
    if ![FORMAT, FORMAT_WITH_BASE].contains(&front.format) {
        return Err(bad(format!("its format is {}, and this build reads {FORMAT_WITH_BASE}", front.format)));
    }
    Ok(Some(front))
}

/// The place where the journal begins, and its base.
pub fn place(
    front: Option<LogStart>,
    storage: &dyn Storage,
    layout: &PartitionLayout,
    config: &JournalConfig,
) -> Result<(IndexEntry, Option<Arc<CompactedPrefix>>), Error> {
    let mut begin = IndexEntry { position: 0, ends: vec![0; layout.len()] };
    let Some(LogStart { format: _, position, offsets, base }) = front else { return Ok((begin, None)) };
    begin.position = position;
    for (at, offset) in offsets.iter() {
        let slot = layout.slot(at).ok_or_else(|| damaged(storage, format!("there is no partition {at}")))?;
        begin.ends[slot] = offset;
    }
    let base = base.map(|said| CompactedPrefix::open_referenced(&begin, said, storage, layout, config)).transpose()?;
    Ok((begin, base.map(Arc::new)))
}

fn write(
    storage: &dyn Storage,
    layout: &PartitionLayout,
    begin: &IndexEntry,
    base: Option<&CompactedPrefix>,
) -> Result<(), Error> {
    let format = if base.is_some() { FORMAT_WITH_BASE } else { FORMAT };
    let offsets = layout.cut(&begin.ends);
    let front = LogStart { format, position: begin.position, offsets, base: base.map(CompactedPrefix::reference) };
    let encode = || {
        let front = serde_json::value::to_raw_value(&front)?;
        let crc32c = crc32c::crc32c(front.get().as_bytes());
        serde_json::to_vec(&ChecksummedStart { front, crc32c })
    };
    let file = storage.describe(NAME);
    let bytes = encode().map_err(|error| Error::io("encoding", &file)(error.into()))?;
    storage.replace(NAME, &bytes).map_err(Error::io("writing", &file))
}

/// Moves the front up to the floor, as far as whole segments go, and deletes what is before it. Of compacted topics the
/// base keeps the last record of each key, if that has a value or has not been there for long.
pub fn delete_before(shared: &Arc<JournalShared>, floor: &Cut, compaction: &Compaction) -> Result<(), Error> {
    // Held to the end, so that there is one at a time.
    let leftovers = &mut *lock(&shared.leftovers);
    if let Some(begin) = next_front(shared, floor)? {
        resolve_uncertain(shared, leftovers)?;
        // One of them may have the name of the base that is to be.
        leftovers.delete(&*shared.storage)?;
        let base = base(shared, leftovers, &begin, compaction)?;
        if let Err(error) = write(&*shared.storage, &shared.layout, &begin, base.as_ref()) {
            leftovers.in_doubt = base.map(|_| CompactedPrefix::name(begin.position));
            return Err(error);
        }
        let state = &mut *lock(&shared.state);
        let count = state.segments.partition_point(|segment| segment.start < begin.position);
        leftovers.names.extend(state.segments.drain(..count).map(|segment| Segment::name(segment.start)));
        if state.base.is_some() {
            leftovers.names.push(CompactedPrefix::name(state.index.front().position));
        }
        state.base = base.map(Arc::new);
        state.index.cut(begin);
    }
    leftovers.delete(&*shared.storage)
}

/// After a front that may be durable or not, makes the one durable that is known to be right.
fn resolve_uncertain(shared: &JournalShared, leftovers: &mut ObsoleteFiles) -> Result<(), Error> {
    if leftovers.in_doubt.is_some() {
        let (begin, base) = {
            let state = lock(&shared.state);
            (state.index.front().clone(), state.base.clone())
        };
        write(&*shared.storage, &shared.layout, &begin, base.as_deref())?;
        leftovers.names.extend(leftovers.in_doubt.take());
    }
    Ok(())
}

/// The base of a front that is to be; none if no topic is compacted.
fn base(
    shared: &Arc<JournalShared>,
    leftovers: &mut ObsoleteFiles,
    begin: &IndexEntry,
    compaction: &Compaction,
) -> Result<Option<CompactedPrefix>, Error> {
    if !shared.layout.partitions().topics().any(is_compacted) {
        return Ok(None);
    }
    let written = compact::write(shared, begin, compaction);
    if written.is_err() {
        // At once, so that a full disk has its room back.
        leftovers.names.push(CompactedPrefix::name(begin.position));
        leftovers.delete(&*shared.storage)?;
    }
    written.map(Some)
}

/// The start of the last segment before which nothing is needed, if the journal begins before it.
fn next_front(shared: &JournalShared, floor: &Cut) -> Result<Option<IndexEntry>, Error> {
    let state = lock(&shared.state);
    let mut needed = state.index.front().ends.clone();
    for (at, asked) in floor.iter() {
        let slot = shared.layout.slot(at).ok_or(Error::NoPartition(at))?;
        let end = state.ends[slot];
        if asked > end {
            return Err(Error::OutOfRange { at, asked, end });
        }
        needed[slot] = needed[slot].max(asked);
    }
    // Offsets only rise along the journal, so the segments before which nothing is needed come first.
    let is_free = |segment: &Segment| segment.offsets.iter().zip(&needed).all(|(offset, needed)| offset <= needed);
    let count = state.segments.partition_point(is_free);
    let last = count.checked_sub(1).and_then(|number| state.segments.get(number));
    let base_bytes = state.base.as_ref().map_or(0, |base| base.bytes);
    let is_worth_it = |free: u64| free > 0 && free >= base_bytes;
    let begin = last.filter(|segment| is_worth_it(segment.start - state.index.front().position));
    Ok(begin.map(|segment| IndexEntry { position: segment.start, ends: segment.offsets.to_vec() }))
}

#[cfg(test)]
mod tests;
