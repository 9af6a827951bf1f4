//! `bench ingest`: the speed at which the log takes commands durably, gives them back, and decodes them.

use super::workload::{append, beginning, config, fatal, order, record, seal, shop};
use anyhow::Result;
use dataflows::contract::epoch::Epochs;
use dataflows::ports::{Source, SourcePoll};
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::input::source::{LogSource, Worker};
use ingest::log::ReadLimit;
use node::log::embedded;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const COMMANDS: u64 = 300_000;
const AT_ONCE: usize = 1_000;
const SINGLES: usize = 1_000;

/// The figures.
#[derive(Serialize)]
pub struct IngestResult {
    commands: u64,
    bytes_a_command: f64,
    append_durable_per_s: f64,
    read_per_s: f64,
    decode_per_s: f64,
    one_durable_command_ms_p50: f64,
    one_durable_command_ms_p99: f64,
}

/// Measures.
pub fn measure(folder: &Path) -> Result<IngestResult> {
    let config = config(folder)?;
    let log = embedded(&config, &folder.join("log"))?;
    append(&*log, shop()?.into_iter().map(|publication| record(&*log, publication)).collect())?;
    let publications = (0..COMMANDS).map(order).collect::<Result<Vec<_>>>()?;
    let mut records: Vec<_> = publications.into_iter().map(|publication| record(&*log, publication)).collect();
    let bytes: usize = records.iter().map(|(_, record)| record.bytes()).sum();

    let started = Instant::now();
    while !records.is_empty() {
        let rest = records.split_off(records.len().min(AT_ONCE));
        append(&*log, std::mem::replace(&mut records, rest))?;
    }
    let append_s = started.elapsed().as_secs_f64();
    seal(&*log, &mut Epochs::default(), beginning())?;

    let started = Instant::now();
    let mut reader = log.reader(&start_of_all(&*log)?)?;
    let (mut read, mut some) = (0, Vec::new());
    loop {
        reader.poll(ReadLimit { records_max: 10_000, bytes_max: 4 << 20 }, &mut some)?;
        if some.is_empty() {
            break;
        }
        read += some.len();
        some.clear();
    }
    let read_s = started.elapsed().as_secs_f64();

    let sealed = SealedEpochs::read(&*log, LogPosition::default())?;
    let worker = Worker { index: 0, peers: 1 };
    let mut source = LogSource::open(Arc::clone(&log), &sealed, worker, fatal(), config.ingest().source)?;
    let started = Instant::now();
    let decoded = loop {
        if let SourcePoll::Stride(stride) = source.poll(usize::MAX, usize::MAX, usize::MAX) {
            break stride.inputs.len();
        }
    };
    let decode_s = started.elapsed().as_secs_f64();

    let mut singles_us = Vec::with_capacity(SINGLES);
    for n in 0..SINGLES as u64 {
        let one = vec![record(&*log, order(COMMANDS + n)?)];
        let started = Instant::now();
        append(&*log, one)?;
        singles_us.push(started.elapsed().as_micros() as u64);
    }
    singles_us.sort_unstable();
    Ok(IngestResult {
        commands: COMMANDS,
        bytes_a_command: bytes as f64 / COMMANDS as f64,
        append_durable_per_s: COMMANDS as f64 / append_s,
        read_per_s: read as f64 / read_s,
        decode_per_s: decoded as f64 / decode_s,
        one_durable_command_ms_p50: super::percentile_ms(&singles_us, 50),
        one_durable_command_ms_p99: super::percentile_ms(&singles_us, 99),
    })
}

fn start_of_all(log: &dyn ingest::log::Log) -> Result<dataflows::contract::epoch::Cut> {
    let mut start = log.ends()?;
    start.0.values_mut().flat_map(|partitions| partitions.values_mut()).for_each(|next| *next = 0);
    Ok(start)
}
