//! `bench commands`: the commands a second that are decided with every view in a replay, the memory of an order and a
//! command id, and the time until a command is visible live.

use super::live::{open, publish};
use super::workload::{self, beginning, config, fatal, fill, order, remembered, replay, ship, shop};
use super::{cpu_seconds, percentile_ms, resident_bytes};
use anyhow::{Context, Result};
use dataflows::ports::Publication;
use node::Node;
use node::log::embedded;
use serde::Serialize;
use std::path::Path;

const ORDERS: u64 = 200_000;
const IDS: u64 = 200_000;
const LIVE_PER_S: u64 = 1_000;
const LIVE_S: u64 = 10;

/// The figures.
#[derive(Serialize)]
pub struct CommandsResult {
    replay: Replay,
    memory: Memory,
    live: Live,
}

#[derive(Serialize)]
struct Replay {
    workers: usize,
    commands: u64,
    epochs: u64,
    seconds: f64,
    commands_per_s: f64,
    /// Of all threads: independent of other users of the machine.
    cpu_seconds: f64,
    commands_per_cpu_s: f64,
    digest: String,
}

#[derive(Serialize)]
struct Memory {
    bytes_an_order: f64,
    bytes_an_id: f64,
}

#[derive(Serialize)]
struct Live {
    commands_per_s: u64,
    commands: usize,
    acknowledged_ms_p50: f64,
    acknowledged_ms_p99: f64,
    acknowledged_to_visible_ms_p50: f64,
    acknowledged_to_visible_ms_p99: f64,
}

/// Measures.
pub fn measure(folder: &Path) -> Result<CommandsResult> {
    let memory = memory(folder)?;
    let replay = decided(folder)?;
    let live = live(folder)?;
    Ok(CommandsResult { replay, memory, live })
}

/// Fills a log, replays it, and returns by how many bytes the process grew for each of `count`.
fn grown(
    folder: &Path,
    count: u64,
    commands: impl Iterator<Item = Result<Publication>>,
) -> Result<(f64, workload::ReplayResult)> {
    let config = config(folder)?;
    let log = embedded(&config, &folder.join("log"))?;
    fill(&*log, beginning(), commands)?;
    let before = resident_bytes();
    let replayed = replay(&config, &log)?;
    Ok((resident_bytes().saturating_sub(before) as f64 / count as f64, replayed))
}

fn memory(folder: &Path) -> Result<Memory> {
    // The one-time needs of the first replay, whatever the number of rows, are paid before anything is counted.
    let warm = grown(&folder.join("warm"), 1, shop()?.into_iter().map(Ok).chain((0..10_000).map(order)))?;
    let ids = grown(&folder.join("ids"), IDS, (0..IDS).map(remembered))?;
    let orders = grown(&folder.join("orders"), ORDERS, shop()?.into_iter().map(Ok).chain((0..ORDERS).map(order)))?;
    let (bytes_an_id, bytes_an_order) = (ids.0, orders.0 - ids.0);
    for replayed in [warm.1, ids.1, orders.1] {
        replayed.engine.stop();
    }
    Ok(Memory { bytes_an_order, bytes_an_id })
}

fn decided(folder: &Path) -> Result<Replay> {
    let folder = folder.join("replay");
    let config = config(&folder)?;
    let log = embedded(&config, &folder.join("log"))?;
    let orders = (0..ORDERS).flat_map(|n| [order(n), ship(n)]);
    fill(&*log, beginning(), shop()?.into_iter().map(Ok).chain(orders))?;
    let commands = 2 * workload::SKUS + 2 * ORDERS;
    let before = cpu_seconds();
    let replayed = replay(&config, &log)?;
    let cpu_seconds = cpu_seconds() - before;
    let seconds = replayed.took.as_secs_f64();
    let reading = replayed.shop.read_latest().context("the last epoch can be read")?;
    let digest = dataflows::contract::changes::digest_text(reading.info().standings.digest());
    drop(reading);
    replayed.engine.stop();
    Ok(Replay {
        workers: config.engine.workers,
        commands,
        epochs: replayed.last.0,
        seconds,
        commands_per_s: commands as f64 / seconds,
        cpu_seconds,
        commands_per_cpu_s: commands as f64 / cpu_seconds,
        digest,
    })
}

fn live(folder: &Path) -> Result<Live> {
    let config = config(&folder.join("live"))?;
    let node = Node::start(&config, &fatal())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let taken = runtime.block_on(async {
        open(&node).await?;
        publish(&node, 0, LIVE_PER_S, LIVE_S).await
    })?;
    drop(runtime);
    node.stop();
    Ok(Live {
        commands_per_s: LIVE_PER_S,
        commands: taken.visible_us.len(),
        acknowledged_ms_p50: percentile_ms(&taken.acknowledged_us, 50),
        acknowledged_ms_p99: percentile_ms(&taken.acknowledged_us, 99),
        acknowledged_to_visible_ms_p50: percentile_ms(&taken.visible_us, 50),
        acknowledged_to_visible_ms_p99: percentile_ms(&taken.visible_us, 99),
    })
}
