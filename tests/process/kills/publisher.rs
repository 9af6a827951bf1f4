//! Who sends commands to a node that will be killed: each one after the other, again until it is acknowledged. Not for
//! what the answers must be: see `oracle`.

use super::super::program::PATIENCE;
use super::super::{Api, shop};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

/// So many of the scarce SKU: fewer than are asked for.
pub const SCARCE: i64 = 20;
/// So many kinds of commands there are, in turn.
const KINDS: u64 = 7;

/// Sends one command after the other, and continues to the next when one is acknowledged.
pub struct Publisher {
    thread: u64,
    next: u64,
    /// What was acknowledged since the last check.
    pub told: Vec<Acknowledgement>,
}

/// An acknowledgement.
pub struct Acknowledgement {
    pub command: SentCommand,
    pub status: u16,
    pub code: Option<String>,
    /// The epoch of the answer.
    pub epoch: Option<u64>,
    pub is_replayed: bool,
}

/// A command that follows from who sends it, and its place.
pub struct SentCommand {
    pub id: String,
    pub kind: Kind,
    method: &'static str,
    path: String,
    body: Value,
    is_async: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Scarce,
    Plenty,
    /// Of the order before it.
    Cancel,
    Receive,
    Credit,
    Unpaid,
    /// Of the order before it.
    Pay,
    /// What stands at the beginning.
    Opening,
}

impl SentCommand {
    fn of(thread: u64, n: u64) -> SentCommand {
        let (id, before) = (format!("{thread}-{n}"), format!("{thread}-{}", n.saturating_sub(1)));
        let (kind, path, body) = match n % KINDS {
            0 => (Kind::Scarce, "orders".to_owned(), shop::order("SCARCE", 1)),
            1 => (Kind::Plenty, "orders".to_owned(), shop::order("PLENTY", 2)),
            2 => (Kind::Cancel, format!("orders/{before}/cancellations"), json!({})),
            3 => (Kind::Receive, "stock/PLENTY/movements".to_owned(), shop::received(3)),
            4 => (Kind::Credit, "credits".to_owned(), shop::credit(&format!("credit-{id}"), "PLENTY", 5)),
            5 => (Kind::Unpaid, "orders".to_owned(), shop::unpaid_order("PLENTY", 1)),
            _ => {
                let body = json!({"payment_id": before, "status": "processed", "amount": shop::gbp("12.50")});
                (Kind::Pay, format!("payments/{before}/results"), body)
            }
        };
        // Each kind now and then.
        SentCommand { id, kind, method: "POST", path: format!("/api/v1/{path}"), body, is_async: n.is_multiple_of(3) }
    }
}

impl Publisher {
    pub fn new(thread: u64) -> Publisher {
        Publisher { thread, next: 0, told: Vec::new() }
    }

    /// What may be in the log, and was not acknowledged.
    pub fn in_flight(&self) -> SentCommand {
        SentCommand::of(self.thread, self.next)
    }

    /// Sends the next command; nothing if it was not acknowledged.
    pub fn publish(&mut self, api: &Api) -> Option<()> {
        let command = self.in_flight();
        let mut headers = vec![("idempotency-key", command.id.as_str()), ("content-type", "application/json")];
        headers.push(("prefer", if command.is_async { "respond-async" } else { "wait=30" }));
        let answer = api.send(command.method, &command.path, &headers, Some(command.body.to_string().as_bytes()));
        let answer = answer.ok()?;
        let code = match answer.status {
            200..=202 => None,
            409 => Some(answer.problem().1),
            // It is not to be had now.
            503 => return None,
            _ => panic!("{} is answered with {answer:?}", command.id),
        };
        self.told.push(Acknowledgement {
            status: answer.status,
            code,
            epoch: answer.header("tradewind-epoch").parse().ok(),
            is_replayed: answer.header("idempotent-replayed") == "true",
            command,
        });
        self.next += 1;
        Some(())
    }
}

/// Lets all of them publish until so many commands are acknowledged, and then ends the node under their hands. Meanwhile
/// somebody reads. Says how many were acknowledged, and which digest was read at which epoch.
pub fn publish_until(
    api: &Api,
    publishers: &mut [Publisher],
    enough: u64,
    end: impl FnOnce(),
) -> (u64, BTreeMap<u64, String>) {
    let (counts, more) = (Mutex::new(Counts { acknowledged: 0, publishing: publishers.len() }), Condvar::new());
    let is_over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = Api::new(api.base());
        let is_over = &is_over;
        let reading = scope.spawn(move || read_until(&reader, is_over));
        for publisher in publishers {
            let (api, left) = (Api::new(api.base()), PublisherCount(&counts, &more));
            scope.spawn(move || {
                let PublisherCount(counts, more) = &left;
                while publisher.publish(&api).is_some() {
                    lock(counts).acknowledged += 1;
                    more.notify_one();
                }
            });
        }
        let is_early = |counts: &mut Counts| counts.acknowledged < enough && counts.publishing > 0;
        let waited = more.wait_timeout_while(lock(&counts), PATIENCE, is_early);
        let Counts { acknowledged, publishing } = *waited.expect("nobody panics while holding this").0;
        // First of all, since the publishers continue until then.
        end();
        is_over.store(true, Ordering::Relaxed);
        let told = format!("{acknowledged} of {enough} commands were acknowledged, {publishing} publishers were left");
        assert!(acknowledged >= enough, "{told}");
        reading.join().expect("it only reads")
    });
    (lock(&counts).acknowledged, seen)
}

/// Reads the newest digest again and again.
fn read_until(api: &Api, is_over: &AtomicBool) -> BTreeMap<u64, String> {
    let mut seen = BTreeMap::new();
    while !is_over.load(Ordering::Relaxed) {
        let Ok(answer) = api.send("GET", "/api/v1/epochs/latest", &[], None) else { break };
        let body = answer.ok().json();
        let digest = body["digest"].as_str().expect("a digest").to_owned();
        seen.insert(body["epoch"].as_u64().expect("a number"), digest);
    }
    seen
}

/// The progress of the publishers.
#[derive(Clone, Copy)]
struct Counts {
    acknowledged: u64,
    publishing: usize,
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().expect("nobody panics while holding this")
}

/// A publisher that counts until it goes, however it goes.
struct PublisherCount<'a>(&'a Mutex<Counts>, &'a Condvar);

impl Drop for PublisherCount<'_> {
    fn drop(&mut self) {
        lock(self.0).publishing -= 1;
        self.1.notify_one();
    }
}
