//! The files below everything that is kept here (journal, checkpoints, dead letters), as a trait so that tests have a disk
//! that fails on demand. Not for what is in them.

use rustix::fs::OFlags;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of files.
pub trait Storage: Send + Sync {
    /// For messages: a file's full name; the folder's own for the empty name.
    fn describe(&self, name: &str) -> String;

    /// Keeps all others out of the folder until the lock is dropped; `WouldBlock` if it is locked already.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;

    /// The names of all files and folders in it.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Makes an empty file, durably; one of that name from an earlier attempt is emptied.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Deletes a file, durably; one that is not there is no error. Readers that have it open may keep reading it.
    fn delete(&self, name: &str) -> io::Result<()>;

    /// A small file as a whole.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Puts a small file in place as a whole, durably, or leaves what was there.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file, all of which is synced, the name of another, durably; that one is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// The folder of that name in it; it is not made, and need not be there.
    fn folder(&self, name: &str) -> Arc<dyn Storage>;

    /// Makes the folder of that name, durably, or leaves the one that is there.
    fn make_folder(&self, name: &str) -> io::Result<()>;

    /// Deletes the folder of that name with everything in it; one that is not there is no error. A crash may leave a part.
    fn delete_folder(&self, name: &str) -> io::Result<()>;
}

/// An open file.
pub trait StorageFile: Send + Sync {
    /// The length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads what is there from `at` on, at most the buffer; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes at `at`, possibly less than all.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Cuts it to that size.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Returns when everything written is durable.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all bytes, whatever the pieces.
pub(crate) fn write_all(file: &dyn StorageFile, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills the buffer; returns how much there was.
pub(crate) fn read_full(file: &dyn StorageFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A folder on a disk.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at that path, whether it is there or not.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }

    /// The folder at that path; it is made if it is not there.
    pub fn at(path: impl Into<PathBuf>) -> io::Result<Folder> {
        let folder = Folder::new(path);
        folder.make()?;
        Ok(folder)
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(OWN_FOLDER).create(&self.path)?;
        if let Some(parent) = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Storage for Folder {
    fn describe(&self, name: &str) -> String {
        self.path.join(name).display().to_string().trim_end_matches('/').to_owned()
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let file = own().create(true).truncate(false).write(true).open(self.path.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(own().read(true).write(true).open(self.path.join(name))?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = create_new(&self.path.join(name))?;
        file.sync_all()?;
        self.sync_names()?;
        Ok(Arc::new(file))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            // An earlier attempt may have come so far; what is left to do is to make it durable.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            deleted => deleted?,
        }
        self.sync_names()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        own().read(true).open(self.path.join(name))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let aside = self.path.join(format!("{name}.new"));
        let mut file = create_new(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, self.path.join(name))?;
        self.sync_names()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))?;
        self.sync_names()
    }

    fn folder(&self, name: &str) -> Arc<dyn Storage> {
        Arc::new(Folder::new(self.path.join(name)))
    }

    fn make_folder(&self, name: &str) -> io::Result<()> {
        Folder::new(self.path.join(name)).make()
    }

    fn delete_folder(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_dir_all(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The mode of a folder that is its owner's alone.
const OWN_FOLDER: u32 = 0o700;
/// The mode of such a file.
const OWN_FILE: u32 = 0o600;

/// Opens files that are their owner's alone, and follows no link that was put in their place.
fn own() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(OWN_FILE).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// A new file in place of what has that name, which is not written to: it may be a link to something else.
fn create_new(path: &Path) -> io::Result<File> {
    let create = || own().read(true).write(true).create_new(true).open(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            create()
        }
        created => created,
    }
}

impl StorageFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, at)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_their_owners_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Folder::at(folder.path().join("data")).unwrap();
        let (data, other) = (folder.path().join("data"), folder.path().join("other"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        std::fs::write(&other, b"theirs").unwrap();
        for name in ["offsets.new", "made", "opened"] {
            std::os::unix::fs::symlink(&other, data.join(name)).unwrap();
        }
        storage.replace("offsets", b"ours").unwrap();
        write_all(&*storage.create("made").unwrap(), b"ours", 0).unwrap();
        assert!(storage.open("opened").is_err() && storage.read("opened").is_err());
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert_eq!(
            (storage.read("offsets").unwrap(), storage.read("made").unwrap()),
            (b"ours".to_vec(), b"ours".to_vec())
        );
        let _lock = storage.lock().unwrap();
        assert_eq!(["offsets", "made", "lock"].map(|name| mode(&data.join(name))), [0o600; 3]);
        assert_eq!(mode(&data), 0o700);
    }

    #[test]
    fn a_deleted_file_is_gone_but_for_who_has_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Folder::at(folder.path()).unwrap();
        let file = storage.create("a").unwrap();
        write_all(&*file, b"kept", 0).unwrap();
        storage.delete("a").unwrap();
        assert!(storage.open("a").is_err());
        assert_eq!(storage.list().unwrap(), Vec::<String>::new());
        let mut buffer = [0; 10];
        assert_eq!((read_full(&*file, &mut buffer, 0).unwrap(), &buffer[..4]), (4, &b"kept"[..]));
        storage.delete("a").unwrap();
    }
}
