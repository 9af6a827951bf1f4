//! Writes a checkpoint: every table in blocks, each file synced, the manifest last. What a crash leaves is no checkpoint.

use super::{FORMAT, FileEntry, MANIFEST, Manifest, ViewStanding};
use crate::Error;
use crate::sealed::Place;
use dataflows::base::Table;
use dataflows::changes::digest_text;
use dataflows::epoch::RULES;
use dataflows::port::Held;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// How many rows are read from the store at once, and stand in a block.
const BLOCK_ROWS: usize = 4_096;
/// Little is gained by more.
const COMPRESSION: i32 = 1;

/// Writes what is held into the folder of checkpoints; `place` is that of its epoch in the log. What fails leaves
/// nothing, so that a disk that is full has its room back.
pub fn write(folder: &Path, held: &dyn Held, place: &Place) -> Result<Manifest, Error> {
    let path = folder.join(held.epoch().to_string());
    write_at(folder, &path, held, place).inspect_err(|_| {
        // If even that fails, the next attempt begins with it.
        let _ = std::fs::remove_dir_all(&path);
    })
}

fn write_at(folder: &Path, path: &Path, held: &dyn Held, place: &Place) -> Result<Manifest, Error> {
    let epoch = held.epoch();
    debug_assert_eq!(epoch, place.epochs.last);
    let name = path.display().to_string();
    // An earlier attempt left what it had: nobody knows how much of it is right.
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("removing", &name)(error)),
        Ok(()) | Err(_) => {}
    }
    std::fs::create_dir_all(path).map_err(Error::io("making", &name))?;
    let files = Table::ALL.iter().map(|table| write_table(path, *table, held)).collect::<Result<_, _>>()?;
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
    publish(folder, path, &manifest).map_err(Error::io("writing the manifest of", &name))?;
    Ok(manifest)
}

fn publish(folder: &Path, path: &Path, manifest: &Manifest) -> io::Result<()> {
    let aside = path.join(format!("{MANIFEST}.new"));
    let bytes = serde_json::to_vec_pretty(manifest)?;
    let mut file = File::create(&aside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    // The files' names and the folder's own are durable before the manifest says that they are there.
    sync(path)?;
    sync(folder)?;
    std::fs::rename(&aside, path.join(MANIFEST))?;
    sync(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn write_table(folder: &Path, table: Table, held: &dyn Held) -> Result<FileEntry, Error> {
    let name = format!("{}.rows", table.name());
    let path = folder.join(&name);
    let failed = |error| Error::io("writing", &path.display().to_string())(error);
    let mut out = Blocks::new(File::create(&path).map_err(failed)?);
    let (mut rows, mut after, mut block) = (0, None, Vec::new());
    loop {
        block.clear();
        let (count, last) = held
            .rows(table, after.as_ref(), BLOCK_ROWS, &mut block)
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

/// A file of compressed blocks, each behind its length.
struct Blocks {
    out: BufWriter<File>,
    checksum: Xxh3,
    bytes: u64,
}

impl Blocks {
    fn new(file: File) -> Blocks {
        Blocks { out: BufWriter::new(file), checksum: Xxh3::new(), bytes: 0 }
    }

    fn block(&mut self, rows: &[u8]) -> io::Result<()> {
        let packed = zstd::bulk::compress(rows, COMPRESSION)?;
        let lengths = [rows.len(), packed.len()].map(u32::try_from);
        for length in lengths {
            self.put(&length.map_err(io::Error::other)?.to_le_bytes())?;
        }
        self.put(&packed)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn finish(self) -> io::Result<(u64, u64)> {
        let file = self.out.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        Ok((self.bytes, self.checksum.digest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::changes::Standings;
    use dataflows::epoch::Epoch;
    use dataflows::port::Forgotten;
    use smol_str::SmolStr;

    /// Is forgotten when the last table is read.
    struct Fleeting(Standings);

    impl Held for Fleeting {
        fn epoch(&self) -> Epoch {
            Epoch(7)
        }

        fn standings(&self) -> &Standings {
            &self.0
        }

        fn rows(
            &self,
            table: Table,
            _: Option<&SmolStr>,
            _: usize,
            _: &mut Vec<u8>,
        ) -> Result<(usize, Option<SmolStr>), Forgotten> {
            if table == Table::Stock { Err(Forgotten(self.epoch())) } else { Ok((0, None)) }
        }
    }

    #[test]
    fn what_cannot_be_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place::default();
        place.epochs.last = Epoch(7);
        let held = Fleeting(Standings::default());
        let error = write(folder.path(), &held, &place).unwrap_err();
        assert!(error.to_string().contains("epoch 7 was forgotten"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
