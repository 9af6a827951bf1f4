//! The commits of consumer groups, in memory and in a file that grows by what is committed and is written again when
//! most of it does not count any more. Not for what clients are answered.

use super::committed::{CommittedOffset, CommittedOffsets, GroupOffsets};
use super::file::{Change, OffsetsFile, whole};
use crate::Error;
use crate::log::listener::config::ListenerConfig;
use crate::log::listener::error_code;
use crate::log::lock;
use crate::log::storage::Storage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The changes of a group that are not written yet.
#[derive(Default)]
struct Unwritten {
    /// True if it was forgotten, before the places that follow.
    is_forgotten: bool,
    places: BTreeSet<(String, u32)>,
}

#[derive(Default)]
struct State {
    groups: GroupOffsets,
    unwritten: BTreeMap<String, Unwritten>,
    /// The number of changes so far.
    changes: u64,
}

struct FileState {
    file: OffsetsFile,
    /// Up to which change the file is.
    written: u64,
    /// True if the file may lack changes, so that it has to be written as a whole.
    is_behind: bool,
}

/// The places of all groups.
pub struct Offsets {
    groups_max: usize,
    metadata_bytes_max: usize,
    group_metadata_bytes_max: usize,
    state: Mutex<State>,
    /// Held while the file is written, so that many changes wait for one write.
    writing: Arc<tokio::sync::Mutex<FileState>>,
}

impl Offsets {
    /// Reads the file, if there is one.
    pub fn open(storage: Arc<dyn Storage>, config: &ListenerConfig) -> Result<Offsets, Error> {
        let (file, groups) = OffsetsFile::open(storage, config.offsets_rewrite_bytes_min)?;
        let writing = FileState { file, written: 0, is_behind: false };
        Ok(Offsets {
            groups_max: config.groups_max.max(1),
            metadata_bytes_max: config.offset_metadata_bytes_max,
            group_metadata_bytes_max: config.group_metadata_bytes_max,
            state: Mutex::new(State { groups, ..State::default() }),
            writing: Arc::new(tokio::sync::Mutex::new(writing)),
        })
    }

    /// The groups that have committed.
    pub fn groups(&self) -> Vec<String> {
        lock(&self.state).groups.keys().cloned().collect()
    }

    /// Returns true if a group has committed.
    pub fn knows(&self, group: &str) -> bool {
        lock(&self.state).groups.contains_key(group)
    }

    /// Returns true if there is room for a group beside those that have committed and those that are named.
    pub fn has_room_beside(&self, group: &str, others: &mut dyn Iterator<Item = &String>) -> bool {
        lock(&self.state).has_room_beside(group, others, self.groups_max)
    }

    /// Takes over what a group commits of its places, each by itself, as far as there is room beside the groups that
    /// are named: the code of each, and the change to wait for.
    pub fn put(
        &self,
        group: &str,
        places: Vec<(String, u32, CommittedOffset)>,
        others: &mut dyn Iterator<Item = &String>,
    ) -> (Vec<i16>, u64) {
        let mut state = lock(&self.state);
        if !state.has_room_beside(group, others, self.groups_max) {
            return (vec![error_code::GROUP_MAX_SIZE_REACHED; places.len()], 0);
        }
        let mut codes = Vec::with_capacity(places.len());
        let kept = state.groups.get(group);
        let metadata = |kept: &CommittedOffsets| {
            kept.values().flat_map(BTreeMap::values).map(|committed| committed.metadata.len()).sum::<usize>()
        };
        let mut bytes = kept.map_or(0, metadata);
        let mut taken = Vec::new();
        for (topic, partition, committed) in places {
            let before = state.groups.get(group).and_then(|kept| kept.get(&topic)?.get(&partition));
            let after = bytes - before.map_or(0, |before| before.metadata.len()) + committed.metadata.len();
            let is_long = committed.metadata.len() > self.metadata_bytes_max;
            if is_long || (after > bytes && after > self.group_metadata_bytes_max) {
                codes.push(error_code::OFFSET_METADATA_TOO_LARGE);
                continue;
            }
            bytes = after;
            codes.push(error_code::NONE);
            taken.push((topic, partition, committed));
        }
        if taken.is_empty() {
            return (codes, 0);
        }
        let named = taken.iter().map(|(topic, partition, _)| (topic.clone(), *partition)).collect();
        let places = taken.into_iter().map(|(topic, partition, committed)| (topic, partition, Some(committed)));
        Change { group: group.to_owned(), places: Some(places.collect()) }.apply(&mut state.groups);
        (codes, state.changed(group, named))
    }

    /// Forgets places of a group; the change to wait for.
    pub fn remove(&self, group: &str, places: Vec<(String, u32)>) -> u64 {
        let mut state = lock(&self.state);
        let gone = places.iter().map(|(topic, partition)| (topic.clone(), *partition, None));
        Change { group: group.to_owned(), places: Some(gone.collect()) }.apply(&mut state.groups);
        state.changed(group, places)
    }

    /// Forgets a group; the change to wait for, none if there is no such group.
    pub fn forget(&self, group: &str) -> Option<u64> {
        let mut state = lock(&self.state);
        state.groups.remove(group)?;
        let unwritten = Unwritten { is_forgotten: true, ..Unwritten::default() };
        state.unwritten.insert(group.to_owned(), unwritten);
        state.changes += 1;
        Some(state.changes)
    }

    /// Returns when everything is durable up to that change at least.
    pub async fn written(&self, change: u64) -> Result<(), Error> {
        let mut writing = Arc::clone(&self.writing).lock_owned().await;
        if writing.written >= change {
            return Ok(());
        }
        let is_whole = writing.is_behind || writing.file.is_long();
        let (changes, now) = {
            let mut state = lock(&self.state);
            let unwritten = std::mem::take(&mut state.unwritten);
            (if is_whole { whole(&state.groups) } else { state.changes_of(unwritten) }, state.changes)
        };
        // Until it is known to be there.
        writing.is_behind = true;
        // The lock goes with the write, so that a client that goes away does not let two of them meet.
        let task = tokio::task::spawn_blocking(move || {
            if is_whole { writing.file.rewrite(&changes) } else { writing.file.append(&changes) }?;
            (writing.written, writing.is_behind) = (now, false);
            Ok(())
        });
        task.await.unwrap_or_else(|_| Err(Error::Unavailable("the write was given up".to_owned())))
    }

    /// The offset that a group has committed for a partition.
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<CommittedOffset> {
        let partition = u32::try_from(partition).ok()?;
        lock(&self.state).groups.get(group)?.get(topic)?.get(&partition).cloned()
    }

    /// All that a group has committed.
    pub fn all(&self, group: &str) -> CommittedOffsets {
        lock(&self.state).groups.get(group).cloned().unwrap_or_default()
    }
}

impl State {
    fn has_room_beside(&self, group: &str, others: &mut dyn Iterator<Item = &String>, groups_max: usize) -> bool {
        if self.groups.contains_key(group) {
            return true;
        }
        let others = others.filter(|other| *other != group && !self.groups.contains_key(*other));
        self.groups.len() + others.count() < groups_max
    }

    fn changed(&mut self, group: &str, places: Vec<(String, u32)>) -> u64 {
        self.unwritten.entry(group.to_owned()).or_default().places.extend(places);
        self.changes += 1;
        self.changes
    }

    /// The changes to be written for these, as they are now.
    fn changes_of(&self, unwritten: BTreeMap<String, Unwritten>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (group, Unwritten { is_forgotten, places }) in unwritten {
            let kept = self.groups.get(&group);
            if is_forgotten || kept.is_none() {
                changes.push(Change { group: group.clone(), places: None });
            }
            let Some(kept) = kept else { continue };
            let place = |(topic, partition): (String, u32)| {
                let now = kept.get(&topic).and_then(|partitions| partitions.get(&partition)).cloned();
                (topic, partition, now)
            };
            changes.push(Change { group, places: Some(places.into_iter().map(place).collect()) });
        }
        changes
    }
}

#[cfg(test)]
mod tests;
