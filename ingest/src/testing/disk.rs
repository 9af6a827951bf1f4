//! A disk in memory that fails on demand, stops at any step, and forgets what was not synced when it loses power.
//!
//! Every durable step is a *point* with a name: the file (numbers in it written as `N`), what is done to it, and where in
//! that it is, as in `log/N.log sync before`. The disk counts how often each was passed, and can stop there as if the
//! process had ended.

use super::Random;
use crate::log::lock;
use crate::log::storage::{Storage, StorageFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, Default)]
struct DiskFile {
    synced: Vec<u8>,
    current: Vec<u8>,
}

/// The disk's faults.
#[derive(Clone, Debug, Default)]
pub struct DiskFaults {
    /// Bytes that there is still room for; no limit if none.
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
    /// One of so many steps fails, as this generator has it; a write may have written a part.
    pub one_in: Option<(Random, usize)>,
    /// The point to stop at.
    pub stop: Option<Stop>,
}

/// The disk stops at the `hit`th passing of a point, from 1: that step fails and every later one, reading too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The point's name.
    pub point: String,
    /// Which passing, counted from when the faults were set.
    pub hit: u64,
}

/// Names and files, which those who have them open share.
type Files = BTreeMap<String, Arc<Mutex<DiskFile>>>;

#[derive(Debug, Default)]
struct DiskState {
    files: Files,
    /// The names that are durable.
    synced: Files,
    faults: DiskFaults,
    locked: BTreeSet<String>,
    /// The number of times each point was passed.
    points: BTreeMap<String, u64>,
    is_stopped: bool,
}

/// The file's name with its numbers taken out.
fn kind(name: &str) -> String {
    let mut kind = String::new();
    for c in name.chars() {
        match c.is_ascii_digit() {
            true if kind.ends_with('N') => {}
            true => kind.push('N'),
            false => kind.push(c),
        }
    }
    kind
}

impl DiskState {
    /// Passes a point.
    fn pass(&mut self, name: &str, step: &str) -> io::Result<()> {
        self.check()?;
        let point = format!("{} {step}", kind(name));
        if let Some(stop) = &mut self.faults.stop
            && stop.point == point
        {
            stop.hit -= 1;
            self.is_stopped = stop.hit == 0;
        }
        *self.points.entry(point).or_default() += 1;
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        if self.is_stopped { Err(broken("the machine has stopped")) } else { Ok(()) }
    }

    /// Begins a step: it may fail before it does anything.
    fn begin(&mut self, name: &str, step: &str) -> io::Result<()> {
        self.pass(name, &format!("{step} before"))?;
        if let Some(left) = &mut self.faults.steps_left {
            *left = left.checked_sub(1).ok_or_else(|| broken("no step is left"))?;
        }
        if let Some((random, one_in)) = &mut self.faults.one_in
            && random.below(*one_in) == 0
        {
            self.pass(name, &format!("{step} fails"))?;
            return Err(broken(step));
        }
        Ok(())
    }

    /// Changes a name, then makes the names of its folder durable.
    fn rename(&mut self, name: &str, step: &str, change: impl FnOnce(&mut Files)) -> io::Result<()> {
        change(&mut self.files);
        self.begin(name, &format!("{step} names"))?;
        let folder = folder_of(name);
        self.synced.retain(|other, _| folder_of(other) != folder);
        let now = self.files.iter().filter(|(other, _)| folder_of(other) == folder);
        self.synced.extend(now.map(|(name, file)| (name.clone(), Arc::clone(file))));
        self.pass(name, &format!("{step} after"))
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A folder of a disk in memory; the default is the whole of a new one. Clones are the same. A deleted file can be read by
/// those who have it open, as on a disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    state: Arc<Mutex<DiskState>>,
    /// Ends in `/` if there is one.
    folder: String,
}

impl Disk {
    /// Sets what is wrong from now on.
    pub fn fail(&self, faults: DiskFaults) {
        lock(&self.state).faults = faults;
    }

    /// Returns true once it stopped at its stop.
    pub fn is_stopped(&self) -> bool {
        lock(&self.state).is_stopped
    }

    /// The number of times each point was passed.
    pub fn points(&self) -> BTreeMap<String, u64> {
        lock(&self.state).points.clone()
    }

    /// A file's bytes as a process sees them.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let name = self.path(name);
        lock(&self.state).files.get(&name).map(|file| lock(file).current.clone()).unwrap_or_default()
    }

    /// The names of all its files, those of inner folders too.
    pub fn names(&self) -> Vec<String> {
        let state = lock(&self.state);
        state.files.keys().filter_map(|name| Some(name.strip_prefix(&self.folder)?.to_owned())).collect()
    }

    /// Another disk with the same files, all synced.
    pub fn copy(&self) -> Disk {
        self.of(&lock(&self.state).files, |file| file.current.clone())
    }

    /// The disk found when this one lost power now: of unsynced bytes, what `kept` says of each file's
    /// synced and current bytes.
    pub fn after_power_loss(&self, mut kept: impl FnMut(&[u8], &[u8]) -> Vec<u8>) -> Disk {
        self.of(&lock(&self.state).synced, |file| kept(&file.synced, &file.current))
    }

    fn of(&self, files: &Files, mut bytes: impl FnMut(&DiskFile) -> Vec<u8>) -> Disk {
        let copy = Disk { state: Arc::default(), folder: self.folder.clone() };
        let state = &mut *lock(&copy.state);
        for (name, file) in files {
            put(state, name.clone(), bytes(&lock(file)));
        }
        copy.clone()
    }

    /// Puts a file there, or other bytes into the one that is there.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        put(&mut lock(&self.state), self.path(name), bytes);
    }

    /// Takes a file away.
    pub fn remove(&self, name: &str) {
        let (state, name) = (&mut *lock(&self.state), self.path(name));
        state.files.remove(&name);
        state.synced.remove(&name);
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }
}

fn put(state: &mut DiskState, name: String, bytes: Vec<u8>) {
    let file = state.files.entry(name.clone()).or_default();
    state.synced.insert(name, Arc::clone(file));
    *lock(file) = DiskFile { synced: bytes.clone(), current: bytes };
}

struct DiskLock(Disk);

impl Drop for DiskLock {
    fn drop(&mut self) {
        lock(&self.0.state).locked.remove(&self.0.folder);
    }
}

struct OpenFile {
    disk: Disk,
    name: String,
    file: Arc<Mutex<DiskFile>>,
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("injected: {what}"))
}

impl Storage for Disk {
    fn describe(&self, name: &str) -> String {
        format!("disk/{}", self.path(name))
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        if !lock(&self.state).locked.insert(self.folder.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(DiskLock(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        lock(&self.state).check()?;
        let first = |name: String| name.split('/').next().unwrap_or_default().to_owned();
        Ok(self.names().into_iter().map(first).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let (state, name) = (lock(&self.state), self.path(name));
        state.check()?;
        let file = Arc::clone(state.files.get(&name).ok_or(io::ErrorKind::NotFound)?);
        Ok(Arc::new(OpenFile { disk: self.clone(), name, file }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let (state, name) = (&mut *lock(&self.state), self.path(name));
        if state.faults.create_fails {
            return Err(broken("create"));
        }
        state.begin(&name, "create")?;
        let file = Arc::default();
        state.rename(&name, "create", |files| drop(files.insert(name.clone(), Arc::clone(&file))))?;
        Ok(Arc::new(OpenFile { disk: self.clone(), name, file }))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let (state, name) = (&mut *lock(&self.state), self.path(name));
        state.begin(&name, "delete")?;
        state.rename(&name, "delete", |files| drop(files.remove(&name)))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = lock(&self.state);
        state.check()?;
        let file = state.files.get(&self.path(name)).ok_or(io::ErrorKind::NotFound)?;
        Ok(lock(file).current.clone())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (state, name) = (&mut *lock(&self.state), self.path(name));
        state.begin(&name, "replace")?;
        let aside = format!("{name}.new");
        let half = DiskFile { synced: Vec::new(), current: bytes[..bytes.len() / 2].to_vec() };
        state.files.insert(aside.clone(), Arc::new(Mutex::new(half)));
        state.pass(&name, "replace aside")?;
        let file = DiskFile { synced: bytes.to_vec(), current: bytes.to_vec() };
        state.rename(&name, "replace", |files| {
            files.remove(&aside);
            files.insert(name.clone(), Arc::new(Mutex::new(file)));
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (state, from, to) = (&mut *lock(&self.state), self.path(from), self.path(to));
        state.begin(&to, "rename")?;
        if !state.files.contains_key(&from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.rename(&to, "rename", |files| {
            if let Some(file) = files.remove(&from) {
                files.insert(to.clone(), file);
            }
        })
    }

    fn folder(&self, name: &str) -> Arc<dyn Storage> {
        Arc::new(Disk { state: Arc::clone(&self.state), folder: format!("{}{name}/", self.folder) })
    }

    fn make_folder(&self, name: &str) -> io::Result<()> {
        // A folder is there when something is in it.
        lock(&self.state).begin(&self.path(name), "make folder")
    }

    fn delete_folder(&self, name: &str) -> io::Result<()> {
        let (state, name) = (&mut *lock(&self.state), self.path(name));
        let inside = format!("{name}/");
        let files: Vec<String> = state.files.keys().filter(|file| file.starts_with(&inside)).cloned().collect();
        for file in files {
            // Nothing makes that durable, so it may be undone.
            state.begin(&name, "delete folder")?;
            state.files.remove(&file);
        }
        state.check()
    }
}

impl StorageFile for OpenFile {
    fn size(&self) -> io::Result<u64> {
        lock(&self.disk.state).check()?;
        Ok(lock(&self.file).current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        lock(&self.disk.state).check()?;
        let file = lock(&self.file);
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(file.current.len());
        let length = buffer.len().min(file.current.len() - from);
        buffer[..length].copy_from_slice(&file.current[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let state = &mut *lock(&self.disk.state);
        let begun = state.begin(&self.name, "write");
        let mut file = lock(&self.file);
        if begun.is_err() && !state.is_stopped && state.faults.one_in.is_some() {
            file.put(&bytes[..bytes.len() / 3], at)?;
        }
        begun?;
        if state.faults.write_fails {
            return Err(broken("write"));
        }
        let room = state.faults.room_bytes.unwrap_or(usize::MAX);
        let length = bytes.len().min(state.faults.write_bytes_max.unwrap_or(usize::MAX)).min(room);
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.put(&bytes[..length / 2], at)?;
        state.pass(&self.name, "write half")?;
        file.put(&bytes[..length], at)?;
        state.faults.room_bytes = state.faults.room_bytes.map(|room| room - length);
        state.pass(&self.name, "write after")?;
        Ok(length)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let state = &mut *lock(&self.disk.state);
        state.begin(&self.name, "truncate")?;
        if state.faults.truncate_fails {
            return Err(broken("truncate"));
        }
        lock(&self.file).current.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        state.pass(&self.name, "truncate after")
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *lock(&self.disk.state);
        state.begin(&self.name, "sync")?;
        if state.faults.sync_fails {
            return Err(broken("sync"));
        }
        let file = &mut *lock(&self.file);
        file.synced.clone_from(&file.current);
        state.pass(&self.name, "sync after")
    }
}

impl DiskFile {
    fn put(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let size = self.current.len().max(at + bytes.len());
        self.current.resize(size, 0);
        self.current[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}
