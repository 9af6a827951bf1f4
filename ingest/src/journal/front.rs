//! Where the journal begins once its front was deleted: the file `front`, and how the front moves on. Not for deciding
//! what is needed: the caller's floor says that.
//!
//! The file is `{"front":{"format":1,"position":…,"offsets":{…}},"crc32c":…}`: the position at which the first segment
//! begins, and the next offset of every partition there; the checksum is over the bytes of the value of `front`. Without
//! the file the journal begins at position 0.
//!
//! The file is replaced as a whole before the first segment is deleted. So a crash leaves a journal that begins where it
//! did, or one that begins later with some segments in front of it, which the next start deletes; and a segment that is
//! missing although `front` does not say so was not deleted by us.

use super::commit::Segment;
use super::index::Mark;
use super::meta::Layout;
use super::{Shared, snapshot};
use crate::Error;
use crate::log::lock;
use crate::storage::Storage;
use dataflows::epoch::Cut;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const NAME: &str = "front";
const FORMAT: u32 = 1;

/// What the file says.
#[derive(Serialize, Deserialize)]
pub struct Front {
    format: u32,
    position: u64,
    offsets: Cut,
}

#[derive(Serialize, Deserialize)]
struct Checked {
    front: Box<RawValue>,
    crc32c: u32,
}

fn damaged(storage: &dyn Storage, why: String) -> Error {
    Error::Damaged { file: storage.describe(NAME), offset: 0, why }
}

/// Reads the file, if there is one.
pub fn read(storage: &dyn Storage) -> Result<Option<Front>, Error> {
    let bytes = match storage.read(NAME) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("reading", &storage.describe(NAME))(error)),
    };
    let bad = |why: String| damaged(storage, why);
    let Checked { front, crc32c } = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if crc32c::crc32c(front.get().as_bytes()) != crc32c {
        return Err(bad("the checksum is wrong".to_owned()));
    }
    let front: Front = serde_json::from_str(front.get()).map_err(|error| bad(error.to_string()))?;
    if front.format != FORMAT {
        return Err(bad(format!("its format is {}, and this build reads {FORMAT}", front.format)));
    }
    Ok(Some(front))
}

/// The place where the journal begins.
pub fn place(front: Option<Front>, storage: &dyn Storage, layout: &Layout) -> Result<Mark, Error> {
    let mut begin = Mark { position: 0, ends: vec![0; layout.len()] };
    if let Some(Front { format: _, position, offsets }) = front {
        begin.position = position;
        for (at, offset) in offsets.iter() {
            let slot = layout.slot(at).ok_or_else(|| damaged(storage, format!("there is no partition {at}")))?;
            begin.ends[slot] = offset;
        }
    }
    Ok(begin)
}

fn write(storage: &dyn Storage, layout: &Layout, begin: &Mark) -> Result<(), Error> {
    let front = Front { format: FORMAT, position: begin.position, offsets: snapshot(layout, &begin.ends) };
    let encode = || {
        let front = serde_json::value::to_raw_value(&front)?;
        let crc32c = crc32c::crc32c(front.get().as_bytes());
        serde_json::to_vec(&Checked { front, crc32c })
    };
    let file = storage.describe(NAME);
    let bytes = encode().map_err(|error| Error::io("encoding", &file)(error.into()))?;
    storage.replace(NAME, &bytes).map_err(Error::io("writing", &file))
}

/// Moves the front up to the floor, as far as whole segments go, and deletes what is before it.
pub fn delete_before(shared: &Shared, floor: &Cut) -> Result<(), Error> {
    // Held to the end, so that there is one at a time.
    let mut leftovers = lock(&shared.leftovers);
    if let Some(begin) = next_front(shared, floor)? {
        write(&*shared.storage, &shared.layout, &begin)?;
        let state = &mut *lock(&shared.state);
        let count = state.segments.partition_point(|segment| segment.start < begin.position);
        leftovers.extend(state.segments.drain(..count).map(|segment| segment.start));
        state.index.cut(begin);
    }
    delete(&*shared.storage, &mut leftovers)
}

/// Where the last segment begins before which nothing is needed, if the journal begins before it.
fn next_front(shared: &Shared, floor: &Cut) -> Result<Option<Mark>, Error> {
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
    let begin = last.filter(|segment| segment.start > state.index.front().position);
    Ok(begin.map(|segment| Mark { position: segment.start, ends: segment.offsets.to_vec() }))
}

/// Deletes files before the front that a crash or an error left there.
pub fn delete_leftovers(shared: &Shared) -> Result<(), Error> {
    delete(&*shared.storage, &mut lock(&shared.leftovers))
}

/// The oldest first, each kept in mind until it is gone.
fn delete(storage: &dyn Storage, leftovers: &mut Vec<u64>) -> Result<(), Error> {
    let mut gone = 0;
    let result = leftovers.iter().try_for_each(|start| {
        let name = Segment::name(*start);
        storage.delete(&name).map_err(Error::io("deleting", &storage.describe(&name)))?;
        gone += 1;
        Ok(())
    });
    leftovers.drain(..gone);
    result
}

#[cfg(test)]
mod tests;
