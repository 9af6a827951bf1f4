//! Writes a checkpoint: every table in blocks, each file synced, the manifest last. What a crash leaves is no checkpoint.

use super::{FORMAT, FileEntry, MANIFEST, Manifest, ViewStanding};
use crate::Error;
use crate::input::sealed_epochs::LogPosition;
use crate::log::storage::{Storage, StorageFile, write_all};
use dataflows::contract::changes::digest_text;
use dataflows::contract::epoch::RULES;
use dataflows::engine::snapshot::SnapshotTable;
use dataflows::ports::StateReader;
use std::io;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Rows in a block, at most.
const BLOCK_ROWS: usize = 4_096;
/// A block takes no further row once it has that many bytes: writing a checkpoint needs a few blocks of memory, whatever
/// is in it.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// Little is gained by more.
const COMPRESSION: i32 = 1;

/// Writes what is held into the folder of checkpoints; `place` is that of its epoch in the log. What fails leaves
/// nothing, so that a disk that is full has its room back.
pub fn write(folder: &dyn Storage, held: &dyn StateReader, place: &LogPosition) -> Result<Manifest, Error> {
    let name = held.epoch().to_string();
    write_at(folder, &name, held, place).inspect_err(|_| {
        // If even that fails, the next attempt begins with it.
        let _ = folder.delete_folder(&name);
    })
}

fn write_at(folder: &dyn Storage, name: &str, held: &dyn StateReader, place: &LogPosition) -> Result<Manifest, Error> {
    let epoch = held.epoch();
    debug_assert_eq!(epoch, place.epochs.last);
    // An earlier attempt left what it had: how much of it is right is unknown.
    folder.delete_folder(name).map_err(Error::io("removing", &folder.describe(name)))?;
    folder.make_folder(name).map_err(Error::io("making", &folder.describe(name)))?;
    let checkpoint = &*folder.folder(name);
    let files =
        SnapshotTable::ALL.iter().map(|table| write_table(checkpoint, *table, held)).collect::<Result<_, _>>()?;
    let standings = held.standings();
    let views = standings.0.iter().map(|(view, standing)| {
        let standing = ViewStanding { rows: standing.rows, digest: digest_text(standing.digest) };
        (view.name().to_owned(), standing)
    });
    let manifest = Manifest {
        format: FORMAT,
        epoch,
        now: place.epochs.now,
        rules: RULES,
        offset: place.offset,
        cut: place.epochs.cut.clone(),
        digest: digest_text(standings.digest()),
        views: views.collect(),
        files,
    };
    let file = checkpoint.describe(MANIFEST);
    let bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| Error::io("encoding", &file)(error.into()))?;
    checkpoint.replace(MANIFEST, &bytes).map_err(Error::io("writing", &file))?;
    Ok(manifest)
}

fn write_table(checkpoint: &dyn Storage, table: SnapshotTable, held: &dyn StateReader) -> Result<FileEntry, Error> {
    let name = format!("{}.rows", table.name());
    let failed = |error| Error::io("writing", &checkpoint.describe(&name))(error);
    let mut out = Blocks::new(checkpoint.create(&name).map_err(failed)?);
    let (mut rows, mut after, mut block) = (0, None, Vec::new());
    loop {
        block.clear();
        let (count, last) = held
            .rows(table, after.as_ref(), BLOCK_ROWS, BLOCK_BYTES, &mut block)
            .map_err(|forgotten| Error::Unavailable(forgotten.to_string()))?;
        if count == 0 {
            break;
        }
        out.block(&block).map_err(failed)?;
        rows += count as u64;
        after = last;
    }
    let (bytes, checksum) = out.finish().map_err(failed)?;
    Ok(FileEntry { table: table.name().to_owned(), name, rows, bytes, checksum: format!("{checksum:016x}") })
}

/// A file of compressed blocks, each after its lengths.
struct Blocks {
    file: Arc<dyn StorageFile>,
    checksum: Xxh3,
    bytes: u64,
    framed: Vec<u8>,
}

impl Blocks {
    fn new(file: Arc<dyn StorageFile>) -> Blocks {
        Blocks { file, checksum: Xxh3::new(), bytes: 0, framed: Vec::new() }
    }

    fn block(&mut self, rows: &[u8]) -> io::Result<()> {
        let packed = zstd::bulk::compress(rows, COMPRESSION)?;
        self.framed.clear();
        for length in [rows.len(), packed.len()].map(u32::try_from) {
            self.framed.extend_from_slice(&length.map_err(io::Error::other)?.to_le_bytes());
        }
        self.framed.extend_from_slice(&packed);
        write_all(&*self.file, &self.framed, self.bytes)?;
        self.checksum.update(&self.framed);
        self.bytes += self.framed.len() as u64;
        Ok(())
    }

    fn finish(self) -> io::Result<(u64, u64)> {
        self.file.sync()?;
        Ok((self.bytes, self.checksum.digest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Disk;
    use dataflows::contract::changes::ViewDigests;
    use dataflows::contract::epoch::Epoch;
    use dataflows::ports::SnapshotExpired;
    use smol_str::SmolStr;

    /// Is forgotten when the last table is read.
    struct EphemeralStore(ViewDigests);

    impl StateReader for EphemeralStore {
        fn epoch(&self) -> Epoch {
            Epoch(7)
        }

        fn standings(&self) -> &ViewDigests {
            &self.0
        }

        fn rows(
            &self,
            table: SnapshotTable,
            _: Option<&SmolStr>,
            _: usize,
            _: usize,
            _: &mut Vec<u8>,
        ) -> Result<(usize, Option<SmolStr>), SnapshotExpired> {
            if table == SnapshotTable::Stock { Err(SnapshotExpired(self.epoch())) } else { Ok((0, None)) }
        }
    }

    #[test]
    fn what_cannot_be_finished_leaves_nothing() {
        let folder = Disk::default();
        let mut place = LogPosition::default();
        place.epochs.last = Epoch(7);
        let held = EphemeralStore(ViewDigests::default());
        let error = write(&folder, &held, &place).unwrap_err();
        assert!(error.to_string().contains("epoch 7 was forgotten"), "{error}");
        assert_eq!(folder.names(), Vec::<String>::new());
    }
}
