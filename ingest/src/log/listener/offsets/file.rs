//! The file of committed offsets. A line is what was written with one sync: a checksum and a list of changes as JSON.
//! A crash leaves only the last line half written; it was not acknowledged, and is cut off. Not for when it is written.

use super::committed::{CommittedOffset, CommittedOffsets, GroupOffsets};
use crate::log::storage::{Storage, StorageFile, write_all};
use crate::{Error, lines};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// Named by its form, so that a later one can be beside it.
const NAME: &str = "group-offsets.2";

/// A change of a group.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The group.
    pub group: String,
    /// Its new places by topic and partition, and those that are forgotten; none if the whole group is forgotten.
    pub places: Option<Vec<(String, u32, Option<CommittedOffset>)>>,
}

impl Change {
    /// Does it.
    pub fn apply(self, groups: &mut GroupOffsets) {
        let Change { group, places } = self;
        let Some(places) = places else {
            groups.remove(&group);
            return;
        };
        let kept = groups.entry(group.clone()).or_default();
        for (topic, partition, committed) in places {
            let topic = kept.entry(topic).or_default();
            match committed {
                Some(committed) => drop(topic.insert(partition, committed)),
                None => drop(topic.remove(&partition)),
            }
        }
        kept.retain(|_, partitions| !partitions.is_empty());
        if kept.is_empty() {
            groups.remove(&group);
        }
    }
}

/// The file.
pub struct OffsetsFile {
    storage: Arc<dyn Storage>,
    file: Arc<dyn StorageFile>,
    /// The position of the next line.
    end: u64,
    /// The length that it had when it held nothing but what counts.
    least: u64,
    rewrite_bytes_min: u64,
}

impl OffsetsFile {
    /// Opens the file, or makes it, and reads what it holds.
    pub fn open(storage: Arc<dyn Storage>, rewrite_bytes_min: u64) -> Result<(OffsetsFile, GroupOffsets), Error> {
        let name = storage.describe(NAME);
        let failed = |error| Error::io("opening", &name)(error);
        let file = match storage.open(NAME).and_then(|file| Ok((file.size()?, file))) {
            Ok((1.., file)) => file,
            // The name of an empty one may not be durable: its maker may not have come so far.
            Ok((0, _)) => storage.create(NAME).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(NAME).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        let (groups, end) = read(&*storage)?;
        // Also what is whole may have been written by a process that did not live to sync it.
        file.truncate(end).and_then(|()| file.sync()).map_err(Error::io("cutting", &name))?;
        let mut opened = OffsetsFile { storage, file, end, least: 0, rewrite_bytes_min };
        opened.least = opened.encoded(&whole(&groups))?.len() as u64;
        Ok((opened, groups))
    }

    /// Returns true if most of it is about what does not count any more.
    pub fn is_long(&self) -> bool {
        self.end > self.rewrite_bytes_min && self.end / 2 > self.least
    }

    /// Writes changes after the others, durably. After an error they may be there or not, and the file has to be
    /// written again as a whole.
    pub fn append(&mut self, changes: &[Change]) -> Result<(), Error> {
        let line = self.encoded(changes)?;
        let written = write_all(&*self.file, &line, self.end).and_then(|()| self.file.sync());
        written.map_err(|error| self.failed("writing", error))?;
        self.end += line.len() as u64;
        Ok(())
    }

    /// Writes the file again with these changes alone, or leaves what was there.
    pub fn rewrite(&mut self, changes: &[Change]) -> Result<(), Error> {
        let line = self.encoded(changes)?;
        self.storage.replace(NAME, &line).map_err(|error| self.failed("writing", error))?;
        self.file = self.storage.open(NAME).map_err(|error| self.failed("opening", error))?;
        (self.end, self.least) = (line.len() as u64, line.len() as u64);
        Ok(())
    }

    fn encoded(&self, changes: &[Change]) -> Result<Vec<u8>, Error> {
        lines::line(changes).map_err(|error| self.failed("encoding", error.into()))
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> Error {
        Error::io(doing, &self.storage.describe(NAME))(error)
    }
}

/// All that counts.
pub fn whole(groups: &GroupOffsets) -> Vec<Change> {
    let change = |(group, topics): (&String, &CommittedOffsets)| {
        let places = topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, one)| (topic.clone(), *partition, Some(one.clone())))
        });
        Change { group: group.clone(), places: Some(places.collect()) }
    };
    groups.iter().map(change).collect()
}

/// Reads the groups from the file, and where its last whole line ends.
fn read(storage: &dyn Storage) -> Result<(GroupOffsets, u64), Error> {
    let name = storage.describe(NAME);
    let bytes = storage.read(NAME).map_err(Error::io("reading", &name))?;
    let (mut groups, mut end, mut rest) = (GroupOffsets::new(), 0, &bytes[..]);
    while let Some(length) = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1) {
        let (line, after) = rest.split_at(length);
        match lines::entries::<Change>(line) {
            Ok(changes) => changes.into_iter().for_each(|change| change.apply(&mut groups)),
            // Only the last line was ever written without being synced.
            Err(_) if after.is_empty() => break,
            Err(why) => return Err(Error::Damaged { file: name, offset: end, why }),
        }
        end += length as u64;
        rest = after;
    }
    Ok((groups, end))
}
