//! `bench export`: how fast the tables for analysts are written from the output topics, and, in the same run, how fast
//! DuckDB's COPY writes the same rows of facts and changes, if a Python with DuckDB is there.

use super::cpu_seconds;
use super::workload::{beginning, config, fatal, fill, order, ship, shop};
use anyhow::{Context, Result, ensure};
use ingest::output::reader;
use ingest::output::reader::{OutputReader, Step};
use node::Node;
use node::export::{self, input};
use node::log::embedded;
use node::outputs::Outputs;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ORDERS: u64 = 60_000;

/// The figures.
#[derive(Serialize)]
pub struct ExportResult {
    orders: u64,
    epochs: u64,
    /// Of facts and changes.
    rows: u64,
    rows_current: u64,
    files: usize,
    commits: u64,
    seconds: f64,
    /// Of these, in the exporter: without reading the topics.
    seconds_writing: f64,
    cpu_seconds: f64,
    rows_per_s: f64,
    /// Of Parquet that was written, current rows every time that they were written.
    mb_per_s: f64,
    /// Of facts and changes.
    bytes_a_row: f64,
    /// The same rows by DuckDB, or why not.
    duckdb: Value,
}

/// Measures.
pub fn measure(folder: &Path, python: &Path) -> Result<ExportResult> {
    let config = publish(folder)?;
    let log = Outputs::open(&config)?.context("the node publishes")?.log;
    let tables = export::Tables::at(folder, &config.export, || false)?;
    let mut held = export::open(&tables, config.export.limits)?;
    let exporter = &mut held.exporter;
    let mut published = OutputReader::open(&*log, exporter.next(), reader::OutputReaderConfig::default())?;
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let (mut writing, mut rows, mut commits, mut epochs, mut bytes) = (Duration::ZERO, 0, 0, 0, 0);
    loop {
        match published.step()? {
            Step::Epoch(whole) => {
                let begun = Instant::now();
                let committed = exporter.take(&input(whole))?;
                writing += begun.elapsed();
                epochs += 1;
                if let Some(committed) = committed {
                    (rows, commits, bytes) = (rows + committed.rows, commits + 1, bytes + committed.bytes);
                }
            }
            Step::More => {}
            Step::Idle => break,
        }
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let standings = exporter.standings();
    let (current, dated): (Vec<_>, Vec<_>) = standings.iter().partition(|of| of.table.ends_with("_current"));
    let of_dated: i64 = dated.iter().map(|of| of.bytes).sum();
    ensure!(rows > 0, "nothing was exported");
    Ok(ExportResult {
        orders: ORDERS,
        epochs,
        rows,
        rows_current: current.iter().map(|of| of.rows.unsigned_abs()).sum(),
        files: standings.iter().map(|of| of.files).sum(),
        commits,
        seconds,
        seconds_writing: writing.as_secs_f64(),
        cpu_seconds: cpu,
        rows_per_s: rows as f64 / seconds,
        mb_per_s: bytes as f64 / 1e6 / seconds,
        bytes_a_row: of_dated as f64 / rows as f64,
        duckdb: duckdb(folder, python),
    })
}

/// A node decides and publishes, and writes no tables.
fn publish(folder: &Path) -> Result<node::config::Config> {
    let mut config = config(folder)?;
    config.export.tables = false;
    let commands = shop()?.into_iter().map(Ok).chain((0..ORDERS).flat_map(|n| [order(n), ship(n)]));
    {
        let log = embedded(&config, &folder.join("log"))?;
        fill(&*log, beginning(), commands)?;
    }
    let node = Node::start(&config, &fatal())?;
    let is_published = || {
        let gauges = (node.vitals)().gauges;
        let lag = gauges.iter().find(|gauge| gauge.name == "outputs_lag_epochs").map(|gauge| gauge.value);
        node.shop.latest() >= Some(node.replay_to) && lag == Some(0.0)
    };
    while !is_published() {
        std::thread::sleep(Duration::from_millis(20));
    }
    node.stop();
    Ok(config)
}

/// The result of DuckDB for the same rows, which it has in memory.
fn duckdb(folder: &Path, python: &Path) -> Value {
    let run = || -> Result<Value> {
        let mut command = Command::new(python);
        command.args(["-c", include_str!("export_duckdb.py")]).arg(folder.join("warehouse")).arg(folder.join("duckdb"));
        let output = command.stdin(Stdio::null()).output().with_context(|| python.display().to_string())?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    run().unwrap_or_else(|error| Value::String(format!("not measured: {error:#}")))
}
