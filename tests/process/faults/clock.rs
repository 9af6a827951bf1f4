//! A wall clock that steps forward and back by an hour under a node. The machine's clock is not ours to set, so the node
//! runs in this process, with a clock of its own, and is asked over HTTP as any other.

use super::super::{Answer, Api, shop};
use dataflows::contract::time::Timestamp;
use dataflows::engine::budget::Budget;
use ingest::Clock;
use node::config::{Flags, Settings};
use node::{Node, OpenNode};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const HOUR_S: i64 = 3_600;

/// Stands still, and is set.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl SetClock {
    fn step_s(&self, seconds: i64) {
        self.0.fetch_add(1_000_000 * seconds, Ordering::SeqCst);
    }
}

/// A node behind HTTP. Dropping it stops it in good order, since an engine waits for its workers.
struct ServedNode {
    api: Api,
    running: Option<RunningNode>,
}

struct RunningNode {
    node: Node,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    runtime: Runtime,
}

impl Drop for ServedNode {
    fn drop(&mut self) {
        let RunningNode { node, stop, serving, runtime } = self.running.take().expect("it is stopped once");
        let _ = stop.send(());
        let served = runtime.block_on(serving);
        node.stop();
        assert!(std::thread::panicking() || served.is_ok(), "it ends in good order");
    }
}

impl ServedNode {
    fn start(folder: &Path, clock: &Arc<SetClock>) -> ServedNode {
        let flags = Flags { data: Some(folder.to_owned()), ..Flags::default() };
        let mut config = Settings::load(None, &[], flags).expect("the defaults are good").config();
        config.epochs.epoch_ms_max = 50;
        config.secrets_dir = Some(folder.join("secrets"));
        let opened = OpenNode::new(&config, Arc::clone(clock) as Arc<dyn Clock>).expect("the folder is ours");
        let bytes = Budget::new(config.serving.bytes_in_flight_max);
        let parts = opened.parts(&config, &bytes).expect("there are secrets");
        let fatal: ingest::Fatal = Arc::new(|error| panic!("the node cannot go on: {error}"));
        let node = opened.start(&config, &fatal).expect("the log is whole");
        node.shop.set_ready(true, "");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads can be made");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let api = Api::new(&format!("http://{}", listener.local_addr().expect("it is bound")));
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(async move {
            let told = async { drop(stopped.await) };
            serving::serve(listener, None, parts, told).await.expect("it serves until it is told to stop");
        });
        // The first answer is exact for something.
        let first = [("tradewind-min-epoch", "1"), ("prefer", "wait=30")];
        runtime.block_on(
            node.shop.wait_for_epoch(dataflows::contract::epoch::Epoch(1), std::time::Duration::from_secs(30)),
        );
        api.get_with("/api/v1/epochs/latest", &first).ok();
        ServedNode { api, running: Some(RunningNode { node, stop, serving, runtime }) }
    }

    /// The time of the newest epoch, with everything that was sent before decided.
    fn now(&self) -> Timestamp {
        let latest = self.api.get("/api/v1/epochs/latest").ok();
        let next = (latest.epoch() + 1).to_string();
        let headers = [("tradewind-min-epoch", next.as_str()), ("prefer", "wait=30")];
        let latest = self.api.get_with("/api/v1/epochs/latest", &headers).ok().json();
        Timestamp::parse(latest["now"].as_str().expect("a time")).expect("a time")
    }

    fn behind_s(&self) -> Value {
        self.api.get("/api/v1/status").ok().json()["gauges"]["clock_behind_seconds"].clone()
    }

    /// An order that waits for its payment for 15 minutes.
    fn order(&self, id: &str) -> Answer {
        self.api.post("/api/v1/orders", id, &shop::unpaid_order("A", 1)).expect(201)
    }

    fn status(&self, id: &str) -> String {
        self.api.get(&format!("/api/v1/orders/{id}")).ok().json()["status"].as_str().expect("text").to_owned()
    }

    fn pay(&self, id: &str) -> Answer {
        let body = json!({"payment_id": id, "status": "processed", "amount": shop::gbp("12.50")});
        self.api.post(&format!("/api/v1/payments/{id}/results"), &format!("pay-{id}"), &body)
    }

    fn digest(&self) -> Value {
        self.api.get("/api/v1/views").ok().json()
    }
}

#[test]
fn a_clock_that_steps_by_an_hour_moves_time_only_forward() {
    let folder = TempDir::with_prefix("tradewind-clock-").expect("there is room for a folder");
    let start = Timestamp::parse("2026-03-01T12:00:00Z").expect("a time");
    let clock = Arc::new(SetClock(AtomicI64::new(start.micros())));
    let served = ServedNode::start(folder.path(), &clock);
    let policy = json!({"payment_timeout_external_s": 900});
    served.api.command("PUT", "/api/v1/policy", "policy", &policy).ok();
    shop::stock(&served.api, "A", "reserve", 10);
    served.order("before");

    // Back: time creeps, and nothing that it decides waits or expires.
    clock.step_s(-HOUR_S);
    let before = served.now();
    served.order("back");
    assert!(served.pay("back").expect(200).json()["status"] == "paid");
    let after = served.now();
    assert!(before < after && after < start.plus_s(1), "{before} {after}");
    assert_eq!((served.status("before"), served.status("back")), ("pending_payment".to_owned(), "paid".to_owned()));
    let behind = served.behind_s().as_f64().expect("a number");
    assert!((3_599.0..=3_601.0).contains(&behind), "it says how far the clock is behind: {behind}");
    served.api.get("/health/ready").ok();

    // A restart meanwhile decides nothing otherwise.
    let digest = served.digest();
    drop(served);
    let served = ServedNode::start(folder.path(), &clock);
    assert_eq!(served.digest(), digest);
    assert!(served.now() > after);

    // Right again, and forward: it is the clock's time at once, and what is due by it is due.
    clock.step_s(HOUR_S + 60);
    // A clock that stands makes each later epoch a microsecond later.
    let (now, due) = (served.now(), start.plus_s(60));
    assert!(due <= now && now.micros() < due.micros() + 1_000, "{now}");
    assert_eq!((served.status("before"), served.behind_s()), ("pending_payment".to_owned(), json!(0.0)));
    clock.step_s(HOUR_S);
    // Not before an epoch has that time.
    assert!(served.now() > start.plus_s(HOUR_S));
    assert_eq!((served.status("before"), served.status("back")), ("cancelled".to_owned(), "paid".to_owned()));
    served.order("forward");
    // And back where it was: what was decided by the wrong time stays, and the shop continues.
    clock.step_s(-HOUR_S);
    assert_eq!(served.pay("forward").expect(200).json()["status"], "paid");
    let stock = served.api.get("/api/v1/stock/A").ok().json();
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(10), &json!(2)));
    super::super::env::assert_sound(&served.api.get("/api/v1/invariants").ok().json(), 0);

    let digest = served.digest();
    drop(served);
    std::fs::remove_dir_all(folder.path().join("checkpoints")).expect("the folder is ours");
    let served = ServedNode::start(folder.path(), &clock);
    assert_eq!(served.digest(), digest, "the log alone says what was decided");
    drop(served);
}
