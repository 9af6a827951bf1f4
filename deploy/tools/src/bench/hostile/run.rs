//! Runs one case against a node of its own, beside an innocent client, and judges it: memory, waits, probes, what was
//! acknowledged, and the state after a restart.

use super::attack::Attack;
use super::cases::Case;
use super::innocent::{self, ClientReport, Innocent, Probes};
use crate::bench::memory_bytes;
use crate::bench::process::{NodeOptions, Process};
use anyhow::{Context, Result, ensure};
use node::client::Client;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The aim: the peak of the node's memory.
pub const PEAK_BYTES_MAX: u64 = 3 << 29;
/// The aim: the longest wait of an innocent command.
pub const WAIT_MS_MAX: u64 = 500;
/// The time that a case may send.
const SENDS_FOR: Duration = Duration::from_secs(50);
/// The time that a start may take.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A node that takes more is ended, so that the machine lives.
const ENDED_AT_BYTES: u64 = 4 << 30;
/// The interval between two looks at the memory.
const SAMPLE: Duration = Duration::from_millis(10);
/// The time that the digest may take to become stable.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);
/// The client is alone before the attack for this long, so that its connection is made.
const ALONE: Duration = Duration::from_millis(300);

/// The outcome of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub case: &'static str,
    /// True if everything is as it should be.
    pub holds: bool,
    /// The peak of the node's memory, at its starts too.
    pub peak_bytes: u64,
    /// The memory of the node that was started again on the same folder: its state.
    pub state_bytes: u64,
    /// The longest wait of an innocent command.
    pub wait_ms_max: u64,
    /// The number of innocent commands that were acknowledged.
    pub acknowledged: u64,
    /// The number of probes.
    pub probes: u64,
    /// The number of probes with a good answer in time.
    pub probes_well: u64,
    /// True if the node lived to the end.
    pub lived: bool,
    /// True if all digests were the same after the restart.
    pub same_after_restart: bool,
    /// The number of acknowledged commands that were not there at the end.
    pub lost: u64,
    /// The time that everything took.
    pub seconds: f64,
    /// The reasons why it does not hold.
    pub why: Vec<String>,
    /// Notes on the run.
    pub notes: Vec<String>,
}

impl Row {
    fn new(case: &Case) -> Row {
        Row {
            case: case.name,
            holds: false,
            peak_bytes: 0,
            state_bytes: 0,
            wait_ms_max: 0,
            acknowledged: 0,
            probes: 0,
            probes_well: 0,
            lived: false,
            same_after_restart: false,
            lost: 0,
            seconds: 0.0,
            why: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn fails(&mut self, why: String) {
        self.why.push(why);
    }

    fn judge(&mut self, seen: &ClientReport, probes: &Probes) {
        let ClientReport { sent: _, acknowledged, longest, first_fault } = seen;
        self.acknowledged = *acknowledged;
        self.wait_ms_max = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        (self.probes, self.probes_well) = (probes.sent, probes.well);
        if self.wait_ms_max > WAIT_MS_MAX {
            self.fails(format!("an innocent command waited {} ms", self.wait_ms_max));
        }
        if let Some(fault) = first_fault {
            self.fails(format!("innocent {fault}"));
        }
        if let Some(fault) = probes.first_fault.as_ref().filter(|_| probes.well < probes.sent) {
            self.fails(format!("{} of {} probes: {fault}", probes.sent - probes.well, probes.sent));
        }
    }
}

/// Runs a case in that folder. Its findings are in the row; only a case that cannot run is an error.
pub fn run(case: &Case, folder: &Path) -> Result<Row> {
    let started = Instant::now();
    let mut row = Row::new(case);
    let how =
        NodeOptions { variables: case.variables, open_files_max: case.open_files_max, ready_within: READY_WITHIN };
    let before = attacked(case, folder, how, &mut row)?;
    (case.between)(folder)?;
    match Process::start(folder, how) {
        Ok(node) => restarted(case, folder, node, before.as_ref(), &mut row)?,
        Err(error) => row.fails(format!("the node does not start again: {error:#}")),
    }
    if row.peak_bytes > PEAK_BYTES_MAX {
        row.fails(format!("the peak of the memory is above {} MiB", PEAK_BYTES_MAX >> 20));
    }
    row.seconds = started.elapsed().as_secs_f64();
    row.holds = row.why.is_empty();
    Ok(row)
}

/// The means of a case for that node.
pub fn attack_on(node: &Process, folder: &Path) -> Result<Attack> {
    Ok(Attack {
        node: node.base.trim_start_matches("http://").parse().context("a node has an address")?,
        kafka: node.kafka.context("Kafka clients are listened to")?,
        data: folder.to_owned(),
        client: Client::new(&node.base)?,
        until: Instant::now() + SENDS_FOR,
        unexpected: Vec::new(),
        notes: Vec::new(),
    })
}

/// Sends a case to a fresh node, and ends the node as a power cut would. Returns its digests, if it lived.
fn attacked(case: &Case, folder: &Path, how: NodeOptions<'_>, row: &mut Row) -> Result<Option<Digests>> {
    let mut node = Process::start(folder, how)?;
    let memory = Memory::watch(node.id());
    let mut attack = attack_on(&node, folder)?;
    innocent::open(attack.node)?;
    let innocent = Innocent::start(attack.node);
    std::thread::sleep(ALONE);
    if let Err(error) = (case.send)(&mut attack) {
        attack.unexpected.push(format!("the case breaks off: {error:#}"));
    }
    // In a checkpoint too.
    match attack.client.post("/api/v1/checkpoints") {
        Ok(taken) => attack.expect(taken.status == 201, || format!("no checkpoint: {}", taken.problem())),
        Err(error) => attack.unexpected.push(format!("no checkpoint: {error:#}")),
    }
    let (seen, probes) = innocent.stop()?;
    row.judge(&seen, &probes);
    row.lived = node.runs();
    let before = if row.lived { Some(settled(&attack.client, attack.node)) } else { None };
    if !node.runs() {
        row.lived = false;
        row.fails(format!("the node has ended: {}", node.said()));
    }
    row.why.append(&mut attack.unexpected);
    row.notes.append(&mut attack.notes);
    let was_ended = memory.is_too_much();
    row.peak_bytes = memory.stop().max(memory_bytes(&node.id().to_string(), "VmHWM:"));
    if was_ended {
        row.fails(format!("it was ended at {} MiB", ENDED_AT_BYTES >> 20));
    }
    match before.transpose() {
        Ok(digests) => {
            if let Some(digests) = &digests {
                lost(attack.node, seen.acknowledged, row, "before the restart");
                ensure!(!digests.is_empty(), "a node has views");
            }
            Ok(digests)
        }
        Err(error) => {
            row.fails(format!("the state does not stand still: {error:#}"));
            Ok(None)
        }
    }
}

/// Compares the node that was started again with the one before.
fn restarted(case: &Case, folder: &Path, node: Process, before: Option<&Digests>, row: &mut Row) -> Result<()> {
    row.peak_bytes = row.peak_bytes.max(node.peak_bytes);
    row.state_bytes = memory_bytes(&node.id().to_string(), "VmRSS:");
    let mut attack = attack_on(&node, folder)?;
    match digests(&attack.client) {
        Ok(after) => {
            let differ = before.map(|before| differing(before, &after));
            row.same_after_restart = differ.as_ref().is_some_and(Vec::is_empty);
            if let Some(differ) = differ.filter(|differ| !differ.is_empty()) {
                row.fails(format!("after the restart these differ: {}", differ.join(", ")));
            }
        }
        Err(error) => row.fails(format!("no digests after the restart: {error:#}")),
    }
    lost(attack.node, row.acknowledged, row, "after the restart");
    if let Err(error) = (case.after)(&mut attack) {
        attack.unexpected.push(format!("after the restart: {error:#}"));
    }
    let invariants = attack.json("/api/v1/invariants");
    match invariants {
        Ok(body) => {
            let violated = body["data"].as_array().into_iter().flatten().any(|check| check["violations"] != json!(0));
            attack.expect(!violated, || format!("invariants: {body}"));
        }
        Err(error) => attack.unexpected.push(format!("{error:#}")),
    }
    row.why.append(&mut attack.unexpected);
    row.notes.append(&mut attack.notes);
    row.peak_bytes = row.peak_bytes.max(memory_bytes(&node.id().to_string(), "VmHWM:"));
    Ok(())
}

/// Counts the acknowledged commands that are not there.
fn lost(node: SocketAddr, acknowledged: u64, row: &mut Row, when: &str) {
    match innocent::on_hand(node) {
        Ok(units) if units < acknowledged => {
            row.lost = row.lost.max(acknowledged - units);
            row.fails(format!("{when} {} acknowledged commands are lost", acknowledged - units));
        }
        Ok(_) => {}
        Err(error) => row.fails(format!("{when} the innocent stock cannot be read: {error:#}")),
    }
}

/// The digest of each view.
type Digests = BTreeMap<String, String>;

fn digests(client: &Client) -> Result<Digests> {
    let answer = client.get("/api/v1/epochs/latest")?;
    ensure!(answer.status == 200, "{}", answer.problem());
    let epoch: Value = answer.json()?;
    let views = epoch["views"].as_object().context("an epoch has views")?;
    let digest = |view: &Value| view["digest"].as_str().unwrap_or_default().to_owned();
    Ok(views.iter().map(|(name, view)| (name.clone(), digest(view))).collect())
}

/// The digests once everything that was sent is decided: they stay the same from one epoch to another.
fn settled(client: &Client, node: SocketAddr) -> Result<Digests> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    let mut last = digests(client)?;
    loop {
        // An epoch later, and everything that was in the log before is in it.
        let epochs = client.get("/api/v1/status")?.json()?;
        std::thread::sleep(Duration::from_millis(1_100));
        let now = digests(client)?;
        let is_read = epochs["lag_records"].as_u64().unwrap_or(0) == 0;
        if is_read && now == last {
            return Ok(now);
        }
        ensure!(Instant::now() < deadline, "{node} changes still after {} s", SETTLES_WITHIN.as_secs());
        last = now;
    }
}

fn differing(before: &Digests, after: &Digests) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Looks at a process's memory, and ends the process if it takes the machine's.
struct Memory {
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Memory {
    fn watch(process: u32) -> Memory {
        let (peak, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (peaked, stopped) = (Arc::clone(&peak), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let bytes = memory_bytes(&process.to_string(), "VmRSS:");
                peaked.fetch_max(bytes, Ordering::Relaxed);
                if bytes > ENDED_AT_BYTES {
                    let _ = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
                    return;
                }
                std::thread::sleep(SAMPLE);
            }
        });
        Memory { peak, stop, thread }
    }

    fn is_too_much(&self) -> bool {
        self.peak.load(Ordering::Relaxed) > ENDED_AT_BYTES
    }

    /// The largest that was seen.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.peak.load(Ordering::Relaxed)
    }
}
