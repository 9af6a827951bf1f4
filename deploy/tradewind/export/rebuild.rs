//! Has the tables of a stopped node written again from its log: takes them and the outputs that they are made of away, which
//! the next start makes again. Only where the log reaches back to its beginning. Not for making them.

use super::Tables;
use crate::config::Config;
use crate::log;
use anyhow::{Context, Result, bail, ensure};
use std::io::ErrorKind;
use std::path::Path;

/// What was removed, to be written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many tables were removed.
    pub tables: usize,
}

/// Removes the tables and the outputs. Changes nothing if they could not be made again.
pub fn rebuild(config: &Config) -> Result<Rebuilt> {
    ensure!(config.kafka().is_none(), "the outputs are topics of a cluster, which nobody removes from here");
    let begin = log::open(config)?.log.starts()?;
    if let Some((at, offset)) = begin.iter().find(|(_, offset)| *offset > 0) {
        bail!(
            "the log begins at offset {offset} of {at}: what was decided before is in checkpoints only, and the tables \
             cannot be written again from the beginning"
        );
    }
    let tables = Tables::at(&config.log.data_dir, &config.export, || false)?;
    let folder = tables.local().context("the tables are in an object store: remove them there, then the outputs")?;
    let _lock = tables.lock()?;
    let mut removed = 0;
    remove_file(&folder.join("_progress.json"))?;
    let names = tables.place.list("").with_context(|| format!("listing {}", folder.display()))?;
    for path in names.iter().map(|name| folder.join(name)).filter(|path| path.join("_delta_log").is_dir()) {
        remove(&path)?;
        removed += 1;
    }
    remove(&config.log.data_dir.join("outputs"))?;
    Ok(Rebuilt { tables: removed })
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove_file(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", file.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
