//! `bench restart`: the time in which a process resumes from what was kept, and its memory, by the number of orders;
//! what a checkpoint takes, and what commands notice of it.
//!
//! The processes that are measured are fresh ones of this binary, so that nothing of the preparation is counted.

use super::live::{Latencies, publish};
use super::percentile_ms;
use super::process::{self, Process};
use super::workload::{config, fatal, fill, order, shop};
use anyhow::{Context, Result, ensure};
use ingest::checkpoint::Checkpoints;
use ingest::{Clock, WallClock};
use node::Node;
use node::client::Client;
use node::log::embedded;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LIVE_PER_S: u64 = 1_000;
const LIVE_S: u64 = 8;
/// Both are measured in turns, so that a noisy machine is noisy for both.
const TURNS: u64 = 2;
/// The time that a process may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// The figures.
#[derive(Serialize)]
pub struct RestartResult {
    states: Vec<State>,
    live: Live,
}

/// A state of so many orders.
#[derive(Serialize)]
struct State {
    orders: u64,
    log_bytes: u64,
    /// From the log alone.
    without_checkpoint: Start,
    checkpoint: Checkpoint,
    with_checkpoint: Start,
}

#[derive(Serialize)]
struct Start {
    seconds_to_ready: f64,
    peak_memory_bytes: u64,
}

#[derive(Serialize)]
struct Checkpoint {
    seconds: f64,
    rows: u64,
    bytes: u64,
    bytes_a_row: f64,
    bytes_an_order: f64,
}

/// Commands at a rate on the largest state, from the acknowledgement until they are visible.
#[derive(Serialize)]
struct Live {
    orders: u64,
    commands_per_s: u64,
    checkpoints_taken: u64,
    without_checkpoints: Visible,
    /// One after the other, all the time.
    with_checkpoints: Visible,
}

#[derive(Serialize)]
struct Visible {
    commands: usize,
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
}

/// Measures each state, the smallest first.
pub fn measure(folder: &Path, orders: &[u64]) -> Result<RestartResult> {
    let mut orders = orders.to_vec();
    orders.sort_unstable();
    orders.dedup();
    let largest = orders.last().copied().context("there is a state to measure")?;
    let states = orders.iter().map(|orders| {
        let folder = folder.join(orders.to_string());
        let state = state(&folder, *orders)?;
        if *orders != largest {
            // The disk is not for all of them at once.
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(state)
    });
    let states = states.collect::<Result<_>>()?;
    Ok(RestartResult { states, live: live(&folder.join(largest.to_string()), largest)? })
}

fn state(folder: &Path, orders: u64) -> Result<State> {
    let log = embedded(&config(folder)?, &folder.join("log"))?;
    // A while ago, so that the time of the epochs to come is later and no command id is old enough to be forgotten.
    let beginning = WallClock.now().plus_s(-3_600);
    fill(&*log, beginning, shop()?.into_iter().map(Ok).chain((0..orders).map(order)))?;
    drop(log);
    let first = started(folder)?;
    let without_checkpoint = figures(&first);
    let checkpoint = checkpoint(&first, orders)?;
    drop(first);
    let second = started(folder)?;
    let with_checkpoint = figures(&second);
    drop(second);
    let files = std::fs::read_dir(folder.join("log"))?;
    let log_bytes = files.map(|file| Ok(file?.metadata()?.len())).sum::<Result<u64>>()?;
    Ok(State { orders, log_bytes, without_checkpoint, checkpoint, with_checkpoint })
}

/// A node that takes a checkpoint on request, and at no other time.
fn started(folder: &Path) -> Result<Process> {
    let variables = &[("TRADEWIND_CHECKPOINTS_INTERVAL_S", "86400")];
    Process::start(folder, process::NodeOptions { variables, open_files_max: None, ready_within: PATIENCE })
}

fn figures(node: &Process) -> Start {
    Start { seconds_to_ready: node.took.as_secs_f64(), peak_memory_bytes: node.peak_bytes }
}

fn checkpoint(node: &Process, orders: u64) -> Result<Checkpoint> {
    let client = Client::new(&node.base)?;
    let started = Instant::now();
    let answer = client.post("/api/v1/checkpoints")?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(answer.status == 201, "no checkpoint was taken: {}", answer.problem());
    let taken = answer.json()?;
    let [rows, bytes] = ["rows", "bytes"].map(|name| taken[name].as_u64().unwrap_or_default());
    let (bytes_a_row, bytes_an_order) = (bytes as f64 / rows as f64, bytes as f64 / orders as f64);
    Ok(Checkpoint { seconds, rows, bytes, bytes_a_row, bytes_an_order })
}

fn live(folder: &Path, orders: u64) -> Result<Live> {
    let mut config = config(folder)?;
    config.checkpoints.interval_s = 86_400;
    let node = Node::start(&config, &fatal())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(node.shop.wait_for_epoch(node.replay_to, PATIENCE));
    let (mut calm, mut busy, mut checkpoints_taken) = (Vec::new(), Vec::new(), 0);
    let mut first = orders;
    let mut some = || {
        let taken = runtime.block_on(publish(&node, first, LIVE_PER_S, LIVE_S));
        first += LIVE_PER_S * LIVE_S;
        taken.map(|Latencies { acknowledged_us: _, visible_us }| visible_us)
    };
    for _ in 0..TURNS {
        calm.extend(some()?);
        let (visible, taken) = during_checkpoints(&node.checkpoints, &mut some)?;
        busy.extend(visible);
        checkpoints_taken += taken;
    }
    drop(runtime);
    node.stop();
    Ok(Live {
        orders,
        commands_per_s: LIVE_PER_S,
        checkpoints_taken,
        without_checkpoints: Visible::of(calm),
        with_checkpoints: Visible::of(busy),
    })
}

/// Does something while checkpoints are taken, one after the other; returns how many were.
fn during_checkpoints<T>(checkpoints: &Checkpoints, act: &mut impl FnMut() -> Result<T>) -> Result<(T, u64)> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| -> Result<u64> {
            let mut taken = 0;
            while !is_over.load(Ordering::Relaxed) {
                checkpoints.take()?;
                taken += 1;
            }
            Ok(taken)
        });
        let done = act();
        is_over.store(true, Ordering::Relaxed);
        let taken = taking.join().expect("a panic takes the process down")?;
        Ok((done?, taken))
    })
}

impl Visible {
    fn of(mut us: Vec<u64>) -> Visible {
        us.sort_unstable();
        Visible {
            commands: us.len(),
            ms_p50: percentile_ms(&us, 50),
            ms_p99: percentile_ms(&us, 99),
            ms_max: percentile_ms(&us, 100),
        }
    }
}
