//! The base: what is left of the compacted topics before the journal's front, which is the last record of each key. Not
//! for deciding what is left: see `compact`.
//!
//! The file `{front's position}.base` is commits in the form of the segments, each with its own place in the file as
//! its position, in the order in which the journal had the records. They keep their offsets, so that batches have
//! holes. The last record of each partition before the front is always there: a reader of the base comes to the front.
//! The file `front` holds the base's format and length.

use super::commit::{self, Commit, CommitRead, Segment, Window};
use super::config::JournalConfig;
use super::index::{IndexEntry, PositionIndex};
use super::meta::PartitionLayout;
use crate::Error;
use crate::log::storage::Storage;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::Topic;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const FORMAT: u32 = 1;
const ENDING: &str = ".base";

/// Returns true if the last record of each key of a topic is kept when the front moves past it.
pub const fn is_compacted(topic: Topic) -> bool {
    match topic {
        Topic::View(_) => true,
        Topic::Policy | Topic::Catalog | Topic::Stock | Topic::Orders | Topic::Activity | Topic::Epochs => false,
        Topic::Events(_) | Topic::Progress | Topic::DeadLetters => false,
    }
}

/// The base as the file `front` describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrefixRef {
    format: u32,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removals: Option<Removals>,
}

/// The time that records without value have been in bases: those before `ends` since `since_ms`, or longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removals {
    /// The writer's time.
    pub since_ms: i64,
    /// By partition of the compacted topics, a next offset.
    pub ends: Cut,
}

/// A base that is open.
pub struct CompactedPrefix {
    /// The length of its file in bytes.
    pub bytes: u64,
    /// The next offset of every partition at the front that it belongs to.
    pub ends: Vec<u64>,
    /// The removals that may be forgotten some day; none if it is not known how long any has been there.
    pub removals: Option<Removals>,
    /// The file, as a segment that begins at 0.
    file: Segment,
    /// Its full name.
    shown: String,
    index: PositionIndex,
}

impl CompactedPrefix {
    /// The name of the file that belongs to a front.
    pub fn name(front: u64) -> String {
        format!("{front:020}{ENDING}")
    }

    /// Returns true if a file is one.
    pub fn is_name(name: &str) -> bool {
        name.ends_with(ENDING)
    }

    /// The description of it for the file `front`.
    pub fn reference(&self) -> PrefixRef {
        PrefixRef { format: FORMAT, bytes: self.bytes, removals: self.removals.clone() }
    }

    /// Opens the one that the front speaks of.
    pub fn open_referenced(
        front: &IndexEntry,
        PrefixRef { format, bytes, removals }: PrefixRef,
        storage: &dyn Storage,
        layout: &PartitionLayout,
        config: &JournalConfig,
    ) -> Result<CompactedPrefix, Error> {
        let base = CompactedPrefix::open(front, storage, layout, config)?.with_removals(removals);
        if format != FORMAT {
            return Err(base.damaged(0, &format!("its format is {format}, and this build reads {FORMAT}")));
        }
        if base.bytes != bytes {
            return Err(base.damaged(base.bytes, &format!("it ends here, and the front says at {bytes}")));
        }
        Ok(base)
    }

    /// The same with what is known of its removals.
    pub fn with_removals(self, removals: Option<Removals>) -> CompactedPrefix {
        CompactedPrefix { removals, ..self }
    }

    /// Opens the one that belongs to a front, and checks all of it; of its removals nothing is known.
    pub fn open(
        front: &IndexEntry,
        storage: &dyn Storage,
        layout: &PartitionLayout,
        config: &JournalConfig,
    ) -> Result<CompactedPrefix, Error> {
        let name = CompactedPrefix::name(front.position);
        let shown = storage.describe(&name);
        let file = storage.open(&name).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let why = "it is missing, and the front needs it".to_owned();
                Error::Damaged { file: shown.clone(), offset: 0, why }
            }
            _ => Error::io("opening", &shown)(error),
        })?;
        let bytes = file.size().map_err(Error::io("reading", &shown))?;
        let begin = IndexEntry { position: 0, ends: vec![0; layout.len()] };
        let mut reached = begin.ends.clone();
        let index = PositionIndex::new(begin, config.index_distance_bytes, config.index_marks_max);
        let file = Segment { start: 0, offsets: Arc::default(), file };
        let mut base = CompactedPrefix { bytes, ends: front.ends.clone(), removals: None, file, shown, index };
        let (mut window, mut position) = (Window::new(config.read_window_bytes), 0);
        while let Some(commit) = base.commit(&mut window, position)? {
            base.index.note(position, &reached);
            pass(&commit, layout, &mut reached).map_err(|why| base.damaged(position, why))?;
            position = commit.next;
        }
        let is_whole = |slot: usize| !is_compacted(layout.at(slot).topic) || reached[slot] == base.ends[slot];
        match (0..layout.len()).find(|slot| !is_whole(*slot)) {
            None => Ok(base),
            Some(slot) => {
                let (at, reached, end) = (layout.at(slot), reached[slot], base.ends[slot]);
                Err(base.damaged(bytes, &format!("{at} ends at offset {reached}, and {end} is due")))
            }
        }
    }

    /// The position in the file to begin at for these next offsets, given by the partitions' numbers.
    pub fn before(&self, wanted: impl Iterator<Item = (usize, u64)> + Clone) -> u64 {
        self.index.before(wanted).position
    }

    /// The commit at a place in the file; none at its end.
    pub fn commit(&self, window: &mut Window, position: u64) -> Result<Option<Commit>, Error> {
        if position == self.bytes {
            return Ok(None);
        }
        match window.commit(&self.file, position, self.bytes).map_err(Error::io("reading", &self.shown))? {
            CommitRead::Commit(commit) => Ok(Some(commit)),
            CommitRead::Bad(why) => Err(self.damaged(position, why)),
        }
    }

    /// It is not what was written.
    pub fn damaged(&self, offset: u64, why: &str) -> Error {
        Error::Damaged { file: self.shown.clone(), offset, why: why.to_owned() }
    }
}

/// Notes how far a commit brings the partitions; its records must be after the earlier ones.
fn pass(commit: &Commit, layout: &PartitionLayout, reached: &mut [u64]) -> Result<(), &'static str> {
    let mut entries = commit.entries.clone();
    while !entries.is_empty() {
        let (entry, rest) = commit::entry(&entries)?;
        let slot = layout.slot_of(entry.topic, entry.partition).ok_or("it has an unknown partition")?;
        if entry.header.base_offset < reached[slot] {
            return Err("offsets go back");
        }
        reached[slot] = entry.header.base_offset + u64::from(entry.header.span);
        entries = rest;
    }
    Ok(())
}
