//! A node and its broker that are killed again and again while they are written to: what was acknowledged is there, once,
//! and any replay of the log gives the same, the tables for analysts too. Not for a node with a log of its own: see `kills`.

use super::{Api, TestEnv, Way, shop, warehouse};
use ingest::testing::broker::{Broker, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

const THREADS: u64 = 4;
/// So many of the scarce SKU: fewer than are asked for.
const SCARCE: i64 = 20;

/// What ends under the publishers' hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Node,
    Broker,
    Both,
    /// The node is told to stop.
    Stop,
}

/// Kills so many times what there is to be killed, and holds all that was acknowledged against what is there.
pub fn outlives(seed: u64, kills: u64, way: &Way, broker: &Broker) {
    let mut random = Random(seed);
    // The log is replayed from its beginning at the end.
    let whole = ("TRADEWIND_CHECKPOINTS_LOG_KEPT", "all".to_owned());
    let often = ("TRADEWIND_EXPORT_COMMIT_S", "2".to_owned());
    let variables = way.variables.iter().cloned().chain([whole, often]).collect::<Vec<_>>();
    let workers = |count| Way { workers: Some(count), variables: variables.clone(), ..way.clone() };
    let mut env = TestEnv::start_as(&workers(2));
    shop::stock(&env, "SCARCE", "reserve", SCARCE);
    shop::stock(&env, "PLENTY", "track_only", 0);
    let mut publishers: Vec<_> = (0..THREADS).map(|thread| Publisher { thread, told: Vec::new() }).collect();
    for kill in 0..=kills {
        let enough = 1 + random.below(60);
        let blow = if kill == kills {
            Blow::Stop
        } else {
            [Blow::Broker, Blow::Node, Blow::Both][usize::try_from(kill % 3).expect("it is small")]
        };
        publish_until(&mut env, &mut publishers, enough, |env| {
            if matches!(blow, Blow::Broker | Blow::Both) {
                broker.kill();
            }
            match blow {
                Blow::Node | Blow::Both => env.kill(),
                Blow::Stop => drop(env.stop()),
                Blow::Broker => {}
            }
        });
        if matches!(blow, Blow::Broker | Blow::Both) {
            broker.restart();
        }
        if blow == Blow::Broker {
            // A node continues by itself.
            env.until_ready(true);
        } else {
            env.restart(&workers(1 + u32::try_from(random.below(3)).expect("it is small")));
        }
        env.assert_sound();
        if random.below(2) == 0 {
            // From then on a restart begins there. The publisher of outputs may still be looking for the broker.
            until("a checkpoint", || (env.call("POST", "/api/v1/checkpoints", &[], "").status == 201).then_some(()));
        }
        if kill % 10 == 9 && kill < kills {
            let told: usize = publishers.iter().map(|publisher| publisher.told.len()).sum();
            println!("kills of broker and node: {} of {kills}, {told} commands were acknowledged", kill + 1);
        }
    }
    // What was under way at the last end is sent once more, so that each command has been acknowledged.
    for publisher in &mut publishers {
        until("an acknowledgement", || publisher.publish(&env));
    }
    check(&env, &publishers);
    check_tables(&env);
    let digests = env.digests();
    let tables = env.data().join("warehouse");
    let mut before = BTreeMap::new();
    for count in [1, 3] {
        env.stop();
        if count == 3 {
            // Without what was kept, the whole log is replayed, and the tables are written once more.
            std::fs::remove_dir_all(env.data().join("checkpoints")).expect("checkpoints were taken");
            before = warehouse::files(&tables);
            std::fs::remove_dir_all(&tables).expect("tables were written");
        }
        env.restart(&workers(count));
        assert_eq!(env.digests(), digests, "replayed with {count} workers");
    }
    check(&env, &publishers);
    warehouse::assert_written_again(&env, &before);
    check_tables(&env);
}

/// Waits until the tables are as far as the node, and holds them against its views.
fn check_tables(env: &TestEnv) {
    warehouse::exported(env, env.get("/api/v1/epochs/latest").ok().epoch());
    warehouse::verified(env);
    if let Some(python) = warehouse::python() {
        warehouse::compare(&python, env.data());
    }
}

/// Lets all of them publish until so many commands are acknowledged, and then ends the node under their hands. A node may
/// be slow to take one, as on a busy machine; what it does not take is sent again.
fn publish_until(env: &mut TestEnv, publishers: &mut [Publisher], enough: u64, end: impl FnOnce(&mut TestEnv)) {
    let (counts, more) = (Mutex::new(Counts { acknowledged: 0, is_ended: false }), Condvar::new());
    std::thread::scope(|scope| {
        for publisher in publishers {
            let (api, counts, more) = (env.client(), &counts, &more);
            scope.spawn(move || {
                loop {
                    match publisher.publish(&api) {
                        Some(()) => lock(counts).acknowledged += 1,
                        None if lock(counts).is_ended => return,
                        None => std::thread::park_timeout(PAUSE),
                    }
                    more.notify_one();
                }
            });
        }
        let is_early = |counts: &mut Counts| counts.acknowledged < enough;
        let waited = more.wait_timeout_while(lock(&counts), super::program::PATIENCE, is_early);
        let Counts { acknowledged, is_ended: _ } = *waited.expect("nobody panics while holding this").0;
        // First of all, since the publishers continue until then.
        end(env);
        lock(&counts).is_ended = true;
        assert!(acknowledged >= enough, "{acknowledged} of {enough} commands were acknowledged");
    });
}

/// The progress of the publishers.
#[derive(Clone, Copy)]
struct Counts {
    acknowledged: u64,
    is_ended: bool,
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().expect("nobody panics while holding this")
}

/// The time to wait before something is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends one command after the other, and continues to the next when one is acknowledged.
struct Publisher {
    thread: u64,
    /// The answer to each command.
    told: Vec<Acknowledgement>,
}

/// An acknowledgement.
struct Acknowledgement {
    command: SentCommand,
    status: u16,
    code: Option<String>,
}

/// A command that follows from who sends it, and its place.
struct SentCommand {
    id: String,
    kind: Kind,
    path: String,
    body: Value,
    is_async: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Scarce,
    Plenty,
    Cancel,
    Receive,
    Credit,
}

impl SentCommand {
    fn of(thread: u64, n: u64) -> SentCommand {
        let id = format!("{thread}-{n}");
        let (kind, path, body) = match n % 5 {
            0 => (Kind::Scarce, "orders".to_owned(), shop::order("SCARCE", 1)),
            1 => (Kind::Plenty, "orders".to_owned(), shop::order("PLENTY", 2)),
            // The order just placed.
            2 => (Kind::Cancel, format!("orders/{thread}-{}/cancellations", n - 1), json!({})),
            3 => (Kind::Receive, "stock/PLENTY/movements".to_owned(), shop::received(3)),
            _ => (Kind::Credit, "credits".to_owned(), shop::credit(&format!("credit-{id}"), "PLENTY", 5)),
        };
        // The orders that are cancelled later, and the next ones not.
        SentCommand { id, kind, path: format!("/api/v1/{path}"), body, is_async: n.is_multiple_of(3) }
    }
}

impl Publisher {
    /// Sends the next command; nothing if it was not acknowledged.
    fn publish(&mut self, api: &Api) -> Option<()> {
        let command = SentCommand::of(self.thread, self.told.len() as u64);
        let mut headers = vec![("idempotency-key", command.id.as_str()), ("content-type", "application/json")];
        // While its broker is gone, a node keeps callers waiting for a decision.
        headers.push(("prefer", if command.is_async { "respond-async" } else { "wait=10" }));
        let answer = api.send("POST", &command.path, &headers, Some(command.body.to_string().as_bytes())).ok()?;
        let code = match answer.status {
            200..=202 => None,
            409 => Some(answer.problem().1),
            // The node or its broker is about to end, or is not long back.
            503 => return None,
            _ => panic!("{} is answered with {answer:?}", command.id),
        };
        self.told.push(Acknowledgement { status: answer.status, code, command });
        Some(())
    }
}

/// Asserts that all that was acknowledged is there, and each thing once.
fn check(env: &TestEnv, publishers: &[Publisher]) {
    wait_for_all(env, publishers);
    let (rows, _) = env.rows("/api/v1/views/operations?limit=1000");
    let operations: BTreeMap<&str, &Value> =
        rows.iter().map(|row| (row["key"].as_str().expect("keys are text"), &row["value"])).collect();
    let told: Vec<&Acknowledgement> = publishers.iter().flat_map(|publisher| &publisher.told).collect();
    assert_eq!(operations.len(), told.len() + 3, "no command but these, and those of the start");
    let mut taken = BTreeMap::<Kind, i64>::new();
    for Acknowledgement { command, status, code } in told {
        let operation = operations.get(command.id.as_str()).unwrap_or_else(|| panic!("{} is gone", command.id));
        if *status != 202 {
            let expected = if code.is_none() { "succeeded" } else { "rejected" };
            assert_eq!((&operation["status"], &operation["code"]), (&json!(expected), &json!(code)), "{operation}");
        }
        *taken.entry(command.kind).or_default() += i64::from(operation["status"] == "succeeded");
        let may_fail = matches!(command.kind, Kind::Scarce);
        assert!(may_fail || operation["status"] == "succeeded", "{operation}");
    }
    let taken = |kind| taken.get(&kind).copied().unwrap_or_default();
    let stock = |sku: &str| {
        let stock = env.get(&format!("/api/v1/stock/{sku}")).ok().json();
        (stock["on_hand"].as_i64().expect("a number"), stock["reserved"].as_i64().expect("a number"))
    };
    let asked =
        publishers.iter().flat_map(|publisher| &publisher.told).filter(|told| told.command.kind == Kind::Scarce);
    let scarce = SCARCE.min(i64::try_from(asked.count()).expect("it is small"));
    assert_eq!(taken(Kind::Scarce), scarce, "neither more nor fewer were sold");
    assert_eq!(stock("SCARCE"), (SCARCE, scarce));
    let plenty = 3 * taken(Kind::Receive) + 5 * taken(Kind::Credit);
    assert_eq!(stock("PLENTY"), (plenty, 2 * (taken(Kind::Plenty) - taken(Kind::Cancel))));
    let (revenue, _) = env.rows("/api/v1/analytics/revenue?by=month");
    let orders: i64 = revenue.iter().map(|row| row["orders"].as_i64().expect("a number")).sum();
    assert_eq!(orders, taken(Kind::Scarce) + taken(Kind::Plenty));
    env.assert_sound();
}

/// Waits until nothing acknowledged is undecided. Of two topics, what came later may be decided an epoch earlier.
fn wait_for_all(env: &TestEnv, publishers: &[Publisher]) {
    let told = publishers.iter().flat_map(|publisher| &publisher.told);
    for Acknowledgement { command, .. } in told.filter(|told| told.status == 202) {
        let decided = env.decided(&command.id);
        assert_ne!(decided.json()["status"], "pending");
    }
}

/// Numbers that follow from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
