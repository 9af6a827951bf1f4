//! The folder of the index, written without waiting for the disk: the log is the truth, and a commit must be visible
//! soon. A process that ends leaves everything to the system. A power cut may leave a part; every file ends with its
//! checksum, which is checked when the index is opened, and a damaged index is rebuilt from the log.

use crate::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, META_LOCK, MmapDirectory, TerminatingWrite,
    WatchCallback, WatchHandle, WritePtr,
};

/// The folder.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: PathBuf,
    files: MmapDirectory,
    meta: Arc<Gate>,
}

impl Disk {
    /// A folder that is there.
    pub fn open(folder: &Path) -> Result<Disk, Error> {
        let files = MmapDirectory::open(folder).map_err(tantivy::TantivyError::from)?;
        Ok(Disk { folder: folder.to_owned(), files, meta: Arc::default() })
    }
}

/// A file that is not synced.
struct UnsyncedFile(File);

impl Write for UnsyncedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl TerminatingWrite for UnsyncedFile {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.flush()
    }
}

impl Directory for Disk {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.folder.join(path));
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::wrap_io_error(error, path.to_owned()),
        })?;
        Ok(BufWriter::new(Box::new(UnsyncedFile(file))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        // One thread writes each of these files.
        let (to, mut new) = (self.folder.join(path), self.folder.join(path).into_os_string());
        new.push(".new");
        // A file that a crash left there, or a link that was put there, is not written to.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().write(true).create_new(true).open(&new)?.write_all(data)?;
        std::fs::rename(&new, to)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    /// The lock between opening segments and deleting old ones is asked for by this process only, many times a second,
    /// and the folder's own would be polled for every 100 ms. The writer's lock keeps other processes out.
    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        if lock.filepath == META_LOCK.filepath {
            return Ok(DirectoryLock::from(Box::new(Gate::enter(&self.meta))));
        }
        self.files.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}

/// A lock whose guard can be kept anywhere.
#[derive(Debug, Default)]
struct Gate {
    is_taken: Mutex<bool>,
    left: Condvar,
}

struct GatePermit(Arc<Gate>);

impl Gate {
    fn enter(gate: &Arc<Gate>) -> GatePermit {
        let is_taken = gate.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_taken = gate.left.wait_while(is_taken, |is_taken| *is_taken).unwrap_or_else(PoisonError::into_inner);
        *is_taken = true;
        drop(is_taken);
        GatePermit(Arc::clone(gate))
    }
}

impl Drop for GatePermit {
    fn drop(&mut self) {
        *self.0.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.left.notify_one();
    }
}
