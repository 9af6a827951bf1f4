//! Kafka clients of other makers at a real node: kcat, confluent-kafka, kafka-python and aiokafka publish, read, and share
//! a topic in groups, and so do Kafka's own in Java: see `java`; an example service places an order. Not for the protocol:
//! see `ingest/src/log/listener/tests`. Producers continue over a restart of the node: see `restart`; and so do clients in Go
//! and for Node.js with `TRADEWIND_TEST_CLIENTS=all`: see `go` and `kafkajs`.
//!
//! The clients in Python and for Node.js are installed into the folder of all that is built. A client that cannot be had is
//! told as skipped, and fails the test if `TRADEWIND_TEST_NO_SKIP=1`.

mod go;
mod java;
mod kafkajs;
mod restart;

use super::{Api, Program, TestEnv, Way, shop};
use ingest::testing::broker::Broker;
use ingest::testing::free_port;
use serde_json::{Value, json};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const PACKAGES: [&str; 3] = ["confluent-kafka==2.16.1", "kafka-python==3.0.12", "aiokafka==0.14.0"];

/// True if clients are wanted too that take long to be fetched or compiled, and further versions of the others.
fn are_all_wanted() -> bool {
    std::env::var_os("TRADEWIND_TEST_CLIENTS").is_some_and(|value| value == "all")
}

/// Says that a client is not to be had, or fails where none may be missing.
fn skipped(why: &str) {
    assert!(std::env::var_os("TRADEWIND_TEST_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
    // Written past the test harness, which keeps what passing tests print to itself.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
}

/// The output of a program, if it ended well.
fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{name}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// A folder of that name in the folder of all that is built.
fn built(name: &str) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // A test is `target/debug/deps/NAME`.
    Ok(program.ancestors().nth(3).ok_or("there is no folder of all that is built")?.join(name))
}

/// A Python with the clients, made once; none if it cannot be had, which is then told.
fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let folder = built("kafka-clients")?;
        let python = folder.join("bin/python");
        if !python.exists() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        }
        run(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(PACKAGES))?;
        Ok(python)
    });
    made.as_ref().map_err(|why| skipped(&format!("there are no Kafka clients in Python: {why}"))).ok().cloned()
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The place where Kafka clients find the node.
fn kafka(api: &Api) -> String {
    api.get("/health/ready").ok().json()["kafka"].as_str().expect("an address").to_owned()
}

/// Runs a client to its end.
fn library(name: &str, address: &str) {
    let Some(python) = python() else { return };
    let script = file("tests/process/listener/clients.py");
    let run_name = format!("run-{name}");
    let output = run(Command::new(python).arg(script).args([name, address, &run_name]));
    let output = output.unwrap_or_else(|why| panic!("{name}: {why}"));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("all well\n"), "{output:?}");
}

#[test]
fn confluent_kafka_publishes_with_every_codec_and_reads_in_a_group() {
    library("confluent-kafka", &kafka(&TestEnv::start()));
}

#[test]
fn kafka_python_publishes_and_reads_in_a_group() {
    library("kafka-python", &kafka(&TestEnv::start()));
}

#[test]
fn aiokafka_publishes_and_reads_in_a_group() {
    library("aiokafka", &kafka(&TestEnv::start()));
}

#[test]
fn kcat_publishes_with_every_codec_and_reads_it_back() {
    let env = TestEnv::start();
    let address = kafka(&env);
    if let Err(why) = run(Command::new("kcat").arg("-V")) {
        return skipped(&format!("there is no kcat: {why}"));
    }
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = "printf 'key:value-%s\\n' \"$1\" | kcat -b \"$0\" -P -t tradewind.stock.commands -K: -z \"$1\"";
        run(Command::new("sh").args(["-c", line, &address, codec])).expect("kcat publishes");
    }
    let read = ["-b", &address, "-C", "-t", "tradewind.stock.commands", "-o", "beginning", "-e", "-q", "-f", "%k=%s\n"];
    let read = run(Command::new("kcat").args(read)).expect("kcat reads");
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["gzip", "lz4", "none", "snappy", "zstd"].map(|codec| format!("key=value-{codec}")));
}

/// The service of `deploy/examples` publishes a command and reads the event: its type, and its data.
fn place_order(python: &Path, kafka: &str, order: &str) -> (String, Value) {
    let output = run(Command::new(python).arg(file("deploy/examples/place_order.py")).args([kafka, order, "A"]));
    let text = String::from_utf8(output.expect("the example ends").stdout).expect("it prints text");
    let (name, data) = text.split_once(' ').expect("a type and data");
    (name.to_owned(), serde_json::from_str(data).expect("data is JSON"))
}

/// What the example prints on a shop with one piece, before and after a restart.
fn the_example_places_orders(python: &Path, mut env: TestEnv, way: &Way) {
    shop::stock(&env, "A", "reserve", 1);
    let created = place_order(python, &kafka(&env), "o1");
    assert_eq!((created.0.as_str(), &created.1["order"]["status"]), ("tradewind.OrderCreated.v1", &json!("paid")));
    assert_eq!(env.get("/api/v1/orders/o1").ok().json()["status"], "paid");
    env.stop();
    env.restart(way);
    let refused = place_order(python, &kafka(&env), "o2");
    let expected = ("tradewind.OrderRejected.v1", &json!("out_of_stock"));
    assert_eq!((refused.0.as_str(), &refused.1["code"]), expected, "nothing was forgotten");
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["reserved"], 1);
    env.assert_sound();
}

#[test]
fn an_example_service_places_an_order() {
    let Some(python) = python() else { return };
    the_example_places_orders(&python, TestEnv::start(), &Way::default());
}

/// The same service over Apache Kafka, under the names that topics have by default.
#[test]
fn an_example_service_places_an_order_over_apache_kafka() {
    let Some(python) = python() else { return };
    let Some(broker) = Broker::start() else { return };
    let variables = vec![
        ("TRADEWIND_KAFKA_BOOTSTRAP", broker.address().to_owned()),
        ("TRADEWIND_KAFKA_PARTITIONS", "4".to_owned()),
        ("TRADEWIND_KAFKA_REPLICATION", "1".to_owned()),
    ];
    let way = Way { variables, ..Way::workers(2) };
    let made = Program::start(&["topics", "create"], &way.variables).end();
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    the_example_places_orders(&python, TestEnv::start_as(&way), &way);
}

#[test]
fn the_listener_is_where_it_is_told_to_be() {
    let nowhere = TestEnv::start_as(&Way { kafka_listen: Some("none".to_owned()), ..Way::default() });
    assert_eq!(nowhere.get("/health/ready").ok().json()["kafka"], Value::Null);

    let taken = format!("127.0.0.1:{}", free_port().expect("a port is free"));
    let env = TestEnv::start_as(&Way { kafka_listen: Some(taken.clone()), ..Way::default() });
    assert_eq!(kafka(&env), taken);

    for (listen, why) in [(taken.as_str(), "listening for Kafka clients at"), ("0.0.0.0:0", "a loopback address")] {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let data = folder.path().display().to_string();
        let arguments = ["up", "--data", &data, "--listen", "127.0.0.1:0", "--kafka-listen", listen];
        let ended = Program::run(&arguments);
        assert!(ended.code != Some(0) && ended.stderr.contains(why), "{ended:?}");
    }
}

/// The place where the listener is by default.
const DEFAULT: &str = "127.0.0.1:9092";

/// Takes the default port; none if somebody keeps it.
fn take_default_port() -> Option<TcpListener> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        // A node of another test may have it for a moment.
        match TcpListener::bind(DEFAULT) {
            Ok(taken) => return Some(taken),
            Err(_) if Instant::now() > deadline => return None,
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

#[test]
fn where_the_default_port_is_taken_another_is_told() {
    let _taken = take_default_port();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let data = folder.path().display().to_string();
    let node = Program::start(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--workers", "1"], &[]);
    let api = Api::new(&node.said("ready at ").expect("the node starts all the same"));
    let address = kafka(&api);
    assert!(address.starts_with("127.0.0.1:") && address != DEFAULT, "{address}");
    assert!(node.stderr().contains(&address), "{}", node.stderr());
    TcpStream::connect(&address).expect("it listens there");
}
