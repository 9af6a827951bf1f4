//! `bench restart`: how long a process takes to go on from what was kept, and how much memory, by the number of orders;
//! what a checkpoint takes, and what commands notice of it.
//!
//! The processes that are measured are fresh ones of this binary, so that nothing of the preparation is counted.

use super::live::{Taken, publish};
use super::workload::{config, fatal, fill, order, shop};
use super::{memory_bytes, percentile_ms};
use crate::client::Client;
use crate::log::embedded;
use crate::node::Node;
use anyhow::{Context, Result, anyhow, ensure};
use ingest::checkpoint::Checkpoints;
use ingest::{Clock, WallClock};
use serde::Serialize;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const LIVE_PER_S: u64 = 1_000;
const LIVE_S: u64 = 8;
/// Both are measured in turns, so that a noisy machine is noisy for both.
const TURNS: u64 = 2;
/// How long a process may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// The lines that are shown of a process that ended too early.
const LAST_LINES: usize = 5;

/// What was measured.
#[derive(Serialize)]
pub struct Figures {
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
pub fn measure(folder: &Path, orders: &[u64]) -> Result<Figures> {
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
    Ok(Figures { states, live: live(&folder.join(largest.to_string()), largest)? })
}

fn state(folder: &Path, orders: u64) -> Result<State> {
    let log = embedded(&config(folder)?, &folder.join("log"))?;
    // A while ago, so that the time of the epochs to come is later and no command id is old enough to be forgotten.
    let beginning = WallClock.now().plus_s(-3_600);
    fill(&*log, beginning, shop()?.into_iter().map(Ok).chain((0..orders).map(order)))?;
    drop(log);
    let first = Process::start(folder)?;
    let without_checkpoint = first.figures();
    let checkpoint = first.checkpoint(orders)?;
    drop(first);
    let second = Process::start(folder)?;
    let with_checkpoint = second.figures();
    drop(second);
    let files = std::fs::read_dir(folder.join("log"))?;
    let log_bytes = files.map(|file| Ok(file?.metadata()?.len())).sum::<Result<u64>>()?;
    Ok(State { orders, log_bytes, without_checkpoint, checkpoint, with_checkpoint })
}

/// A node in a process of its own. Dropping it ends it as a power cut would: everything that matters is on the disk.
struct Process {
    _child: Ended,
    base: String,
    took: Duration,
    peak_bytes: u64,
}

impl Process {
    /// Starts it and waits until it is ready.
    fn start(folder: &Path) -> Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
        for (name, _) in crate::config::environment() {
            if name.starts_with("TRADEWIND_") {
                command.env_remove(name);
            }
        }
        // It takes one when it is told to, and at no other time.
        command.env("TRADEWIND_CHECKPOINTS_INTERVAL_S", "86400");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = Ended(command.spawn().context("starting a node")?);
        let stderr = child.0.stderr.take().context("a node says how it is")?;
        let (say, said) = mpsc::sync_channel(1);
        std::thread::spawn(move || listen(stderr, &say));
        let base = said.recv_timeout(PATIENCE).context("the node is not ready in time")?;
        let (took, peak_bytes) = (started.elapsed(), memory_bytes(&child.0.id().to_string(), "VmHWM:"));
        let base = base.map_err(|lines| anyhow!("the node has ended: {}", lines.join("; ")))?;
        Ok(Process { _child: child, base, took, peak_bytes })
    }

    fn figures(&self) -> Start {
        Start { seconds_to_ready: self.took.as_secs_f64(), peak_memory_bytes: self.peak_bytes }
    }

    fn checkpoint(&self, orders: u64) -> Result<Checkpoint> {
        let client = Client::new(&self.base)?;
        let started = Instant::now();
        let answer = client.post("/api/v1/checkpoints")?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(answer.status == 200, "no checkpoint was taken: {}", answer.problem());
        let taken = answer.json()?;
        let [rows, bytes] = ["rows", "bytes"].map(|name| taken[name].as_u64().unwrap_or_default());
        let (bytes_a_row, bytes_an_order) = (bytes as f64 / rows as f64, bytes as f64 / orders as f64);
        Ok(Checkpoint { seconds, rows, bytes, bytes_a_row, bytes_an_order })
    }
}

/// A process that does not outlive this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says where the node is ready, or its last lines if it never is; and reads on, so that it never waits for a reader.
fn listen(stderr: impl std::io::Read, say: &mpsc::SyncSender<Result<String, Vec<String>>>) {
    let mut last = Vec::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some((_, at)) = line.split_once("ready at http://") {
            let end = |letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ':';
            let at = at.split(end).next().unwrap_or_default();
            let _ = say.try_send(Ok(format!("http://{at}")));
        }
        last.push(line);
        if last.len() > LAST_LINES {
            last.remove(0);
        }
    }
    let _ = say.try_send(Err(last));
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
        taken.map(|Taken { acknowledged_us: _, visible_us }| visible_us)
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

/// Does something while checkpoints are taken, one after the other; says how many were.
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
