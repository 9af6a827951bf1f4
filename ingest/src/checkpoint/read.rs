//! Reads checkpoints back: the newest that is whole, checked in every byte and then by its digest. One that is not is
//! refused by name, and the one before it is used.

use super::write::sync;
use super::{FileEntry, MANIFEST, Manifest, ViewStanding, damaged, list};
use crate::Error;
use dataflows::base::{Table, load, whole};
use dataflows::changes::{Changes, Shard, digest_text};
use dataflows::epoch::{EpochRecord, RULES};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use xxhash_rust::xxh3::xxh3_64;

/// A block never has more: what a damaged length says is not believed.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Reads the newest checkpoint of the folder that is whole, with that many threads; none if there is none.
pub fn newest(folder: &Path, threads: usize) -> Result<Option<(Manifest, Changes)>, Error> {
    for (path, manifest) in list(folder)? {
        match manifest.and_then(|manifest| restore(&path, &manifest, threads).map(|state| (manifest, state))) {
            Ok(found) => return Ok(Some(found)),
            Err(error @ (Error::Damaged { .. } | Error::Rules { .. })) => {
                tracing::error!(checkpoint = %path.display(), %error, "a checkpoint is refused; the one before is used");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Reads a checkpoint, and holds what it gives against its manifest.
pub fn restore(path: &Path, manifest: &Manifest, threads: usize) -> Result<Changes, Error> {
    let Manifest { epoch, now, rules, cut, .. } = manifest;
    if *rules != RULES {
        return Err(Error::Rules { epoch: *epoch, found: *rules, known: RULES });
    }
    let mut files = Vec::new();
    for entry in &manifest.files {
        files.push((entry, read_file(path, entry)?));
    }
    let mut blocks = Vec::new();
    for (entry, bytes) in &files {
        let file = path.join(&entry.name);
        let table = Table::from_name(&entry.table);
        let table = table.ok_or_else(|| damaged(&file, format!("there is no table {}", entry.table)))?;
        split(table, &file, bytes, &mut blocks)?;
    }
    let record = EpochRecord { v: 1, epoch: *epoch, now: *now, rules: *rules, cut: cut.clone() };
    let state = whole(record, unpack(&blocks, threads)?);
    check(path, manifest, &state)?;
    Ok(state)
}

/// The state must stand as the manifest says.
fn check(path: &Path, manifest: &Manifest, state: &Changes) -> Result<(), Error> {
    for (name, ViewStanding { rows, digest }) in &manifest.views {
        let found = state.standings.0.iter().find(|(view, _)| view.name() == name).map(|(_, standing)| *standing);
        let found = found.unwrap_or_default();
        if (found.rows, digest_text(found.digest)) != (*rows, digest.clone()) {
            let why =
                format!("its view {name} has {} rows and another digest, not {rows} rows and {digest}", found.rows);
            return Err(damaged(&path.join(MANIFEST), why));
        }
    }
    let digest = digest_text(state.standings.digest());
    if digest != manifest.digest {
        let why = format!("its digest is {digest}, and {} is right", manifest.digest);
        return Err(damaged(&path.join(MANIFEST), why));
    }
    Ok(())
}

fn read_file(folder: &Path, entry: &FileEntry) -> Result<Vec<u8>, Error> {
    let path = folder.join(&entry.name);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged(&path, "it is missing".to_owned()));
        }
        Err(error) => return Err(Error::io("reading", &path.display().to_string())(error)),
    };
    if bytes.len() as u64 != entry.bytes {
        return Err(damaged(&path, format!("it has {} bytes, not {}", bytes.len(), entry.bytes)));
    }
    let found = format!("{:016x}", xxh3_64(&bytes));
    if found != entry.checksum {
        return Err(damaged(&path, format!("its checksum is {found}, not {}", entry.checksum)));
    }
    Ok(bytes)
}

/// A block of a file, still packed.
struct Block<'a> {
    table: Table,
    file: PathBuf,
    rows_bytes: usize,
    packed: &'a [u8],
}

fn split<'a>(table: Table, file: &Path, mut bytes: &'a [u8], into: &mut Vec<Block<'a>>) -> Result<(), Error> {
    let cut_short = || damaged(file, "a block is cut short".to_owned());
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut_short)?;
        let length = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (rows_bytes, packed_bytes) = (length(0), length(4));
        if rows_bytes > BLOCK_BYTES_MAX {
            return Err(damaged(file, format!("a block says that it has {rows_bytes} bytes")));
        }
        let (packed, rest) = rest.split_at_checked(packed_bytes).ok_or_else(cut_short)?;
        into.push(Block { table, file: file.to_owned(), rows_bytes, packed });
        bytes = rest;
    }
    Ok(())
}

/// Unpacks, reads and hashes the blocks, each thread into a shard of its own.
fn unpack(blocks: &[Block<'_>], threads: usize) -> Result<Vec<Shard>, Error> {
    let next = Mutex::new(blocks.iter());
    let work = || -> Result<Shard, Error> {
        let mut shard = Shard::default();
        loop {
            let Some(Block { table, file, rows_bytes, packed }) = crate::log::lock(&next).next() else {
                return Ok(shard);
            };
            let rows = zstd::bulk::decompress(packed, *rows_bytes).map_err(|error| damaged(file, error.to_string()))?;
            load(*table, &rows, &mut shard).map_err(|error| damaged(file, error.to_string()))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a panic takes the process down")).collect()
    })
}

/// Checks a checkpoint as a restart would.
pub fn verify(path: &Path, manifest: &Manifest) -> Result<(), Error> {
    restore(path, manifest, 1).map(drop)
}

/// Copies a checkpoint into another folder of checkpoints, its manifest last.
pub fn copy(path: &Path, manifest: &Manifest, folder: &Path) -> Result<PathBuf, Error> {
    let target = folder.join(manifest.epoch.to_string());
    let failed = |error| Error::io("copying to", &target.display().to_string())(error);
    std::fs::create_dir_all(&target).map_err(failed)?;
    for name in manifest.files.iter().map(|file| file.name.as_str()).chain([MANIFEST]) {
        std::fs::copy(path.join(name), target.join(name)).map_err(failed)?;
        std::fs::File::open(target.join(name)).and_then(|file| file.sync_all()).map_err(failed)?;
    }
    sync(&target).map_err(failed)?;
    sync(folder).map_err(failed)?;
    Ok(target)
}
