//! Those behind the node who do not keep up: a reader of changes that takes nothing, and a sink that takes its time.
//! Nobody else waits for the one, and the other is waited for, within bounds.

use super::super::{TestEnv, Way, shop};
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::time::Timestamp;
use dataflows::engine::{Engine, EngineConfig};
use dataflows::ports::{NoStopwatch, Sink, Source, SourcePoll, Stride, Waker};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

#[test]
fn a_reader_that_takes_nothing_is_dropped_and_nobody_waits_for_it() {
    /// Each batch replaces all products, some 150 KB each: together they are more than sockets hold.
    const BATCHES: usize = 60;
    const PRODUCTS: usize = 4;
    let variables =
        vec![("TRADEWIND_SERVING_HISTORY_EPOCHS", "5".to_owned()), ("TRADEWIND_SERVING_WRITE_S_MAX", "600".to_owned())];
    let env = TestEnv::start_as(&Way { variables, ..Way::default() });
    let address = env.base().trim_start_matches("http://");
    let mut slow = TcpStream::connect(address).expect("the node listens");
    let head = format!("GET /api/v1/changes?view=products HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    slow.write_all(head.as_bytes()).expect("the node reads");
    let mut first = [0; 15];
    slow.read_exact(&mut first).expect("the node answers");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    for batch in 0..BATCHES {
        let lines: String = (0..PRODUCTS).map(|n| large_product(&format!("p{n}"), batch)).collect();
        for result in env.batch(lines) {
            assert_eq!(result["status"], "succeeded", "{result}");
        }
        env.get("/health/ready").ok();
    }
    // What it was sent before is whole, and then it is told that it is too slow.
    let mut told = Vec::new();
    slow.read_to_end(&mut told).expect("the node closes the connection");
    let told = String::from_utf8_lossy(&told);
    assert_eq!(told.matches("event: overloaded\n").count(), 1, "{} bytes", told.len());
    assert!(told.matches("event: change\n").count() < BATCHES * PRODUCTS);
    assert_eq!(env.rows("/api/v1/views/products").0.len(), PRODUCTS);
    env.assert_sound();
}

/// A line that replaces a product by one with long attributes.
fn large_product(id: &str, batch: usize) -> String {
    let mut data = shop::product("track_only", &[id]);
    data["product_id"] = json!(id);
    data["attributes"] = (0..150).map(|n| (format!("a{n}"), json!(format!("{batch:01000}")))).collect();
    format!("{}\n", json!({"id": format!("{id}-{batch}"), "type": "PutProduct", "data": data}))
}

/// Empty epochs up to `last`. Asserts how far the reading is before the sink.
struct Epochs {
    next: u64,
    last: u64,
    applied: Arc<AtomicU64>,
    ahead_max: u64,
    furthest: Arc<AtomicU64>,
}

impl Source for Epochs {
    fn wake(&mut self, _: Waker) {}

    fn poll(&mut self, epochs_max: usize, _: usize, _: usize) -> SourcePoll {
        let count = (epochs_max as u64).min(self.last + 1 - self.next);
        if count == 0 {
            return SourcePoll::End;
        }
        let record = |epoch| EpochRecord {
            v: 1,
            epoch: Epoch(epoch),
            now: Timestamp::from_micros(epoch.cast_signed()),
            rules: 1,
            cut: Cut::default(),
        };
        let epochs = (self.next..self.next + count).map(|epoch| Arc::new(record(epoch))).collect();
        self.next += count;
        let ahead = self.next - 1 - self.applied.load(Ordering::SeqCst);
        assert!(ahead <= self.ahead_max, "{ahead} epochs are on their way");
        self.furthest.fetch_max(ahead, Ordering::SeqCst);
        SourcePoll::Stride(Stride { epochs, inputs: Vec::new(), bytes: 0 })
    }
}

/// Takes an epoch when it is told to.
struct Slow {
    told: mpsc::Receiver<()>,
    applied: Arc<AtomicU64>,
}

impl Sink for Slow {
    fn apply(&mut self, changes: &Arc<Changes>) {
        // Once the test is through with telling, at once.
        let _ = self.told.recv();
        let before = self.applied.fetch_add(1, Ordering::SeqCst);
        assert_eq!(changes.epoch(), Epoch(before + 1), "each epoch comes, in order, once");
    }
}

#[test]
fn a_slow_sink_is_waited_for_within_bounds() {
    const IN_FLIGHT: usize = 16;
    const EPOCHS: u64 = 500;
    let (applied, furthest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (tell, told) = mpsc::channel();
    let source = Epochs {
        next: 1,
        last: EPOCHS,
        applied: Arc::clone(&applied),
        ahead_max: IN_FLIGHT as u64,
        furthest: Arc::clone(&furthest),
    };
    let config = EngineConfig { epochs_in_flight: IN_FLIGHT, stride_epochs_max: 4, ..EngineConfig::default() };
    let sink = Slow { told, applied: Arc::clone(&applied) };
    let engine = Engine::start(config, None, vec![Box::new(source)], vec![Box::new(sink)], Arc::new(NoStopwatch))
        .expect("there is a source");
    // Word for word, and then no more is held back.
    for _ in 0..EPOCHS / 2 {
        tell.send(()).expect("the sink listens");
    }
    drop(tell);
    drop(engine.join());
    assert_eq!(applied.load(Ordering::SeqCst), EPOCHS);
    assert!(furthest.load(Ordering::SeqCst) > 1, "it reads on while the sink is busy");
}
