//! The real process over a real Apache Kafka: the same answers as over the embedded log, topics that do not fit, a broker
//! that goes. `restart` has the kills.

use super::restart::outlives;
use super::{Api, Program, ProgramExit, TestEnv, Way, shop, warehouse};
use crate::support::{for_each_seed, seeds, test_data};
use ingest::testing::broker::Broker;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// As many as the embedded log has, so that records stand at the same places.
const PARTITIONS: u32 = 8;

/// A way to run over topics that no other test has, which are made.
fn way(broker: &Broker) -> Way {
    let way = without_topics(broker);
    let ended = topics("create", &way);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    way
}

fn without_topics(broker: &Broker) -> Way {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("process-{}-{number}.", std::process::id());
    let variables = vec![
        ("TRADEWIND_KAFKA_BOOTSTRAP", broker.address().to_owned()),
        ("TRADEWIND_KAFKA_TOPIC_PREFIX", prefix),
        ("TRADEWIND_KAFKA_PARTITIONS", PARTITIONS.to_string()),
        ("TRADEWIND_KAFKA_REPLICATION", "1".to_owned()),
    ];
    Way { variables, ..Way::workers(2) }
}

fn topics(what: &str, way: &Way) -> ProgramExit {
    Program::start(&["topics", what, "--json"], &way.variables).end()
}

/// The rows of every view, without what says when they were decided.
fn rows(api: &Api) -> BTreeMap<String, BTreeMap<String, Value>> {
    let views = api.get("/api/v1/views").ok().json();
    let names = views["data"].as_array().expect("a list").iter().map(|view| view["name"].as_str().expect("a name"));
    let of_view = |name: &str| {
        let (rows, _) = api.rows(&format!("/api/v1/views/{name}?limit=1000"));
        let row = |row: &Value| (row["key"].as_str().expect("a key").to_owned(), without_when(&row["value"]));
        (name.to_owned(), rows.iter().map(row).collect())
    };
    names.map(of_view).collect()
}

fn without_when(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !["epoch", "at"].contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), without_when(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_when).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn a_year_of_a_real_shop_gives_the_same_rows_over_either_log() {
    let Some(data) = test_data() else { return };
    let Some(broker) = Broker::shared() else { return };
    let file = data.join("online_retail/online_retail.parquet").display().to_string();
    let commits = ("TRADEWIND_EXPORT_COMMIT_S", "5".to_owned());
    let embedded = TestEnv::start_as(&Way { variables: vec![commits.clone()], ..Way::workers(2) });
    let mut way = way(broker);
    // It is replayed from its beginning at the end, however long the import takes.
    way.variables.extend([("TRADEWIND_CHECKPOINTS_LOG_KEPT", "all".to_owned()), commits]);
    let mut kafka = TestEnv::start_as(&way);
    let imports =
        [&embedded, &kafka].map(|env| Program::start(&["import", "online-retail", &file, "--to", env.base()], &[]));
    for mut import in imports {
        let ended = import.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let (expected, found) = (rows(&embedded), rows(&kafka));
    for (view, expected) in &expected {
        let found = &found[view];
        assert_eq!(found.len(), expected.len(), "{view}");
        for (key, row) in expected {
            assert_eq!(found.get(key), Some(row), "{view} {key}");
        }
    }
    assert_eq!(found.len(), expected.len());
    assert!(expected["orders"].len() > 20_000, "there is something to compare");
    // So do the tables for analysts.
    for env in [&embedded, &kafka] {
        warehouse::exported(env, env.get("/api/v1/epochs/latest").ok().epoch());
        warehouse::verified(env);
    }
    if let Some(python) = warehouse::python() {
        assert!(warehouse::same(&python, embedded.data(), kafka.data()) > 2 * 500_000, "there is something to compare");
    }
    // From a checkpoint or from the start, it is the same again.
    let digests = kafka.digests();
    kafka.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
    let way = Way { workers: Some(1), ..way };
    for _ in 0..2 {
        kafka.stop();
        kafka.restart(&way);
        assert_eq!(kafka.digests(), digests);
        // The second time there is none.
        let _ = std::fs::remove_dir_all(kafka.data().join("checkpoints"));
    }
}

#[test]
fn topics_that_do_not_fit_stop_the_start_and_are_told() {
    let Some(broker) = Broker::shared() else { return };
    let way = without_topics(broker);
    let folder = TempDir::with_prefix("tradewind-test-").expect("there is room for a folder");
    let data = folder.path().join("data").display().to_string();
    let up = |way: &Way| Program::start(&["up", "--listen", "127.0.0.1:0", "--data", &data], &way.variables).end();
    let refused = up(&way);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("orders.commands is missing"), "{}", refused.stderr);
    assert!(refused.stderr.contains("tradewind topics create"), "{}", refused.stderr);
    let missing = topics("check", &way);
    assert_eq!(missing.code, Some(1));
    let told: Value = serde_json::from_str(&missing.stdout).expect("JSON");
    let first = &told["differences"][0];
    assert_eq!((&first["what"], &first["found"]), (&json!("topic"), &Value::Null), "{told}");

    let made = topics("create", &way);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let told: Value = serde_json::from_str(&made.stdout).expect("JSON");
    assert!(told["made"].as_array().is_some_and(|made| made.len() > 10), "{told}");
    assert_eq!(topics("check", &way).code, Some(0));

    let mut other = way.clone();
    for (name, value) in &mut other.variables {
        if *name == "TRADEWIND_KAFKA_PARTITIONS" {
            *value = "9".to_owned();
        }
    }
    let refused = up(&other);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("orders.commands has 8 partitions, and 9 are wanted"), "{}", refused.stderr);
    let differs = topics("create", &other);
    assert_eq!(differs.code, Some(1));
    assert!(differs.stderr.contains("nothing was changed"), "{}", differs.stderr);
    assert_eq!(topics("check", &way).code, Some(0), "it is as it was");
}

#[test]
fn a_folder_goes_on_with_its_own_log_only() {
    let Some(broker) = Broker::shared() else { return };
    let (way, other) = (way(broker), self::way(broker));
    let mut env = TestEnv::start_as(&way);
    assert_eq!(env.get("/health/ready").ok().json()["kafka"], broker.address());
    shop::stock(&env, "A", "reserve", 5);
    let digests = env.digests();
    env.stop();
    let data = env.data().display().to_string();
    for (wrong, why) in [(&other, "of cluster"), (&Way::default(), "belongs to a log in Kafka")] {
        let ended = Program::start(&["up", "--listen", "127.0.0.1:0", "--data", &data], &wrong.variables).end();
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    let target = env.data().join("copy").display().to_string();
    env.restart(&way);
    env.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
    env.stop();
    let copied = Program::run(&["checkpoint", "copy", &target, "--data", &data]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    env.restart(&way);
    assert_eq!(env.digests(), digests);
    env.stop();
    let mut arguments = vec!["up", "--listen", "127.0.0.1:0", "--data", &target];
    arguments.extend(["--workers", "1"]);
    let alone = Program::start(&arguments, &way.variables).end();
    assert_eq!(alone.code, Some(1));
    assert!(alone.stderr.contains("copy its root-<n>.key files"), "{}", alone.stderr);
    let secrets = ("TRADEWIND_AUTH_SECRETS_DIR", env.data().join("secrets").display().to_string());
    let copy = Program::start(&arguments, &[way.variables.clone(), vec![secrets]].concat());
    let base = copy.said("ready at ").expect("the copy goes on from the same log");
    assert_eq!(Api::new(&base).get("/api/v1/stock/A").ok().json()["on_hand"], 5);
}

/// While the only broker is away the node says so, takes nothing and still answers; then it continues by itself.
#[test]
fn a_node_bears_that_its_broker_goes() {
    let Some(broker) = Broker::start() else { return };
    let mut way = way(&broker);
    way.variables.push(("TRADEWIND_KAFKA_APPEND_MS_MAX", "3000".to_owned()));
    way.variables.push(("TRADEWIND_KAFKA_ANSWER_MS_MAX", "5000".to_owned()));
    let env = TestEnv::start_as(&way);
    shop::stock(&env, "A", "reserve", 5);
    // Else it would end when the broker is back, now and then: see `zeroed.rs`.
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", env.program().id())).expect("it runs");
    assert!(environment.contains("GLIBC_TUNABLES=glibc.malloc.perturb=255"), "{environment}");
    broker.kill();
    env.until_ready(false);
    let refused = env.post("/api/v1/orders", "o1", &shop::order("A", 1));
    assert_eq!(refused.problem(), (503, "log_unavailable".to_owned()));
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 5, "what is known is answered");
    broker.restart();
    env.until_ready(true);
    let again = env.post("/api/v1/orders", "o1", &shop::order("A", 1));
    assert!(again.status == 201, "{again:?}");
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["reserved"], 1);
    env.assert_sound();
}

/// Broker, node and both are killed in turn. `TRADEWIND_TEST_KAFKA_KILLS=150` is 50 of each.
#[test]
fn what_was_acknowledged_outlives_broker_and_node() {
    let kills = match std::env::var("TRADEWIND_TEST_KAFKA_KILLS") {
        Ok(kills) => kills.parse().expect("TRADEWIND_TEST_KAFKA_KILLS is a whole number"),
        Err(_) => 9,
    };
    for_each_seed("process::kafka", seeds(1, 1), |seed| {
        let Some(broker) = Broker::start() else { return };
        let mut way = way(&broker);
        way.variables.push(("TRADEWIND_KAFKA_APPEND_MS_MAX", "3000".to_owned()));
        // A broker that is not long back, on a busy machine, may keep a node that starts waiting.
        way.variables.push(("TRADEWIND_KAFKA_ANSWER_MS_MAX", "30000".to_owned()));
        outlives(seed, kills, &way, &broker);
    });
}
