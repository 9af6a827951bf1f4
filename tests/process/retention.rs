//! Outputs that are kept for a second only: they do not grow, and a reader of a view from its beginning has its rows,
//! whenever the node was killed. Not for what is left where: see `ingest/src/log/journal/compact`.

use super::program::PATIENCE;
use super::{Api, Program, TestEnv, Way, shop};
use dataflows::contract::domain::Domain;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::shop::row::View;
use ingest::log::kafka::KafkaLog;
use ingest::log::{Log, Partitions, kafka};
use ingest::testing::contract_tests::read_to;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_128;

const PARTITIONS: u32 = 4;
/// The time that outputs are kept, and rows that are gone once more as long: who reads from the beginning may take so long.
const KEPT: Duration = Duration::from_secs(1);
const SKUS: usize = 40;
/// Less than half of what is published.
const BYTES_MAX: f64 = 900_000.0;

/// By view, its rows as they are in its topic.
type Rows = BTreeMap<View, BTreeMap<Vec<u8>, Vec<u8>>>;

fn way() -> Way {
    let variables = [
        ("TRADEWIND_OUTPUTS_RETENTION_S", &*KEPT.as_secs().to_string()),
        ("TRADEWIND_OUTPUTS_SEGMENT_BYTES", "65536"),
        ("TRADEWIND_EXPORT_COMMIT_S", "1"),
        ("TRADEWIND_LOG_PARTITIONS", "4"),
    ];
    Way { variables: variables.map(|(name, value)| (name, value.to_owned())).into(), ..Way::workers(2) }
}

/// Waits, from epoch to epoch, until the node's status is so.
fn until(env: &TestEnv, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = env.get("/api/v1/status").ok().json();
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "the node stays as it is: {status}");
        let next = (status["epoch"].as_u64().unwrap_or(0) + 1).to_string();
        env.get_with("/api/v1/epochs/latest", &[("tradewind-min-epoch", &next), ("prefer", "wait=1")]);
    }
}

/// A thousand movements of stock, about 45 kB of outputs.
fn move_stock(api: &Api, round: usize) {
    let line = |number: usize| {
        let data = json!({"sku": format!("S{}", number % SKUS), "quantity": 1 + number % 7, "reason": "received"});
        json!({"id": format!("{round}-{number}"), "type": "MoveStock", "data": data}).to_string() + "\n"
    };
    let answers = api.batch((0..1_000).map(line).collect::<String>());
    assert!(answers.iter().all(|answer| answer["status"] == "succeeded"), "{:?}", answers.first());
}

/// The topics as librdkafka has them.
fn client(env: &TestEnv) -> KafkaLog {
    let address = env.get("/health/ready").ok().json()["kafka"].as_str().expect("an address").to_owned();
    let config = kafka::KafkaConfig { bootstrap: address, ..kafka::KafkaConfig::default() };
    KafkaLog::open(config, &Partitions::outputs(PARTITIONS)).expect("the topics are there")
}

/// What every view comes to for a reader from its beginning that is not slower than it may be.
fn folded(log: &KafkaLog) -> Rows {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let begun = Instant::now();
        let rows = folded_once(log);
        if begun.elapsed() < KEPT {
            return rows;
        }
        assert!(Instant::now() < deadline, "the last reader took {:?}", begun.elapsed());
    }
}

/// The same for a reader that takes each record once, however long that takes.
fn folded_once(log: &KafkaLog) -> Rows {
    let (starts, ends) = (log.starts().expect("starts"), log.ends().expect("ends"));
    let of_views = |cut: &Cut| {
        let mut views = Cut::default();
        cut.iter().filter(|(at, _)| matches!(at.topic, Topic::View(_))).for_each(|(at, next)| views.set(at, next));
        views
    };
    let (starts, ends) = (of_views(&starts), of_views(&ends));
    assert!(starts.iter().all(|(_, start)| start == 0), "a view is read from its beginning");
    let (mut rows, mut last): (Rows, BTreeMap<TopicPartition, (u64, u64)>) = Default::default();
    for found in read_to(&mut *log.reader(&starts).expect("a reader"), &ends) {
        let (at, record) = (found.origin.topic_partition(), found.record);
        let Topic::View(view) = at.topic else { continue };
        let place = ingest::output::publisher::place(&record).expect("every record says its place");
        if last.get(&at).is_none_or(|last| place > *last) {
            last.insert(at, place);
            let key = record.key.expect("a key").to_vec();
            match record.value {
                Some(value) => drop(rows.entry(view).or_default().insert(key, value.to_vec())),
                None => drop(rows.entry(view).or_default().remove(&key)),
            }
        }
    }
    rows
}

/// Once nothing changes any more, topics, views and tables say the same.
fn check(env: &TestEnv) {
    let rows_of = |view: &str| env.get("/api/v1/epochs/latest").ok().json()["views"][view]["rows"].as_u64();
    // Forgetting the last command is the last change.
    until(env, |_| rows_of("operations") == Some(0));
    let digests = env.digests();
    let epoch = env.get("/api/v1/epochs/latest").ok().epoch();
    until(env, |status| {
        status["gauges"]["export_epoch"].as_f64() >= Some(epoch as f64)
            && status["gauges"]["outputs_lag_epochs"].as_f64() == Some(0.0)
    });
    let rows = folded(&client(env));
    for view in View::ALL {
        let of_view = rows.get(view).cloned().unwrap_or_default();
        let (served, _) = env.rows(&format!("/api/v1/views/{}?limit=1000", view.name()));
        let served: BTreeMap<Vec<u8>, Value> = served
            .iter()
            .map(|row| (row["key"].as_str().expect("a key").as_bytes().to_vec(), row["value"].clone()))
            .collect();
        let parsed = of_view.iter().map(|(key, value)| (key.clone(), serde_json::from_slice(value).expect("JSON")));
        assert_eq!(parsed.collect::<BTreeMap<Vec<u8>, Value>>(), served, "{}", view.name());
        let digest = of_view.iter().fold(0_u128, |sum, (key, value)| {
            sum.wrapping_add(xxh3_128(&[view.name().as_bytes(), &[0], key, &[0], value].concat()))
        });
        assert_eq!(format!("{digest:032x}"), digests[view.name()], "{}", view.name());
    }
    assert_eq!(rows[&View::Stock].len(), SKUS);
    let verified = Program::run(&["export", "verify", "--to", env.base()]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn outputs_do_not_grow_and_views_are_read_from_their_beginning_whenever_the_node_is_killed() {
    let mut env = TestEnv::start_as(&way());
    // So that rows go, too: those of commands.
    env.command("PUT", "/api/v1/policy", "forget", &json!({"id_memory_s": 1})).ok();
    (0..SKUS).for_each(|sku| shop::stock(&env, &format!("S{sku}"), "reserve", 0));
    (0..12).for_each(|round| move_stock(&env, round));
    let events = TopicPartition::new(Topic::Events(Domain::Stock), 0);
    let log = client(&env);
    let status = until(&env, |_| log.starts().expect("starts").get(events) > Some(0));
    assert!(status["outputs_floor"]["epoch"].as_u64() > Some(0), "{status}");
    assert_eq!(status["stalled"], json!({}));
    check(&env);
    for round in 0..4 {
        (0..8).for_each(|number| move_stock(&env, 100 + 10 * round + number));
        env.kill();
        env.restart(&way());
    }
    check(&env);
    until(&env, |status| status["gauges"]["outputs_bytes"].as_f64() < Some(BYTES_MAX));
    env.stop();
    env.restart(&way());
    check(&env);
}
