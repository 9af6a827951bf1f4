//! The start of a journal from its folder: every commit is checked, a torn last one is cut off, and any other damage
//! stops the start. Not for what happens while it runs.

use super::commit::{self, Commit, CommitRead, Segment, Window};
use super::compacted_prefix::CompactedPrefix;
use super::config::JournalConfig;
use super::index::{IndexEntry, PositionIndex};
use super::meta::PartitionLayout;
use super::shared::JournalState;
use crate::Error;
use crate::log::storage::Storage;

/// Names of segments that are there, in order.
pub fn segments(storage: &dyn Storage) -> Result<Vec<u64>, Error> {
    let folder = storage.describe("");
    let names = storage.list().map_err(Error::io("listing", &folder))?;
    let mut starts: Vec<u64> = names.iter().filter_map(|name| Segment::start_of(name)).collect();
    starts.sort_unstable();
    Ok(starts)
}

/// Names of bases that are there.
pub fn bases(storage: &dyn Storage) -> Result<Vec<String>, Error> {
    let names = storage.list().map_err(Error::io("listing", &storage.describe("")))?;
    Ok(names.into_iter().filter(|name| CompactedPrefix::is_name(name)).collect())
}

/// Reads all segments from the place on where the journal begins.
pub fn recover(
    storage: &dyn Storage,
    starts: &[u64],
    begin: IndexEntry,
    layout: &PartitionLayout,
    config: &JournalConfig,
) -> Result<JournalState, Error> {
    let mut state = JournalState {
        position: begin.position,
        ends: begin.ends.clone(),
        index: PositionIndex::new(begin, config.index_distance_bytes, config.index_marks_max),
        segments: Vec::new(),
        base: None,
    };
    for (number, start) in starts.iter().enumerate() {
        let name = storage.describe(&Segment::name(*start));
        if *start != state.position {
            let why = match number {
                0 => format!("the journal begins at {}, and the segment there is missing", state.position),
                _ => format!("the journal before it ends at {}, and a segment is missing or cut", state.position),
            };
            return Err(Error::Damaged { file: name, offset: 0, why });
        }
        let file = storage.open(&Segment::name(*start)).map_err(Error::io("opening", &name))?;
        let mut segment = Segment { start: *start, offsets: state.ends.clone().into(), file };
        let is_last = number + 1 == starts.len();
        read_segment(&segment, &name, is_last, &mut state, layout, config)?;
        if is_last && state.position == *start {
            // Nothing was ever committed to it, so its maker may have ended before its name was durable.
            let made = storage.create(&Segment::name(*start));
            segment.file = made.map_err(Error::io("making", &name))?;
        }
        state.segments.push(segment);
    }
    if starts.is_empty() {
        let name = Segment::name(state.position);
        if state.position > 0 {
            let why = "it is missing, and the journal begins there".to_owned();
            return Err(Error::Damaged { file: storage.describe(&name), offset: 0, why });
        }
        let file = storage.create(&name).map_err(Error::io("making", &storage.describe(&name)))?;
        state.segments.push(Segment { start: state.position, offsets: state.ends.clone().into(), file });
    }
    Ok(state)
}

fn read_segment(
    segment: &Segment,
    name: &str,
    is_last: bool,
    state: &mut JournalState,
    layout: &PartitionLayout,
    config: &JournalConfig,
) -> Result<(), Error> {
    let size = segment.file.size().map_err(Error::io("reading", name))?;
    let end = segment.start + size;
    let mut window = Window::new(config.read_window_bytes);
    while state.position < end {
        let offset = state.position - segment.start;
        let damaged = |why: String| Error::Damaged { file: name.to_owned(), offset, why };
        match window.commit(segment, state.position, end).map_err(Error::io("reading", name))? {
            CommitRead::Commit(commit) => take(&commit, state, layout).map_err(damaged)?,
            CommitRead::Bad(why) => {
                let torn = is_last && !is_commit_after(&mut window, segment, state.position, end, name)?;
                if !torn {
                    return Err(damaged(why.to_owned()));
                }
                let cut_bytes = end - state.position;
                tracing::warn!(file = name, offset, cut_bytes, why, "cut the torn end of the journal");
                segment.file.truncate(offset).map_err(Error::io("cutting", name))?;
                break;
            }
        }
    }
    if is_last {
        // Bytes written but not synced when the last process ended become durable before anything reads them.
        segment.file.sync().map_err(Error::io("syncing", name))?;
    }
    Ok(())
}

fn take(commit: &Commit, state: &mut JournalState, layout: &PartitionLayout) -> Result<(), String> {
    state.index.note(commit.position, &state.ends);
    let mut entries = commit.entries.clone();
    while !entries.is_empty() {
        let (entry, rest) = commit::entry(&entries)?;
        let slot = layout
            .slot_of(entry.topic, entry.partition)
            .ok_or_else(|| format!("there is no partition {} of topic {}", entry.partition, entry.topic))?;
        let expected = state.ends[slot];
        if entry.header.base_offset != expected {
            let (at, found) = (layout.at(slot), entry.header.base_offset);
            return Err(format!("{at} goes on at offset {found}, and {expected} is due"));
        }
        if entry.header.span != entry.header.count {
            return Err(format!("{} has a hole behind offset {expected}", layout.at(slot)));
        }
        state.ends[slot] = expected + u64::from(entry.header.count);
        entries = rest;
    }
    state.position = commit.next;
    Ok(())
}

/// Returns true if there is a good commit after a bad one: then it is damage, since a commit is begun only when all
/// before it are durable.
fn is_commit_after(window: &mut Window, segment: &Segment, bad: u64, end: u64, name: &str) -> Result<bool, Error> {
    let mut from = bad + 1;
    while let Some(at) = window.find(segment, from, end).map_err(Error::io("reading", name))? {
        if let CommitRead::Commit(_) = window.commit(segment, at, end).map_err(Error::io("reading", name))? {
            return Ok(true);
        }
        from = at + 1;
    }
    Ok(false)
}
