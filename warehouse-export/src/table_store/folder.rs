//! A folder on a disk. A file is written and synced under `_staging`, which lies beside the tables, and then gets its name.
//!
//! On `std` and not on `object_store`'s file system: that one does not sync what it deletes, leaves what a crash left half
//! written beside the tables for ever, and brings tokio with it.

use super::TableStore;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The folder under which files are written before they have their names.
const STAGING: &str = "_staging";

/// A folder on a disk.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at that path; it is made when something is written.
    pub fn new(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Flat, and without the ending by which people look for tables.
    fn staged(&self, path: &str) -> PathBuf {
        self.root.join(STAGING).join(format!("{}.part", path.replace('/', "%")))
    }

    /// Makes the folder of a file, and every folder above it that is not there, durably.
    fn make_parent(path: &Path) -> io::Result<PathBuf> {
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        if !parent.is_dir() {
            Folder::make_parent(&parent)?;
            match std::fs::create_dir(&parent) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => sync_folder(parent.parent().ok_or(io::ErrorKind::InvalidInput)?)?,
            }
        }
        Ok(parent)
    }

    /// Writes a file durably where nobody looks for it; one from an earlier attempt is replaced.
    pub(crate) fn stage(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let staged = self.staged(path);
        Folder::make_parent(&staged)?;
        let mut file = File::create(staged)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Gives a staged file its name, durably; one that has that name is replaced.
    pub(crate) fn publish(&self, path: &str) -> io::Result<()> {
        let to = self.path(path);
        let parent = Folder::make_parent(&to)?;
        std::fs::rename(self.staged(path), &to)?;
        sync_folder(&parent)
    }

    /// Gives a staged file its name, durably, unless another has it: then nothing changes, and it is false.
    pub(crate) fn publish_new(&self, path: &str) -> io::Result<bool> {
        let (staged, to) = (self.staged(path), self.path(path));
        let parent = Folder::make_parent(&to)?;
        // A link is refused where the name is taken; a rename would replace it.
        let is_new = match std::fs::hard_link(&staged, &to) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        sync_folder(&parent)?;
        delete(&staged)?;
        Ok(is_new)
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

fn delete(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl TableStore for Folder {
    fn describe(&self, path: &str) -> String {
        self.path(path).display().to_string()
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match self.path(folder).read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name().into_string().ok())).collect();
        let mut names: Vec<String> = names?.into_iter().flatten().collect();
        names.sort_unstable();
        Ok(names)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.stage(path, bytes)?;
        self.publish(path)
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        self.stage(path, bytes)?;
        self.publish_new(path)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        let path = self.path(path);
        if delete(&path)? { sync_folder(path.parent().ok_or(io::ErrorKind::InvalidInput)?) } else { Ok(()) }
    }

    fn clear_staging(&self) -> io::Result<()> {
        for name in self.list(STAGING)? {
            delete(&self.root.join(STAGING).join(name))?;
        }
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }
}
