//! A place for an index in memory that fails on demand: after so many writes the next ones fail, once or for ever, as
//! when a disk is full or the power goes. What was written before stays.

use super::storage::IndexStorage;
use crate::Error;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, RamDirectory, TerminatingWrite, WatchCallback,
    WatchHandle, WritePtr,
};

/// A place in memory. Clones are the same place.
#[derive(Clone, Debug)]
pub struct Twin {
    files: Arc<Mutex<RamDirectory>>,
    /// The number of writes that are left; below zero they fail.
    left: Arc<AtomicI64>,
}

/// The place as the index sees it.
#[derive(Clone, Debug)]
struct FailingStorage {
    files: RamDirectory,
    left: Arc<AtomicI64>,
}

impl Twin {
    /// An empty place in which so many writes succeed.
    pub fn with(writes: i64) -> Twin {
        Twin { files: Arc::default(), left: Arc::new(AtomicI64::new(writes)) }
    }

    /// An empty place in which every write succeeds.
    pub fn sound() -> Twin {
        Twin::with(i64::MAX)
    }

    /// The same files after a restart, in which every write succeeds.
    pub fn restarted(&self) -> Twin {
        Twin { files: Arc::clone(&self.files), left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    /// Lets writes succeed again.
    pub fn heal(&self) {
        self.left.store(i64::MAX, Ordering::SeqCst);
    }

    /// Returns true if a write has failed.
    pub fn has_failed(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }
}

impl IndexStorage for Twin {
    fn directory(&self) -> Result<Box<dyn Directory>, Error> {
        let files = self.files.lock().unwrap().clone();
        Ok(Box::new(FailingStorage { files, left: Arc::clone(&self.left) }))
    }

    fn clear(&self) -> Result<(), Error> {
        *self.files.lock().unwrap() = RamDirectory::create();
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.files.lock().unwrap().total_mem_usage() as u64
    }
}

fn spend(left: &AtomicI64) -> io::Result<()> {
    let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.max(0) - 1));
    match before {
        Ok(before) if before > 0 => Ok(()),
        Ok(_) | Err(_) => Err(io::Error::new(io::ErrorKind::StorageFull, "the twin has no room")),
    }
}

struct Writer {
    inner: WritePtr,
    left: Arc<AtomicI64>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        spend(&self.left)?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl TerminatingWrite for Writer {
    fn terminate_ref(&mut self, token: AntiCallToken) -> io::Result<()> {
        spend(&self.left)?;
        self.inner.terminate_ref(token)
    }
}

impl Directory for FailingStorage {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let filepath = path.to_owned();
        spend(&self.left).map_err(|error| DeleteError::IoError { io_error: Arc::new(error), filepath })?;
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        spend(&self.left).map_err(|error| OpenWriteError::wrap_io_error(error, path.to_owned()))?;
        let inner = self.files.open_write(path)?;
        Ok(BufWriter::new(Box::new(Writer { inner, left: Arc::clone(&self.left) })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        spend(&self.left)?;
        self.files.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        spend(&self.left)?;
        self.files.sync_directory()
    }

    /// A lock goes with its process, so a restart finds none.
    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}
