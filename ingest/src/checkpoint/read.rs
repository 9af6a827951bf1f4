//! Reads checkpoints back: the newest that is whole, checked in every byte and then by its digest. One that is not is
//! refused by name, and the one before it is used.

use super::{FileEntry, MANIFEST, Manifest, ViewStanding, damaged, list};
use crate::Error;
use crate::log::storage::{Storage, StorageFile, read_full, write_all};
use dataflows::contract::changes::{Changes, Shard, digest_text};
use dataflows::contract::epoch::{EpochRecord, RULES};
use dataflows::engine::snapshot::{SnapshotTable, assemble, load};
use std::io;
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::Xxh3;

/// A block never has more: what a damaged length says is not believed.
const BLOCK_BYTES_MAX: usize = 1 << 30;
/// Bytes of a file read at once.
const PIECE_BYTES: usize = 1 << 20;

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
        let unknown = || damaged(checkpoint, &entry.name, format!("there is no table {}", entry.table));
        let table = SnapshotTable::from_name(&entry.table).ok_or_else(unknown)?;
        files.push((table, entry, check_file(checkpoint, entry)?));
    }
    let record = EpochRecord { v: 1, epoch: *epoch, now: *now, rules: *rules, cut: cut.clone() };
    let state = assemble(record, unpack(checkpoint, files, threads)?);
    check(checkpoint, manifest, &state)?;
    Ok(state)
}

/// The state must be as in the manifest.
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

/// Opens a file and reads it once, a piece after the other: it must have the bytes that the manifest names.
fn check_file(checkpoint: &dyn Storage, entry: &FileEntry) -> Result<Arc<dyn StorageFile>, Error> {
    let refused = |why: String| damaged(checkpoint, &entry.name, why);
    let failed = |error| Error::io("reading", &checkpoint.describe(&entry.name))(error);
    let file = match checkpoint.open(&entry.name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(refused("it is missing".to_owned())),
        Err(error) => return Err(failed(error)),
    };
    let size = file.size().map_err(failed)?;
    if size != entry.bytes {
        return Err(refused(format!("it has {size} bytes, not {}", entry.bytes)));
    }
    let (mut hash, mut piece) = (Xxh3::new(), Vec::new());
    each_piece(&*file, size, &mut piece, |bytes| {
        hash.update(bytes);
        Ok(())
    })
    .map_err(failed)?;
    let found = format!("{:016x}", hash.digest());
    if found != entry.checksum {
        return Err(refused(format!("its checksum is {found}, not {}", entry.checksum)));
    }
    Ok(file)
}

fn each_piece(
    file: &dyn StorageFile,
    size: u64,
    piece: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    piece.resize(PIECE_BYTES, 0);
    let mut at = 0;
    while at < size {
        let read = read_full(file, piece, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        each(&piece[..read])?;
        at += read as u64;
    }
    Ok(())
}

/// A table's file, and where its next block begins.
struct Blocks<'a> {
    table: SnapshotTable,
    entry: &'a FileEntry,
    file: Arc<dyn StorageFile>,
    at: u64,
}

/// A block of a file, still packed.
#[derive(Default)]
struct Block {
    rows_bytes: usize,
    packed: Vec<u8>,
}

impl Blocks<'_> {
    /// Reads the next block; false at the end. What is wrong with it is an `InvalidData`.
    fn next(&mut self, into: &mut Block) -> io::Result<bool> {
        let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let cut_short = || bad("a block is cut short".to_owned());
        if self.at == self.entry.bytes {
            return Ok(false);
        }
        let mut head = [0; 8];
        if read_full(&*self.file, &mut head, self.at)? < head.len() {
            return Err(cut_short());
        }
        let length = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (rows_bytes, packed_bytes) = (length(0), length(4));
        if rows_bytes > BLOCK_BYTES_MAX {
            return Err(bad(format!("a block says that it has {rows_bytes} bytes")));
        }
        let from = self.at + head.len() as u64;
        if packed_bytes as u64 > self.entry.bytes - from.min(self.entry.bytes) {
            return Err(cut_short());
        }
        into.rows_bytes = rows_bytes;
        into.packed.resize(packed_bytes, 0);
        if read_full(&*self.file, &mut into.packed, from)? < packed_bytes {
            return Err(cut_short());
        }
        self.at = from + packed_bytes as u64;
        Ok(true)
    }
}

/// Reads, unpacks and hashes the blocks, each thread into a shard of its own: memory holds a block a thread beside what
/// comes of them.
fn unpack(
    checkpoint: &dyn Storage,
    files: Vec<(SnapshotTable, &FileEntry, Arc<dyn StorageFile>)>,
    threads: usize,
) -> Result<Vec<Shard>, Error> {
    let files = files.into_iter().rev().map(|(table, entry, file)| Blocks { table, entry, file, at: 0 });
    let left = Mutex::new(files.collect::<Vec<_>>());
    let next = |block: &mut Block| -> Result<Option<(SnapshotTable, &FileEntry)>, Error> {
        let mut left = crate::log::lock(&left);
        while let Some(blocks) = left.last_mut() {
            let read = blocks.next(block).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => damaged(checkpoint, &blocks.entry.name, error.to_string()),
                _ => Error::io("reading", &checkpoint.describe(&blocks.entry.name))(error),
            })?;
            if read {
                return Ok(Some((blocks.table, blocks.entry)));
            }
            left.pop();
        }
        Ok(None)
    };
    let work = || -> Result<Shard, Error> {
        let (mut shard, mut block, mut rows) = (Shard::default(), Block::default(), Vec::new());
        let mut unpacker = zstd::bulk::Decompressor::new().map_err(Error::io("unpacking", "checkpoints"))?;
        while let Some((table, entry)) = next(&mut block)? {
            let refused = |why: String| damaged(checkpoint, &entry.name, why);
            rows.clear();
            rows.reserve(block.rows_bytes);
            unpacker.decompress_to_buffer(&block.packed, &mut rows).map_err(|error| refused(error.to_string()))?;
            load(table, &rows, &mut shard).map_err(|error| refused(error.to_string()))?;
        }
        Ok(shard)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a panic takes the process down")).collect()
    })
}

/// Checks that every file has the bytes that the manifest names, and that the manifest agrees with itself.
pub fn check_files(checkpoint: &dyn Storage, manifest: &Manifest) -> Result<(), Error> {
    let digests = manifest.views.values().map(|view| u128::from_str_radix(&view.digest, 16).unwrap_or_default());
    let sum = digest_text(digests.fold(0, u128::wrapping_add));
    if sum != manifest.digest {
        let why = format!("the digests of its views add up to {sum}, and not to {}", manifest.digest);
        return Err(damaged(checkpoint, MANIFEST, why));
    }
    manifest.files.iter().try_for_each(|entry| check_file(checkpoint, entry).map(drop))
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
        let from = check_file(checkpoint, entry)?;
        let to = target.create(&entry.name).map_err(failed)?;
        let (mut at, mut piece) = (0, Vec::new());
        let copied = each_piece(&*from, entry.bytes, &mut piece, |bytes| {
            write_all(&*to, bytes, at)?;
            at += bytes.len() as u64;
            Ok(())
        });
        copied.and_then(|()| to.sync()).map_err(failed)?;
    }
    let bytes = checkpoint.read(MANIFEST).map_err(Error::io("reading", &checkpoint.describe(MANIFEST)))?;
    target.replace(MANIFEST, &bytes).map_err(failed)
}
