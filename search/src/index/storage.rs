//! The place of the index: a folder, and in tests a place that fails on demand. Not for what is in it.

use super::disk::Disk;
use crate::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use tantivy::directory::Directory;

/// A place for an index.
pub trait IndexStorage: Send {
    /// The place, as the index writes to it.
    fn directory(&self) -> Result<Box<dyn Directory>, Error>;

    /// Takes away everything in it.
    fn clear(&self) -> Result<(), Error>;

    /// The bytes in it.
    fn bytes(&self) -> u64;
}

/// A folder that holds an index and nothing else.
pub struct Folder(pub PathBuf);

impl Folder {
    fn fail(&self) -> impl FnOnce(std::io::Error) -> Error {
        let path = self.0.clone();
        |source| Error::Folder { path, source }
    }
}

impl IndexStorage for Folder {
    fn directory(&self) -> Result<Box<dyn Directory>, Error> {
        fs::create_dir_all(&self.0).map_err(self.fail())?;
        Ok(Box::new(Disk::open(&self.0)?))
    }

    fn clear(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.fail()(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        let files = fs::read_dir(&self.0).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }
}
