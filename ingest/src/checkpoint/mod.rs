//! Checkpoints: the core's state at an epoch as files, written from what the store holds while everything runs. Not
//! for what rows look like: `dataflows::engine::encoding` has that.
//!
//! A checkpoint is a folder named by its epoch. It has a file a table (blocks of rows, compressed) and `manifest.json`,
//! which is put in place last: a folder without one is no checkpoint. The manifest names every file with its checksum,
//! where the log resumes, and the digest that the state must have once it is read back.

mod config;
mod manager;
mod read;
mod schedule;
mod write;

pub use config::{CheckpointConfig, LogRetention};
pub use manager::{CheckpointManager, CheckpointParts, FlushBeforeCheckpoint};
pub use read::{check_files, copy, newest, restore, verify};
pub use schedule::Checkpoints;
pub use write::write;

use crate::Error;
use crate::input::sealed_epochs::LogPosition;
use crate::log::storage::Storage;
use dataflows::contract::epoch::{Cut, Epoch, Epochs};
use dataflows::contract::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// The form of the files. Every one that was ever written can be read.
pub const FORMAT: u32 = 2;
const MANIFEST: &str = "manifest.json";

/// A checkpoint's content, and its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the files.
    pub format: u32,
    /// The epoch.
    pub epoch: Epoch,
    /// Its time.
    pub now: Timestamp,
    /// The generation of the decision code.
    pub rules: u32,
    /// The offset after the epoch's record in `epochs`.
    pub offset: u64,
    /// The next offset of every partition.
    pub cut: Cut,
    /// The sum of the digests of all views.
    pub digest: String,
    /// The state of every view.
    pub views: BTreeMap<String, ViewStanding>,
    /// The files.
    pub files: Vec<FileEntry>,
}

/// The state of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewStanding {
    /// The number of rows.
    pub rows: u64,
    /// Its digest.
    pub digest: String,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Which table is in it.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The number of rows.
    pub rows: u64,
    /// The number of bytes.
    pub bytes: u64,
    /// XXH3-64 of all of them, in hex.
    pub checksum: String,
}

impl Manifest {
    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The place where the log resumes.
    pub fn place(&self) -> LogPosition {
        LogPosition { epochs: Epochs { last: self.epoch, now: self.now, cut: self.cut.clone() }, offset: self.offset }
    }
}

/// The name of a checkpoint's folder, and what its manifest says.
pub type CheckpointEntry = (String, Result<Manifest, Error>);

/// The complete checkpoints in a folder, the newest first. What cannot be read as a manifest comes as the error.
pub fn list(folder: &dyn Storage) -> Result<Vec<CheckpointEntry>, Error> {
    let mut epochs = epochs(folder)?;
    epochs.sort_unstable_by(|a, b| b.cmp(a));
    let listed = epochs.into_iter().filter_map(|epoch| {
        let name = epoch.to_string();
        let manifest = manifest(&*folder.folder(&name)).transpose()?;
        Some((name, manifest))
    });
    Ok(listed.collect())
}

/// The epochs that a folder has something of, complete or not.
fn epochs(folder: &dyn Storage) -> Result<Vec<u64>, Error> {
    match folder.list() {
        Ok(names) => Ok(names.iter().filter_map(|name| name.parse().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("reading", &folder.describe(""))(error)),
    }
}

/// The manifest of a checkpoint; none if it has none.
fn manifest(checkpoint: &dyn Storage) -> Result<Option<Manifest>, Error> {
    let bytes = match checkpoint.read(MANIFEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("reading", &checkpoint.describe(MANIFEST))(error)),
    };
    let refused = |why| damaged(checkpoint, MANIFEST, why);
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(refused(format!("its format is {}, and this build reads {FORMAT}", manifest.format)));
    }
    Ok(Some(manifest))
}

fn damaged(checkpoint: &dyn Storage, name: &str, why: String) -> Error {
    Error::Damaged { file: checkpoint.describe(name), offset: 0, why }
}
