//! The owner of a data folder. A running node locks a file in it, which holds the node's address; a command that looks
//! into the folder shares the lock for as long as it looks. Not for the logs in the folder, which have their own locks.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

/// The file.
const NAME: &str = "node";

/// A data folder that no other process may change, until this is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _lock: Option<File>,
}

/// The node that has a folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// Its address.
    address: String,
    process: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the node at {}, process {}", self.address, self.process)
    }
}

impl FolderLock {
    /// Takes the folder for a node that answers at that address.
    pub fn by_node(data: &Path, address: &str) -> Result<FolderLock> {
        fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
        let path = data.join(NAME);
        let context = || format!("writing {}", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).with_context(context)?;
        refuse(file.try_lock(), data)?;
        let holder = Holder { address: address.to_owned(), process: std::process::id() };
        // Only a process that is refused reads it, so that a torn one after a crash does no harm.
        file.set_len(0).with_context(context)?;
        (&file).write_all(&serde_json::to_vec(&holder)?).with_context(context)?;
        Ok(FolderLock { _lock: Some(file) })
    }

    /// Takes the folder for a command that looks into it; refused while a node has it, which is named.
    pub fn by_command(data: &Path) -> Result<FolderLock> {
        // Where no node ever ran there is nothing to share.
        let Ok(file) = File::open(data.join(NAME)) else { return Ok(FolderLock { _lock: None }) };
        refuse(file.try_lock_shared(), data)?;
        Ok(FolderLock { _lock: Some(file) })
    }
}

/// Fails with the owner of the folder, where it has one.
fn refuse(locked: Result<(), TryLockError>, data: &Path) -> Result<()> {
    let path = data.join(NAME);
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        Err(TryLockError::WouldBlock) => {
            let bytes = fs::read(&path).unwrap_or_default();
            let holder = serde_json::from_slice::<Holder>(&bytes).map(|holder| format!(": {holder}"));
            bail!("{} is in use by another process{}", data.display(), holder.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_nodes_or_that_of_commands_that_look() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        drop(FolderLock::by_command(&data).unwrap());
        assert!(!data.exists(), "who looks makes nothing");
        let held = FolderLock::by_node(&data, "http://127.0.0.1:1").unwrap();
        let process = std::process::id();
        let expected = format!(
            "{} is in use by another process: the node at http://127.0.0.1:1, process {process}",
            data.display()
        );
        assert_eq!(FolderLock::by_command(&data).unwrap_err().to_string(), expected);
        assert_eq!(FolderLock::by_node(&data, "http://127.0.0.1:2").unwrap_err().to_string(), expected);
        drop(held);
        let looks = (FolderLock::by_command(&data).unwrap(), FolderLock::by_command(&data).unwrap());
        assert!(FolderLock::by_node(&data, "http://127.0.0.1:2").is_err(), "a node waits until nobody looks");
        drop(looks);
        drop(FolderLock::by_node(&data, "http://127.0.0.1:2").unwrap());
    }
}
