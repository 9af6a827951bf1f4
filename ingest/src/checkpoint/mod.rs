//! Checkpoints: the core's state at an epoch as files, written from what the store holds while everything goes on. Not
//! for what rows look like: `dataflows::stored` has that.
//!
//! A checkpoint is a folder named by its epoch. It has a file a table (blocks of rows, compressed) and `manifest.json`,
//! which is put in place last: a folder without one is no checkpoint. The manifest names every file with its checksum,
//! where the log goes on, and the digest that the state must have once it is read back.

mod keeper;
mod read;
mod write;

pub use keeper::{Checkpoints, Config};
pub use read::{copy, newest, restore, verify};
pub use write::write;

use crate::Error;
use crate::sealed::Place;
use dataflows::epoch::{Cut, Epoch, Epochs};
use dataflows::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The form of the files. Every one that was ever written can be read.
pub const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";

/// What a checkpoint is, and of which files.
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
    /// The offset behind the epoch's record in `epochs`.
    pub offset: u64,
    /// The next offset of every partition.
    pub cut: Cut,
    /// The sum of the digests of all views.
    pub digest: String,
    /// How every view stands.
    pub views: BTreeMap<String, ViewStanding>,
    /// The files.
    pub files: Vec<FileEntry>,
}

/// How a view stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewStanding {
    /// How many rows it has.
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
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes.
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

    /// Where the log goes on.
    pub fn place(&self) -> Place {
        Place { epochs: Epochs { last: self.epoch, now: self.now, cut: self.cut.clone() }, offset: self.offset }
    }
}

/// A checkpoint's folder, and what its manifest says.
pub type Listed = (PathBuf, Result<Manifest, Error>);

/// The complete checkpoints in a folder, the newest first. What cannot be read as a manifest comes as the error.
pub fn list(folder: &Path) -> Result<Vec<Listed>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("reading", &folder.display().to_string())(error)),
    };
    let mut epochs: Vec<u64> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    epochs.sort_unstable_by(|a, b| b.cmp(a));
    let paths = epochs.into_iter().map(|epoch| folder.join(epoch.to_string()));
    Ok(paths.filter(|path| path.join(MANIFEST).exists()).map(|path| (path.clone(), manifest(&path))).collect())
}

/// The manifest of a checkpoint.
fn manifest(checkpoint: &Path) -> Result<Manifest, Error> {
    let path = checkpoint.join(MANIFEST);
    let name = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(Error::io("reading", &name))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(damaged(&path, format!("its format is {}, and this build reads {FORMAT}", manifest.format)));
    }
    Ok(manifest)
}

fn damaged(path: &Path, why: String) -> Error {
    Error::Damaged { file: path.display().to_string(), offset: 0, why }
}
