//! Reads checkpoints back: the newest that is whole, checked in every byte and then by its digest. One that is not is
//! refused by name, and the one before it is used.

use super::{FileEntry, MANIFEST, Manifest, ViewStanding, damaged, list};
use crate::Error;
use crate::storage::{Storage, write_all};
use dataflows::base::{Table, load, whole};
use dataflows::changes::{Changes, Shard, digest_text};
use dataflows::epoch::{EpochRecord, RULES};
use std::io;
use std::sync::Mutex;
use xxhash_rust::xxh3::xxh3_64;

/// A block never has more: what a damaged length says is not believed.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Reads the newest checkpoint of the folder that is whole, with that many threads; none if there is none.
pub fn newest(folder: &dyn Storage, threads: usize) -> Result<Option<(Manifest, Changes)>, Error> {
    for (name, manifest) in list(folder)? {
        let checkpoint = &*folder.folder(&name);
        match manifest.and_then(|manifest| restore(checkpoint, &manifest, threads).map(|state| (manifest, state))) {
            Ok(found) => return Ok(Some(found)),
            Err(error @ (Error::Damaged { .. } | Error::Rules { .. })) => {
                tracing::error!(checkpoint = checkpoint.describe(""), %error, "a checkpoint is refused; the one before is used");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Reads a checkpoint, and holds what it gives against its manifest.
pub fn restore(checkpoint: &dyn Storage, manifest: &Manifest, threads: usize) -> Result<Changes, Error> {
    let Manifest { epoch, now, rules, cut, .. } = manifest;
    if *rules != RULES {
        return Err(Error::Rules { epoch: *epoch, found: *rules, known: RULES });
    }
    let mut files = Vec::new();
    for entry in &manifest.files {
        files.push((entry, read_file(checkpoint, entry)?));
    }
    let mut blocks = Vec::new();
    for (entry, bytes) in &files {
        let unknown = || damaged(checkpoint, &entry.name, format!("there is no table {}", entry.table));
        let table = Table::from_name(&entry.table).ok_or_else(unknown)?;
        split(table, &entry.name, bytes, &mut blocks).map_err(|why| damaged(checkpoint, &entry.name, why))?;
    }
    let record = EpochRecord { v: 1, epoch: *epoch, now: *now, rules: *rules, cut: cut.clone() };
    let state = whole(record, unpack(checkpoint, &blocks, threads)?);
    check(checkpoint, manifest, &state)?;
    Ok(state)
}

/// The state must stand as the manifest says.
fn check(checkpoint: &dyn Storage, manifest: &Manifest, state: &Changes) -> Result<(), Error> {
    for (name, ViewStanding { rows, digest }) in &manifest.views {
        let found = state.standings.0.iter().find(|(view, _)| view.name() == name).map(|(_, standing)| *standing);
        let found = found.unwrap_or_default();
        if (found.rows, digest_text(found.digest)) != (*rows, digest.clone()) {
            let why =
                format!("its view {name} has {} rows and another digest, not {rows} rows and {digest}", found.rows);
            return Err(damaged(checkpoint, MANIFEST, why));
        }
    }
    let digest = digest_text(state.standings.digest());
    if digest != manifest.digest {
        let why = format!("its digest is {digest}, and {} is right", manifest.digest);
        return Err(damaged(checkpoint, MANIFEST, why));
    }
    Ok(())
}

fn read_file(checkpoint: &dyn Storage, entry: &FileEntry) -> Result<Vec<u8>, Error> {
    let refused = |why: String| damaged(checkpoint, &entry.name, why);
    let bytes = match checkpoint.read(&entry.name) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(refused("it is missing".to_owned())),
        Err(error) => return Err(Error::io("reading", &checkpoint.describe(&entry.name))(error)),
    };
    if bytes.len() as u64 != entry.bytes {
        return Err(refused(format!("it has {} bytes, not {}", bytes.len(), entry.bytes)));
    }
    let found = format!("{:016x}", xxh3_64(&bytes));
    if found != entry.checksum {
        return Err(refused(format!("its checksum is {found}, not {}", entry.checksum)));
    }
    Ok(bytes)
}

/// A block of a file, still packed.
struct Block<'a> {
    table: Table,
    file: &'a str,
    rows_bytes: usize,
    packed: &'a [u8],
}

fn split<'a>(table: Table, file: &'a str, mut bytes: &'a [u8], into: &mut Vec<Block<'a>>) -> Result<(), String> {
    const CUT_SHORT: &str = "a block is cut short";
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or(CUT_SHORT)?;
        let length = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (rows_bytes, packed_bytes) = (length(0), length(4));
        if rows_bytes > BLOCK_BYTES_MAX {
            return Err(format!("a block says that it has {rows_bytes} bytes"));
        }
        let (packed, rest) = rest.split_at_checked(packed_bytes).ok_or(CUT_SHORT)?;
        into.push(Block { table, file, rows_bytes, packed });
        bytes = rest;
    }
    Ok(())
}

/// Unpacks, reads and hashes the blocks, each thread into a shard of its own.
fn unpack(checkpoint: &dyn Storage, blocks: &[Block<'_>], threads: usize) -> Result<Vec<Shard>, Error> {
    let next = Mutex::new(blocks.iter());
    let work = || -> Result<Shard, Error> {
        let mut shard = Shard::default();
        loop {
            let Some(Block { table, file, rows_bytes, packed }) = crate::log::lock(&next).next() else {
                return Ok(shard);
            };
            let refused = |why: String| damaged(checkpoint, file, why);
            let rows = zstd::bulk::decompress(packed, *rows_bytes).map_err(|error| refused(error.to_string()))?;
            load(*table, &rows, &mut shard).map_err(|error| refused(error.to_string()))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a panic takes the process down")).collect()
    })
}

/// Checks that every file has the bytes that the manifest names.
pub fn check_files(checkpoint: &dyn Storage, manifest: &Manifest) -> Result<(), Error> {
    manifest.files.iter().try_for_each(|entry| read_file(checkpoint, entry).map(drop))
}

/// Checks a checkpoint as a restart would.
pub fn verify(checkpoint: &dyn Storage, manifest: &Manifest) -> Result<(), Error> {
    restore(checkpoint, manifest, 1).map(drop)
}

/// Copies a checkpoint into another folder of checkpoints, its manifest last.
pub fn copy(checkpoint: &dyn Storage, manifest: &Manifest, folder: &dyn Storage) -> Result<(), Error> {
    let name = manifest.epoch.to_string();
    let target = &*folder.folder(&name);
    let failed = |error| Error::io("copying to", &target.describe(""))(error);
    folder.make_folder(&name).map_err(failed)?;
    for entry in &manifest.files {
        let bytes = read_file(checkpoint, entry)?;
        let file = target.create(&entry.name).map_err(failed)?;
        write_all(&*file, &bytes, 0).and_then(|()| file.sync()).map_err(failed)?;
    }
    let bytes = checkpoint.read(MANIFEST).map_err(Error::io("reading", &checkpoint.describe(MANIFEST)))?;
    target.replace(MANIFEST, &bytes).map_err(failed)
}
