//! The innocent client beside an attack: a stock movement every 100 ms over a connection of its own, and the probes of an
//! orchestrator over fresh ones. The aims are about its waits and answers.

use super::wire::{self, request};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The SKU whose stock it moves, and the product that has it.
pub const SKU: &str = "innocent";
/// The pause between two of its commands.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause between two probes of each kind.
const PROBE_PAUSE: Duration = Duration::from_millis(250);
/// An orchestrator takes a probe that is later for unanswered.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// A command that is later counts as this late.
const PATIENCE: Duration = Duration::from_secs(10);

/// The results of its commands.
#[derive(Clone, Debug, Default)]
pub struct ClientReport {
    /// The number that was sent.
    pub sent: u64,
    /// The number that was acknowledged: decided, or in the log.
    pub acknowledged: u64,
    /// The longest wait for an answer.
    pub longest: Duration,
    /// The first answer that was none or not the expected one.
    pub first_fault: Option<String>,
}

/// The results of its probes.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    /// The number that was sent.
    pub sent: u64,
    /// The number of timely answers that the node lives, or is ready.
    pub well: u64,
    /// The first one that did not.
    pub first_fault: Option<String>,
}

/// The client while it runs.
pub struct Innocent {
    stop: Arc<AtomicBool>,
    commands: JoinHandle<ClientReport>,
    probes: JoinHandle<Probes>,
}

/// Puts the product in the catalogue.
pub fn open(node: SocketAddr) -> Result<()> {
    let price = json!({"amount": "1.00", "currency": "GBP"});
    let product = json!({"title": "An innocent thing", "variants": [{"sku": SKU, "price": price}]});
    let headers = [("content-type", "application/json"), ("idempotency-key", "innocent-product")];
    let path = format!("/api/v1/products/{SKU}");
    let answer = wire::ask(node, &request("PUT", &path, node, &headers, product.to_string().as_bytes()), PATIENCE)?;
    ensure!(answer.status == 201, "the innocent product is not taken: {}", answer.told());
    Ok(())
}

impl Innocent {
    /// Begins to send.
    pub fn start(node: SocketAddr) -> Innocent {
        let stop = Arc::new(AtomicBool::new(false));
        let (for_commands, for_probes) = (Arc::clone(&stop), Arc::clone(&stop));
        let commands = std::thread::spawn(move || commands(node, &for_commands));
        let probes = std::thread::spawn(move || probes(node, &for_probes));
        Innocent { stop, commands, probes }
    }

    /// Ends it, and returns its results.
    pub fn stop(self) -> Result<(ClientReport, Probes)> {
        self.stop.store(true, Ordering::Relaxed);
        let commands = self.commands.join().ok().context("the client has panicked")?;
        let probes = self.probes.join().ok().context("the probes have panicked")?;
        Ok((commands, probes))
    }
}

fn commands(node: SocketAddr, stop: &AtomicBool) -> ClientReport {
    let (mut seen, mut stream) = (ClientReport::default(), None);
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        seen.sent += 1;
        match movement(node, seen.sent, &mut stream) {
            Ok(()) => {
                seen.acknowledged += 1;
                seen.longest = seen.longest.max(started.elapsed());
            }
            Err(error) => {
                stream = None;
                // It did not get what it asked for: as if it had waited all the time.
                seen.longest = seen.longest.max(PATIENCE);
                seen.first_fault.get_or_insert(format!("command {}: {error:#}", seen.sent));
            }
        }
        next = (next + PAUSE).max(Instant::now());
        std::thread::sleep(next - Instant::now());
    }
    seen
}

/// Moves one unit in, over the connection that there is.
fn movement(node: SocketAddr, number: u64, stream: &mut Option<TcpStream>) -> Result<()> {
    let key = format!("innocent-{number}");
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str()), ("prefer", "wait=10")];
    let body = br#"{"quantity": 1, "reason": "received"}"#;
    let bytes = request("POST", &format!("/api/v1/stock/{SKU}/movements"), node, &headers, body);
    let over = match stream {
        Some(over) => over,
        None => stream.insert(wire::connect(node, PATIENCE)?),
    };
    over.write_all(&bytes)?;
    let answer = wire::answer(over)?;
    ensure!(answer.status == 201, "{}", answer.told());
    Ok(())
}

fn probes(node: SocketAddr, stop: &AtomicBool) -> Probes {
    let mut seen = Probes::default();
    while !stop.load(Ordering::Relaxed) {
        for path in ["/health/live", "/health/ready"] {
            seen.sent += 1;
            let asked = probe(node, path);
            match asked {
                Ok(200) => seen.well += 1,
                Ok(status) => drop(seen.first_fault.get_or_insert(format!("{path}: {status}"))),
                Err(error) => drop(seen.first_fault.get_or_insert(format!("{path}: {error:#}"))),
            }
        }
        std::thread::sleep(PROBE_PAUSE);
    }
    seen
}

/// The status of a probe that is answered in time.
fn probe(node: SocketAddr, path: &str) -> Result<u16> {
    let started = Instant::now();
    let mut stream = wire::connect(node, PROBE_PATIENCE)?;
    stream.write_all(&request("GET", path, node, &[("connection", "close")], b""))?;
    let answer = wire::answer(&mut stream)?;
    ensure!(started.elapsed() <= PROBE_PATIENCE, "answered after {} ms", started.elapsed().as_millis());
    Ok(answer.status)
}

/// The number of units that the node has of the SKU.
pub fn on_hand(node: SocketAddr) -> Result<u64> {
    let answer = wire::ask(node, &request("GET", &format!("/api/v1/stock/{SKU}"), node, &[], b""), PATIENCE)?;
    ensure!(answer.status == 200, "{}", answer.told());
    let stock: serde_json::Value = serde_json::from_slice(&answer.body)?;
    stock["on_hand"].as_u64().context("stock has a number")
}
