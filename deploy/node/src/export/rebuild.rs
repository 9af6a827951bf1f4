//! Has the tables of a stopped node written again. If the log reaches back to its beginning, removes them and the
//! outputs that they are made of, which the next start makes again. If it does not, tables keep what they hold and
//! resume where the outputs begin, with the rows of the newest checkpoint; each notes what it lacks. Not for writing
//! what comes after that.

use super::{Tables, open};
use crate::config::Config;
use crate::outputs::Outputs;
use crate::{log, log_id};
use anyhow::{Context, Result, bail, ensure};
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::shop::row::View;
use ingest::log::storage::Folder;
use ingest::log::{Log, LogRecord, ReadLimit};
use ingest::output::publisher;
use ingest::{Signal, checkpoint};
use std::io::ErrorKind;
use std::path::Path;
use warehouse_export::Gap;
use warehouse_export::input::{ChangeInput, EpochInput};

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// All tables were removed, to be written again.
    Removed {
        /// The number of tables.
        tables: usize,
    },
    /// They resume after epochs that are lost.
    Resumed {
        /// The epochs that facts lack.
        facts: Gap,
        /// The epochs that views lack.
        views: Gap,
    },
}

/// Removes the tables and the outputs, or makes the tables resume where the outputs begin. Changes nothing if they
/// could not be made again, or if they lack nothing.
pub fn rebuild(config: &Config) -> Result<Rebuilt> {
    ensure!(config.kafka().is_none(), "the outputs are topics of a cluster, which nobody removes from here");
    let log = log::open(config)?.log;
    let begin = log.starts()?;
    let tables = Tables::at(&config.log.data_dir, &config.export, || false)?;
    if let Some((at, offset)) = begin.iter().find(|(_, offset)| *offset > 0) {
        let begins = format!("the log begins at offset {offset} of {at}");
        return resume(config, &*log, &tables).with_context(|| begins);
    }
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
    Ok(Rebuilt::Removed { tables: removed })
}

/// Makes the tables resume where the outputs begin.
fn resume(config: &Config, log: &dyn Log, tables: &Tables) -> Result<Rebuilt> {
    let data = &config.log.data_dir;
    let mut held = open(tables, config.export.limits)?;
    let exporter = &mut held.exporter;
    if let Some(id) = log_id::of_folder(data, log, &Signal::default())?.known().or_else(|| exporter.log_id()) {
        exporter.identify(&id)?;
    }
    let outputs = Outputs::open(config)?.context("nothing is published, so that no tables can be made")?;
    let folder = data.join("checkpoints");
    let folder = Folder::at(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let newest = checkpoint::newest(&folder, 1).context("reading the checkpoints")?;
    let (manifest, rows) = newest.context("there is no checkpoint, and without one no rows")?;
    let (epoch, now) = (manifest.epoch, manifest.now);
    let (first, first_now) = begin_of(&*outputs.log)?.unwrap_or((epoch.next(), now));
    let next = exporter.next();
    if first <= next {
        bail!("the tables cannot be written again from the beginning, and go on by themselves at epoch {next}");
    }
    ensure!(
        first <= epoch.next(),
        "the outputs begin at epoch {first}, behind the newest checkpoint, of epoch {epoch}"
    );
    let mut changes = Vec::new();
    for view in View::ALL.iter().copied() {
        let rows = rows.rows.of(view);
        for at in 0..rows.count() {
            changes.push(ChangeInput {
                view,
                key: rows.key(at).as_ref().into(),
                value: rows.value(at).map(Into::into),
            });
        }
    }
    exporter.resume(first, first_now, &EpochInput { epoch, now, events: Vec::new(), changes })?;
    let gap = |to: u64| Gap { from: next.0, to };
    Ok(Rebuilt::Resumed { facts: gap(first.0 - 1), views: gap(epoch.0) })
}

/// The first epoch that the outputs have, and its time; none if they have nothing.
fn begin_of(outputs: &dyn Log) -> Result<Option<(Epoch, Timestamp)>> {
    let at = TopicPartition::new(Topic::Progress, 0);
    let (start, end) = (outputs.starts()?.get(at).unwrap_or(0), outputs.ends()?.get(at).unwrap_or(0));
    let mut starts = Cut::default();
    starts.set(at, start);
    let mut reader = outputs.reader(&starts)?;
    let (limit, mut records) = (ReadLimit { records_max: 16, bytes_max: 1 << 20 }, Vec::<LogRecord>::new());
    while reader.position(at).unwrap_or(end) < end {
        reader.poll(limit, &mut records)?;
        for LogRecord { origin: _, record } in records.drain(..) {
            if let Some((epoch, _)) = publisher::place(&record) {
                return Ok(Some((Epoch(epoch), Timestamp::from_micros(record.timestamp_ms.saturating_mul(1000)))));
            }
        }
    }
    Ok(None)
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
