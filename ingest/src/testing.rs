//! Twins for tests: a disk that fails on demand, a clock that is set by hand, a seeded generator, and waiting without
//! sleeping. Not for production, and not the tests themselves.

pub mod broker;

use crate::Clock;
use crate::journal::storage::{Storage, StorageFile};
use crate::log::lock;
use dataflows::port::Waker;
use dataflows::time::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A small generator (splitmix64) whose seed tells everything.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of that seed.
    pub const fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(0x9e37_79b9))
    }

    /// Any number.
    #[allow(clippy::should_implement_trait)]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    #[allow(clippy::cast_possible_truncation)]
    pub const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Fewer than `end` bytes.
    #[allow(clippy::cast_possible_truncation)]
    pub fn bytes(&mut self, end: usize) -> Vec<u8> {
        (0..self.below(end)).map(|_| self.next() as u8).collect()
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Sets it, in microseconds since 1970.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Wakes a test.
#[derive(Clone, Default)]
pub struct Bell {
    rung: Arc<(Mutex<u64>, Condvar)>,
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        *lock(&self.rung.0) += 1;
        self.rung.1.notify_all();
    }

    /// A waker that rings it.
    pub fn waker(&self) -> Waker {
        let bell = self.clone();
        Arc::new(move || bell.ring())
    }

    /// Tries again at every ring, and now and then between, until there is something.
    pub fn until<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = *lock(&self.rung.0);
            if let Some(found) = attempt() {
                return found;
            }
            assert!(Instant::now() < deadline, "what was waited for did not come");
            let rung = lock(&self.rung.0);
            let wait = Duration::from_millis(50);
            drop(self.rung.1.wait_timeout_while(rung, wait, |rung| *rung == seen));
        }
    }
}

#[derive(Clone, Debug, Default)]
struct DiskFile {
    synced: Vec<u8>,
    current: Vec<u8>,
}

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// How many more bytes there is room for; no limit if none.
    pub room_bytes: Option<usize>,
    /// No write takes more than that many bytes.
    pub write_bytes_max: Option<usize>,
    /// Writing fails.
    pub write_fails: bool,
    /// Syncing fails, and what was to be synced is in doubt.
    pub sync_fails: bool,
    /// Truncating fails.
    pub truncate_fails: bool,
    /// Making a file fails.
    pub create_fails: bool,
    /// After so many more steps, each further one fails, as if the process had ended before it. A write, a cut, a sync is
    /// a step; making, replacing and deleting a file are two, since names become durable after they were changed.
    pub steps_left: Option<usize>,
}

impl Faults {
    fn step(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.steps_left {
            *left = left.checked_sub(1).ok_or_else(|| broken("no step is left"))?;
        }
        Ok(())
    }
}

/// Names and files, which those who have them open share.
type Files = BTreeMap<String, Arc<Mutex<DiskFile>>>;

#[derive(Debug, Default)]
struct DiskState {
    files: Files,
    /// The names that are durable.
    synced: Files,
    faults: Faults,
    locked: bool,
}

impl DiskState {
    /// Changes a name, then makes it durable.
    fn rename(&mut self, change: impl FnOnce(&mut Files)) -> io::Result<()> {
        self.faults.step()?;
        change(&mut self.files);
        self.faults.step()?;
        self.synced.clone_from(&self.files);
        Ok(())
    }
}

/// A disk in memory that fails on demand and forgets what was not synced when it loses power. Clones are the same disk.
/// A deleted file can be read by those who have it open, as on a disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    state: Arc<Mutex<DiskState>>,
}

impl Disk {
    /// Sets what is wrong from now on.
    pub fn fail(&self, faults: Faults) {
        lock(&self.state).faults = faults;
    }

    /// A file's bytes as a process sees them.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        lock(&self.state).files.get(name).map(|file| lock(file).current.clone()).unwrap_or_default()
    }

    /// The names of its files.
    pub fn names(&self) -> Vec<String> {
        lock(&self.state).files.keys().cloned().collect()
    }

    /// Another disk with the same files, all synced.
    pub fn copy(&self) -> Disk {
        Disk::of(&lock(&self.state).files, |file| file.current.clone())
    }

    /// What another disk finds when this one lost power now: of unsynced bytes, what `kept` says of each file's
    /// synced and current bytes.
    pub fn after_power_loss(&self, kept: impl Fn(&[u8], &[u8]) -> Vec<u8>) -> Disk {
        Disk::of(&lock(&self.state).synced, |file| kept(&file.synced, &file.current))
    }

    fn of(files: &Files, bytes: impl Fn(&DiskFile) -> Vec<u8>) -> Disk {
        let copy = Disk::default();
        files.iter().for_each(|(name, file)| copy.put(name, bytes(&lock(file))));
        copy
    }

    /// Puts a file there, or other bytes into the one that is there.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let state = &mut *lock(&self.state);
        let file = state.files.entry(name.to_owned()).or_default();
        state.synced.insert(name.to_owned(), Arc::clone(file));
        *lock(file) = DiskFile { synced: bytes.clone(), current: bytes };
    }

    /// Takes a file away.
    pub fn remove(&self, name: &str) {
        let state = &mut *lock(&self.state);
        state.files.remove(name);
        state.synced.remove(name);
    }
}

struct DiskLock(Disk);

impl Drop for DiskLock {
    fn drop(&mut self) {
        lock(&self.0.state).locked = false;
    }
}

struct OpenFile {
    disk: Disk,
    file: Arc<Mutex<DiskFile>>,
}

impl OpenFile {
    fn with<T>(&self, act: impl FnOnce(&mut DiskFile, &mut Faults) -> io::Result<T>) -> io::Result<T> {
        let state = &mut *lock(&self.disk.state);
        act(&mut lock(&self.file), &mut state.faults)
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("injected: {what}"))
}

impl Storage for Disk {
    fn describe(&self, name: &str) -> String {
        format!("disk/{name}")
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = lock(&self.state);
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(DiskLock(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = Arc::clone(lock(&self.state).files.get(name).ok_or(io::ErrorKind::NotFound)?);
        Ok(Arc::new(OpenFile { disk: self.clone(), file }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let state = &mut *lock(&self.state);
        if state.faults.create_fails {
            return Err(broken("create"));
        }
        let file = Arc::default();
        state.rename(|files| drop(files.insert(name.to_owned(), Arc::clone(&file))))?;
        Ok(Arc::new(OpenFile { disk: self.clone(), file }))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        lock(&self.state).rename(|files| drop(files.remove(name)))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = lock(&self.state);
        let file = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(lock(file).current.clone())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = DiskFile { synced: bytes.to_vec(), current: bytes.to_vec() };
        lock(&self.state).rename(|files| drop(files.insert(name.to_owned(), Arc::new(Mutex::new(file)))))
    }
}

impl StorageFile for OpenFile {
    fn size(&self) -> io::Result<u64> {
        self.with(|file, _| Ok(file.current.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.with(|file, _| {
            let from = usize::try_from(at).unwrap_or(usize::MAX).min(file.current.len());
            let length = buffer.len().min(file.current.len() - from);
            buffer[..length].copy_from_slice(&file.current[from..from + length]);
            Ok(length)
        })
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.with(|file, faults| {
            faults.step()?;
            if faults.write_fails {
                return Err(broken("write"));
            }
            let room = faults.room_bytes.unwrap_or(usize::MAX);
            let length = bytes.len().min(faults.write_bytes_max.unwrap_or(usize::MAX)).min(room);
            if length == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let at = usize::try_from(at).map_err(io::Error::other)?;
            let size = file.current.len().max(at + length);
            file.current.resize(size, 0);
            file.current[at..at + length].copy_from_slice(&bytes[..length]);
            faults.room_bytes = faults.room_bytes.map(|room| room - length);
            Ok(length)
        })
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.with(|file, faults| {
            faults.step()?;
            if faults.truncate_fails {
                return Err(broken("truncate"));
            }
            file.current.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|file, faults| {
            faults.step()?;
            if faults.sync_fails {
                return Err(broken("sync"));
            }
            file.synced.clone_from(&file.current);
            Ok(())
        })
    }
}
