//! Following a view: what comes is the view, epoch by epoch, also for a client that disconnects and comes back.

use super::env::{Mode, TestEnv};
use crate::Config;
use crate::store::HistoryLimits;
use axum::body::Body;
use axum::http::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A stream of events, read one by one.
struct Stream {
    body: Body,
    read: String,
}

#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<u64>,
    data: Value,
}

fn event(name: &str, data: Value) -> Event {
    Event { name: name.to_owned(), id: None, data }
}

fn progress(epoch: u64) -> Event {
    Event { id: Some(epoch), ..event("progress", json!({ "epoch": epoch })) }
}

impl Stream {
    async fn open(env: &TestEnv, query: &str, headers: &[(&str, &str)]) -> Stream {
        let response: Response<Body> = env.send("GET", &format!("/api/v1/changes?{query}"), headers, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { body: response.into_body(), read: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((one, rest)) = self.read.split_once("\n\n") {
                let mut event = event("", Value::Null);
                for line in one.lines() {
                    match line.split_once(": ").unwrap() {
                        ("event", name) => event.name = name.to_owned(),
                        ("id", id) => event.id = Some(id.parse().unwrap()),
                        ("data", data) => event.data = serde_json::from_str(data).unwrap(),
                        other => panic!("{other:?}"),
                    }
                }
                self.read = rest.to_owned();
                return Some(event);
            }
            let bytes = self.body.frame().await?.unwrap().into_data().unwrap();
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await.unwrap());
        }
        events
    }
}

async fn put(env: &TestEnv, id: &str) -> u64 {
    let reply = env.call("PUT", &format!("/api/v1/products/{id}"), &[], product(id)).await;
    assert!(reply.status.is_success(), "{reply:?}");
    reply.epoch()
}

fn product(id: &str) -> String {
    json!({ "title": id, "variants": [{ "sku": id, "price": { "amount": "1", "currency": "GBP" } }] }).to_string()
}

#[tokio::test]
async fn a_row_is_followed_from_its_snapshot_on() {
    let env = TestEnv::stocked().await;
    let begin = env.shop.latest().unwrap().0;
    let mut stream = Stream::open(&env, "view=stock&key=A", &[]).await;
    let stock = env.get("/api/v1/stock/A").await.json();
    let snapshot = json!({ "epoch": begin, "rows": [{ "key": "A", "value": stock }] });
    assert_eq!(stream.take(2).await, [event("snapshot", snapshot), progress(begin)]);
    // Another row of the view, and another view: nothing that this stream is sent.
    env.call("PUT", "/api/v1/products/p2", &[], product("Z")).await;
    env.call("POST", "/api/v1/stock/Z/movements", &[], r#"{"quantity":1,"reason":"received"}"#).await;
    let placed = env.order("k1", 2).await;
    let stock = env.get("/api/v1/stock/A").await.json();
    assert_eq!(stock["on_hand"], 10);
    let changed = json!({ "epoch": placed.epoch(), "key": "A", "value": stock });
    assert_eq!(stream.take(2).await, [event("change", changed), progress(placed.epoch())]);
}

#[tokio::test]
async fn what_has_no_row_has_an_empty_snapshot_and_what_goes_is_null() {
    let config = Config::default();
    let env = TestEnv::with(config);
    let mut stream = Stream::open(&env, "view=operations&key=k", &[]).await;
    assert_eq!(stream.next().await.unwrap(), event("snapshot", json!({ "epoch": 1, "rows": [] })));
    assert_eq!(stream.next().await.unwrap(), progress(1));
    let key = [("idempotency-key", "k")];
    let policy = env.call("PUT", "/api/v1/policy", &key, r#"{"id_memory_s":1}"#).await;
    assert_eq!(policy.status, 200, "{policy:?}");
    let row = env.get("/api/v1/operations/k").await.json();
    let made = event("change", json!({ "epoch": policy.epoch(), "key": "k", "value": row }));
    assert_eq!(stream.take(2).await, [made, progress(policy.epoch())]);
    // Each epoch is a second later: what is remembered for one goes.
    let seconds = 700_000;
    env.log.pass_s(seconds);
    env.log.cut();
    let gone = env.shop.latest().unwrap().0;
    let gone = [event("change", json!({ "epoch": gone, "key": "k", "value": null })), progress(gone)];
    assert_eq!(stream.take(2).await, gone);
}

#[tokio::test]
async fn a_snapshot_and_a_large_epoch_come_in_pieces() {
    let env = TestEnv::with(Config { follow_bytes_at_once: 400, ..Config::default() });
    for id in ["a", "b", "c", "d"] {
        put(&env, id).await;
    }
    let begin = env.shop.latest().unwrap().0;
    let mut stream = Stream::open(&env, "view=products", &[]).await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        let snapshot = stream.next().await.unwrap();
        assert_eq!((snapshot.name.as_str(), &snapshot.data["epoch"]), ("snapshot", &json!(begin)));
        keys.push(snapshot.data["rows"].as_array().unwrap().iter().map(|row| row["key"].clone()).collect::<Vec<_>>());
    }
    assert_eq!(keys, [vec![json!("a"), json!("b")], vec![json!("c"), json!("d")], vec![]]);
    assert_eq!(stream.next().await.unwrap(), progress(begin));
    env.set_mode(Mode::Hold);
    for id in ["e", "f", "g", "h", "i"] {
        let data = product(id).replace("\"title\"", &format!("\"product_id\":{id:?},\"title\""));
        env.log.hold(id, "PutProduct", &data);
    }
    env.log.cut();
    let events = stream.take(6).await;
    let keys: Vec<_> = events[..5].iter().map(|event| event.data["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["e", "f", "g", "h", "i"]);
    assert_eq!(events[5], progress(begin + 1));
}

#[tokio::test]
async fn who_breaks_off_anywhere_goes_on_without_gap_or_repeat() {
    for seed in 0..20 {
        let env = TestEnv::with(Config { follow_bytes_at_once: 300, follow_progress_ms: 1, ..Config::default() });
        put(&env, "first").await;
        let mut random = seed * 7_919 + 1;
        let mut draw = |below: u64| {
            random = (random * 6_364_136_223_846_793_005u64 as u128 + 1_442_695_040_888_963_407) % (1 << 64);
            (random >> 33) as u64 % below
        };
        let (mut held, mut last): (BTreeMap<String, Value>, Option<u64>) = (BTreeMap::new(), None);
        for _ in 0..8 {
            for _ in 0..draw(4) {
                let id = ["x", "y", "z", "first"][draw(4) as usize];
                match draw(3) {
                    0 => drop(env.call("DELETE", &format!("/api/v1/products/{id}"), &[], "").await),
                    _ => drop(env.call("PUT", &format!("/api/v1/products/{id}"), &[], product(id)).await),
                }
            }
            let id = last.unwrap_or_default().to_string();
            let headers = [("last-event-id", id.as_str())];
            let mut stream = Stream::open(&env, "view=products", &headers[..last.iter().len()]).await;
            let newest = env.shop.latest().unwrap().0;
            // What comes of an epoch that is not complete is thrown away, and comes again.
            let (mut open, events) = (Vec::new(), 1 + draw(6));
            for _ in 0..events {
                if last == Some(newest) {
                    break;
                }
                let event = stream.next().await.unwrap();
                match (event.name.as_str(), event.id) {
                    ("snapshot", None) => {
                        assert_eq!(last, None, "seed {seed}");
                        open.extend(event.data["rows"].as_array().unwrap().iter().cloned());
                    }
                    ("change", None) => {
                        assert!(event.data["epoch"].as_u64() > last, "seed {seed}: {event:?} after {last:?}");
                        open.push(event.data);
                    }
                    ("progress", Some(epoch)) => {
                        for row in open.drain(..) {
                            held.insert(row["key"].as_str().unwrap().to_owned(), row["value"].clone());
                        }
                        last = Some(epoch);
                        let rows = env.get(&format!("/api/v1/views/products?as_of={epoch}")).await.json();
                        let rows = rows["data"].as_array().unwrap().iter();
                        let rows: BTreeMap<_, _> =
                            rows.map(|row| (row["key"].as_str().unwrap().to_owned(), row["value"].clone())).collect();
                        assert_eq!(held, rows, "seed {seed}, epoch {epoch}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(last.is_some(), "seed {seed}: nothing was seen whole");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_changes_it_says_how_far_it_is_complete() {
    let env = TestEnv::stocked().await;
    let mut stream = Stream::open(&env, "view=credits", &[]).await;
    stream.take(2).await;
    env.order("k1", 1).await;
    env.order("k2", 1).await;
    let newest = env.shop.latest().unwrap().0;
    assert_eq!(stream.next().await.unwrap(), progress(newest));
    assert_eq!(env.shop.followers(), 1);
    drop(stream);
    assert_eq!(env.shop.followers(), 0);
}

#[tokio::test]
async fn what_begins_in_the_past_brings_all_since() {
    let env = TestEnv::stocked().await;
    let begin = env.shop.latest().unwrap().0;
    let first = env.order("k1", 1).await.epoch();
    let second = env.order("k2", 1).await.epoch();
    let mut stream = Stream::open(&env, &format!("view=stock&from={begin}"), &[]).await;
    let events = stream.take(6).await;
    let reserved = |event: &Event| event.data["value"]["reserved"].clone();
    assert_eq!((&events[0].data["epoch"], &events[0].data["rows"][0]["value"]["reserved"]), (&json!(begin), &json!(0)));
    assert_eq!(events[1], progress(begin));
    assert_eq!((reserved(&events[2]), &events[3]), (json!(1), &progress(first)));
    assert_eq!((events[4].data["epoch"].as_u64(), &events[5]), (Some(second), &progress(second)));
    // A client that has seen the first resumes with the second, whatever its address says.
    let id = first.to_string();
    let again = Stream::open(&env, &format!("view=stock&from={begin}"), &[("last-event-id", &id)]).await.take(2).await;
    assert_eq!(again[..], events[4..]);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let config = Config { history: HistoryLimits { epochs_max: 2, ..HistoryLimits::default() }, ..Config::default() };
    let env = TestEnv::with(Config { followers_max: 1, ..config });
    for id in ["a", "b", "c"] {
        put(&env, id).await;
    }
    let refused = async |query: &str, headers: &[(&str, &str)]| {
        env.get_with(&format!("/api/v1/changes?{query}"), headers).await.problem()
    };
    let unknown = env.get("/api/v1/changes?view=nothing").await;
    assert_eq!(unknown.problem(), (422, "invalid".to_owned()));
    assert_eq!(unknown.json()["errors"][0]["pointer"], "/view");
    assert_eq!(refused("", &[]).await, (422, "invalid".to_owned()));
    assert_eq!(refused("view=stock&from=x", &[]).await, (422, "invalid".to_owned()));
    assert_eq!(refused("view=stock&from=99", &[]).await, (404, "epoch_unknown".to_owned()));
    assert_eq!(refused("view=stock&from=1", &[]).await, (410, "epoch_forgotten".to_owned()));
    assert_eq!(refused("view=stock", &[("last-event-id", "x")]).await, (400, "malformed".to_owned()));
    assert_eq!(refused("view=stock", &[("last-event-id", "1")]).await, (410, "epoch_forgotten".to_owned()));
    let one = Stream::open(&env, "view=stock", &[]).await;
    assert_eq!(refused("view=stock", &[]).await, (503, "overloaded".to_owned()));
    drop(one);
    Stream::open(&env, "view=stock", &[]).await;
}

#[tokio::test]
async fn who_is_too_slow_is_told_and_closed() {
    let history = HistoryLimits { epochs_max: 3, pin_age_ms_max: 0, ..HistoryLimits::default() };
    let env = TestEnv::with(Config { history, follow_bytes_at_once: 1, ..Config::default() });
    put(&env, "a").await;
    put(&env, "b").await;
    let mut in_snapshot = Stream::open(&env, "view=products", &[]).await;
    in_snapshot.take(1).await;
    let mut in_changes = Stream::open(&env, "view=products", &[]).await;
    in_changes.take(4).await;
    for id in ["c", "d", "e", "f"] {
        env.now_ms.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        put(&env, id).await;
    }
    for mut stream in [in_snapshot, in_changes] {
        let told = stream.next().await.unwrap();
        assert_eq!((told.name.as_str(), &told.data["code"]), ("overloaded", &json!("overloaded")));
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn a_node_that_stops_ends_its_streams() {
    let env = TestEnv::stocked().await;
    let mut stream = Stream::open(&env, "view=stock", &[]).await;
    stream.take(2).await;
    let waiting = tokio::spawn(async move { stream.next().await });
    tokio::task::yield_now().await;
    env.shop.end_following();
    let ended = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    assert_eq!(ended.unwrap().unwrap(), None);
}

#[tokio::test]
async fn the_stream_with_most_that_was_not_taken_is_cut_off() {
    let large =
        |id: &str| product(id).replace("\"variants\"", &format!("\"description\":{:?},\"variants\"", id.repeat(900)));
    let config = Config { follow_bytes_at_once: 1, follower_bytes_max: 5_000, ..Config::default() };
    let env = TestEnv::with(config);
    for id in ["a", "b", "c"] {
        let reply = env.call("PUT", &format!("/api/v1/products/{id}"), &[], large(id)).await;
        assert!(reply.status.is_success(), "{reply:?}");
    }
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(Stream::open(&env, "view=products", &[]).await);
    }
    let mut held = Vec::new();
    // The first has three rows of more than a thousand bytes that its client does not take, the others one each.
    for at in [0, 0, 0, 1, 2] {
        held.push(streams[at].body.frame().await);
    }
    assert!(env.shop.unsent().bytes() < 5_000, "{}", env.shop.unsent().bytes());
    assert!(streams[0].body.frame().await.is_none(), "the fullest is cut off");
    assert!(streams[1].body.frame().await.is_some() && streams[2].body.frame().await.is_some());
    drop((held, streams));
    assert_eq!((env.shop.unsent().bytes(), env.shop.followers()), (0, 0));
}
