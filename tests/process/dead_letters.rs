//! Records that no service should have published: kept with their bytes and reason, shown, published again, thrown away;
//! and the log behind checkpoints, which is dropped only when nothing of it is needed any more.

use super::{Program, TestEnv, Way, shop};
use bytes::Bytes;
use dataflows::contract::topic::{Topic, TopicPartition};
use ingest::log::journal::Journal;
use ingest::log::{Log, Partitions, Record, journal};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc;

/// Runs a command to its end, which must be a success, and returns what it printed.
fn run(arguments: &[&str]) -> String {
    let ended = Program::run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

fn listed(arguments: &[&str]) -> Value {
    let arguments = [&["dlq", "list", "--json"], arguments].concat();
    serde_json::from_str::<Value>(&run(&arguments)).unwrap()["data"].take()
}

/// Publishes to the log that a node has left, as any service may to a topic.
fn publish(data: &Path, records: Vec<(Topic, Record)>) {
    let log = Journal::open(&data.join("log"), &Partitions::uniform(8), journal::JournalConfig::default()).unwrap();
    let (send, receive) = mpsc::channel();
    let records = records.into_iter().map(|(topic, record)| (TopicPartition::new(topic, 1), record)).collect();
    log.append(records, Box::new(move |result| send.send(result).unwrap()));
    receive.recv().unwrap().unwrap();
}

fn record(key: &'static str, id: &'static str, command: &'static str, value: impl Into<Bytes>) -> Record {
    let header = |name: &'static str, value: String| (name.into(), Some(Bytes::from(value)));
    let headers = vec![
        header("ce_specversion", "1.0".to_owned()),
        header("ce_id", id.to_owned()),
        header("ce_type", format!("tradewind.{command}.v1")),
        header("ce_source", "/till".to_owned()),
    ];
    Record { key: Some(Bytes::from_static(key.as_bytes())), value: Some(value.into()), headers, timestamp_ms: 5 }
}

/// A node that has met three such records, and a good one behind each.
fn poisoned() -> TestEnv {
    let mut env = TestEnv::start();
    shop::stock(&env, "A", "reserve", 50);
    for order in ["a", "b", "c"] {
        env.post("/api/v1/orders", order, &shop::order("A", 1)).expect(201);
    }
    env.stop();
    let ship = |id: &'static str, order: &'static str| {
        (Topic::Orders, record(order, id, "ShipOrder", format!(r#"{{"order_id":"{order}"}}"#)))
    };
    publish(
        env.data(),
        vec![
            (Topic::Orders, record("a", "bad-1", "ShipOrder", b"\xff{".to_vec())),
            ship("ship-a", "a"),
            (Topic::Orders, record("b", "bad-2", "PutProduct", "{}")),
            ship("ship-b", "b"),
            (Topic::Orders, record("d", "bad-3", "ShipOrder", r#"{"order_id":"c"}"#)),
        ],
    );
    env.restart(&Way::default());
    env
}

const OPEN: [&str; 3] = ["unreadable", "unknown_type", "wrong_key"];

fn codes(letters: &Value) -> Vec<&str> {
    letters.as_array().unwrap().iter().map(|letter| letter["code"].as_str().unwrap()).collect()
}

fn place(letter: &Value) -> String {
    letter["place"].as_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_read_is_kept_until_somebody_has_dealt_with_it() {
    let mut env = poisoned();
    let node = env.client().base().to_owned();
    let shipped = |order: &str| env.get(&format!("/api/v1/orders/{order}")).ok().json()["status"] == "shipped";
    assert_eq!(["a", "b", "c"].map(shipped), [true, true, false], "the partition goes on");
    let letters = listed(&["--to", &node]);
    assert_eq!(codes(&letters), OPEN);
    assert!(env.get("/metrics").text().contains("tradewind_dead_letters_open 3"));
    let places: Vec<String> = letters.as_array().unwrap().iter().map(place).collect();

    let absent = Program::run(&["dlq", "show", "orders.commands/7/99", "--to", &node]);
    assert_eq!(absent.code, Some(1));
    let told = "tradewind: there is no dead letter orders.commands/7/99; `tradewind dlq list --all` shows those that there are\n";
    assert_eq!(absent.stderr, told);
    let shown: Value = serde_json::from_str(&run(&["dlq", "show", &places[2], "--to", &node])).unwrap();
    assert_eq!(
        shown["record"],
        json!({"timestamp_ms": 5, "key": "d", "value": "{\"order_id\":\"c\"}", "headers": [
            ["ce_specversion", "1.0"], ["ce_id", "bad-3"], ["ce_type", "tradewind.ShipOrder.v1"],
            ["ce_source", "/till"]]})
    );
    let shown: Value = serde_json::from_str(&run(&["dlq", "show", &places[0], "--to", &node])).unwrap();
    assert_eq!(shown["record"]["value"], json!({"base64": "/3s="}));

    run(&["dlq", "redrive", &places[2], "--key", "c", "--to", &node]);
    env.decided("bad-3");
    assert_eq!(env.get("/api/v1/orders/c").ok().json()["status"], "shipped");
    run(&["dlq", "discard", &places[0], "--to", &node]);
    let gone = env.get(&format!("/api/v1/dead-letters/{}", places[0])).problem();
    assert_eq!(gone, (404, "not_found".to_owned()));
    assert_eq!(env.get("/api/v1/dead-letters/orders.commands/1/x").problem(), (404, "not_found".to_owned()));
    assert_eq!(env.get("/api/v1/dead-letters?state=odd").problem(), (422, "invalid".to_owned()));

    // A replay of the whole log brings all of them again.
    env.kill();
    env.restart(&Way::workers(3));
    let node = env.client().base().to_owned();
    assert_eq!(codes(&listed(&["--to", &node])), ["unknown_type"]);
    let all = listed(&["--to", &node, "--all"]);
    let states: Vec<&str> = all.as_array().unwrap().iter().map(|letter| letter["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["discarded", "open", "redriven"]);

    // The same in the folder of a node that does not run; what is published again as it was comes back.
    let data = env.data().to_str().unwrap().to_owned();
    let busy = Program::run(&["dlq", "list", "--data", &data]);
    assert!(busy.code == Some(1) && busy.stderr.contains("is in use by another process"), "{}", busy.stderr);
    env.stop();
    run(&["dlq", "redrive", "--all", "--data", &data]);
    assert_eq!(listed(&["--data", &data]), json!([]));
    env.restart(&Way::default());
    let node = env.client().base().to_owned();
    assert_eq!(codes(&listed(&["--to", &node])), ["unknown_type"]);
    env.assert_sound();
}

#[test]
fn the_log_is_deleted_behind_checkpoints_and_nothing_is_lost_by_it() {
    let mut env = poisoned();
    let small = Way { variables: vec![("TRADEWIND_LOG_SEGMENT_BYTES", (1 << 20).to_string())], ..Way::default() };
    env.stop();
    env.restart(&small);
    let segments = |env: &TestEnv| {
        let files = std::fs::read_dir(env.data().join("log")).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(".journal"));
        names.sort();
        names
    };
    let first = segments(&env);
    for round in 0..4 {
        let line = |n: u32| {
            let command = json!({"id": format!("m{round}-{n}"), "type": "MoveStock",
                "data": {"sku": "A", "quantity": 1, "reason": "received", "reference": "x".repeat(1_000)}});
            format!("{command}\n")
        };
        let lines: String = (0..1_000).map(line).collect();
        let headers = [("content-type", "application/x-ndjson"), ("prefer", "wait=30")];
        env.call("POST", "/api/v1/commands", &headers, lines).ok();
        env.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
    }
    let (before, kept) = (env.digests(), segments(&env));
    assert!(!kept.contains(&first[0]) && kept.len() < 4, "{first:?} {kept:?}");
    env.kill();
    env.restart(&small);
    assert_eq!(env.digests(), before);
    assert_eq!(codes(&listed(&["--to", env.client().base()])), OPEN);
    env.assert_sound();
    let again = env.post("/api/v1/orders", "a", &shop::order("A", 1)).expect(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    env.stop();

    // Without the checkpoints the log alone is not the state, and the node says so.
    std::fs::rename(env.data().join("checkpoints"), env.data().join("elsewhere")).unwrap();
    let data = env.data().to_str().unwrap().to_owned();
    let ended = Program::run(&["up", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("the log no longer reaches back to"), "{}", ended.stderr);
    std::fs::remove_dir_all(env.data().join("checkpoints")).unwrap();
    std::fs::rename(env.data().join("elsewhere"), env.data().join("checkpoints")).unwrap();
    env.restart(&small);
    assert_eq!(env.digests(), before);
}
