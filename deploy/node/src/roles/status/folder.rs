//! The status of a folder while no node runs there: how far its log, checkpoints, outputs and tables are. It reads,
//! and makes nothing; only the torn end of a journal is cut off, as at every start.

use crate::bytes_in;
use crate::config::Config;
use crate::export::Tables;
use crate::outputs::Outputs;
use crate::{export, log};
use anyhow::{Result, ensure};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use ingest::checkpoint::{self, Manifest};
use ingest::dead_letters::DeadLetters;
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::log::storage::Folder;
use ingest::{Clock, WallClock};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// The parts that are there; absent ones are left out.
#[derive(Debug, Default, Serialize)]
pub struct FolderStatus {
    epoch: Epoch,
    now: Option<Timestamp>,
    /// Records that are in no epoch yet.
    lag_records: u64,
    log_bytes: u64,
    kafka: Option<String>,
    checkpoints: usize,
    checkpoint_epoch: Option<Epoch>,
    checkpoint_age_seconds: Option<u64>,
    dead_letters_open: Option<usize>,
    outputs_epoch: Option<Epoch>,
    outputs_bytes: Option<u64>,
    export_epoch: Option<Epoch>,
    export_files: Option<usize>,
    export_small_files: Option<usize>,
    export_bytes: Option<i64>,
}

/// Looks into the data folder of the configuration.
pub fn look(config: &Config) -> Result<FolderStatus> {
    let data = &config.log.data_dir;
    let is_clusters = log::mark(data).is_file();
    ensure!(
        is_clusters || data.join("log").is_dir(),
        "{} is no folder of a node: it holds no log, and names no cluster",
        data.display()
    );
    let mut standing = FolderStatus::default();
    let newest = standing.look_at_checkpoints(data)?;
    if is_clusters && config.kafka().is_none() {
        // Which brokers they are, only the configuration knows; the rest can be shown without them.
        standing.epoch = newest.epochs.last;
    } else {
        standing.look_at_log(config, newest)?;
    }
    if data.join("dead-letters").is_dir() {
        let folder = Arc::new(Folder::new(data.join("dead-letters")));
        standing.dead_letters_open = Some(DeadLetters::open(folder, config.ingest().dead_letters)?.open_count());
    }
    if data.join("outputs").is_dir() {
        standing.outputs_epoch = Outputs::open(config)?.map(|outputs| outputs.outbox.published());
        standing.outputs_bytes = Some(bytes_in(&data.join("outputs")));
    }
    let tables = Tables::at(data, &config.export, || false)?;
    if tables.are_there()? {
        let held = export::open(&tables, config.export.limits)?;
        let files = held.exporter.files();
        standing.export_epoch = Some(held.exporter.committed());
        (standing.export_files, standing.export_small_files) = (Some(files.count), Some(files.small));
        standing.export_bytes = Some(files.bytes);
    }
    Ok(standing)
}

impl FolderStatus {
    /// Returns the place of the newest checkpoint, or the beginning.
    fn look_at_checkpoints(&mut self, data: &Path) -> Result<LogPosition> {
        let folder = data.join("checkpoints");
        let all = if folder.is_dir() { checkpoint::list(&Folder::new(folder))? } else { Vec::new() };
        let whole: Vec<Manifest> = all.into_iter().filter_map(|(_, manifest)| manifest.ok()).collect();
        self.checkpoints = whole.len();
        let Some(newest) = whole.first() else { return Ok(LogPosition::default()) };
        let age_us = WallClock.now().micros().saturating_sub(newest.now.micros());
        self.checkpoint_epoch = Some(newest.epoch);
        self.checkpoint_age_seconds = Some(age_us.max(0).unsigned_abs() / 1_000_000);
        Ok(newest.place())
    }

    fn look_at_log(&mut self, config: &Config, from: LogPosition) -> Result<()> {
        let opened = log::open(config)?;
        let sealed = SealedEpochs::read(&*opened.log, from)?;
        let epochs = &sealed.end().epochs;
        self.epoch = epochs.last;
        self.now = (epochs.last > Epoch(0)).then_some(epochs.now);
        self.lag_records = epochs.cut.lag_to(sealed.backlog());
        self.log_bytes = bytes_in(&config.log.data_dir.join("log"));
        self.kafka = opened.kafka;
        Ok(())
    }
}
