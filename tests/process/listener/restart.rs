//! Clients of every kind over a restart of the node. Producers have the defaults of their libraries, most of which are
//! idempotent: all that they send is acknowledged and in the log. Java's groups read on where they were. Not for what the
//! protocol says: see `ingest/src/log/listener/tests/producers.rs`.
//!
//! Java's clients are of the version that most services have; with `TRADEWIND_TEST_CLIENTS=all` those of an older and of the
//! newest one, too.

use super::{are_all_wanted, file, python, run, skipped};
use crate::process::{TestEnv, Way};
use ingest::testing::{broker, free_port};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The topic that clients in Java publish to.
const TOPIC: &str = "tradewind.orders.commands";
const PARTITIONS: u32 = 8;

/// A node whose Kafka clients find it at the same address after a restart.
struct Node {
    env: TestEnv,
    way: Way,
    address: String,
}

impl Node {
    fn start() -> Node {
        let address = format!("127.0.0.1:{}", free_port().expect("a port is free"));
        let way = Way { kafka_listen: Some(address.clone()), ..Way::workers(1) };
        Node { env: TestEnv::start_as(&way), way, address }
    }

    fn stop(&mut self) {
        self.env.stop();
    }

    fn start_again(&mut self) {
        self.env.restart(&self.way);
    }

    /// The number of records there are in the topic that clients in Java publish to.
    fn appended(&self) -> u64 {
        let mut request = b"\0\x02\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01".to_vec();
        request.extend([0, u8::try_from(TOPIC.len()).expect("a short name")]);
        request.extend(TOPIC.as_bytes());
        request.extend(PARTITIONS.to_be_bytes());
        for partition in 0..PARTITIONS {
            request.extend(partition.to_be_bytes());
            // Where it ends.
            request.extend((-1_i64).to_be_bytes());
        }
        let mut socket = TcpStream::connect(&self.address).expect("the node listens");
        let length = u32::try_from(request.len()).expect("a short request").to_be_bytes();
        socket.write_all(&[&length[..], &request].concat()).expect("it reads");
        let mut head = vec![0; 4 + 4 + 4 + 2 + TOPIC.len() + 4];
        socket.read_exact(&mut head).expect("it answers");
        let end = |_| {
            // The number, the code, a time, and the offset.
            let mut partition = [0; 4 + 2 + 8 + 8];
            socket.read_exact(&mut partition).expect("it answers for each");
            u64::from_be_bytes(partition[14..].try_into().expect("eight bytes"))
        };
        (0..PARTITIONS).map(end).sum()
    }
}

/// The lines that a client says, up to that one.
fn until_said(lines: &mut dyn Iterator<Item = std::io::Result<String>>, word: &str) -> bool {
    lines.map_while(Result::ok).any(|line| line == word)
}

/// Runs a client, which is given the address of the node and then these arguments. The node is stopped when the client says
/// `begun`, and started again when it says `more`.
pub fn over_a_restart(name: &str, mut client: Command, arguments: &[&str]) {
    let mut node = Node::start();
    client.arg(&node.address).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().expect("it runs");
    let mut lines = BufReader::new(client.stdout.take().expect("it was asked for")).lines();
    let well = until_said(&mut lines, "begun")
        && {
            node.stop();
            until_said(&mut lines, "more")
        }
        && {
            node.start_again();
            until_said(&mut lines, "all well")
        };
    let mut said = String::new();
    client.stderr.take().expect("it was asked for").read_to_string(&mut said).expect("it says text");
    let ended = client.wait().expect("it ends");
    assert!(well && ended.success(), "{name}: {said}");
    node.env.assert_sound();
}

/// Runs eight producers of a library in Python over a restart.
fn python_s_producers_over_a_restart(library: &str) {
    let Some(python) = python() else { return };
    let mut client = Command::new(python);
    client.arg(file("tests/process/listener/restart.py")).arg(library);
    over_a_restart(library, client, &[library]);
}

#[test]
fn librdkafka_s_producers_continue_after_a_restart() {
    python_s_producers_over_a_restart("confluent-kafka");
}

#[test]
fn kafka_python_s_producers_continue_after_a_restart() {
    python_s_producers_over_a_restart("kafka-python");
}

#[test]
fn aiokafka_s_producers_continue_after_a_restart() {
    python_s_producers_over_a_restart("aiokafka");
}

/// The number of messages each producer in Java sends, and how many in a second.
const MESSAGES: u64 = 60;
const RATE: u64 = 12;

/// The client of that version and Kafka's own programs that publish and read with it, fetched by Maven once; without all that
/// the programs do not need.
fn clients(version: &str) -> std::io::Result<PathBuf> {
    const JSON: (&str, &str) = ("com.fasterxml.jackson.core", "2.19.2");
    const NEEDED: [(&str, &str, &str); 8] = [
        ("org.apache.kafka", "kafka-clients", ""),
        ("org.apache.kafka", "kafka-tools", ""),
        ("org.apache.kafka", "kafka-server-common", ""),
        ("net.sourceforge.argparse4j", "argparse4j", "0.7.0"),
        ("org.slf4j", "slf4j-api", "1.7.36"),
        (JSON.0, "jackson-databind", JSON.1),
        (JSON.0, "jackson-core", JSON.1),
        (JSON.0, "jackson-annotations", JSON.1),
    ];
    let dependency = |(group, artifact, own): &(&str, &str, &str)| {
        let version = if own.is_empty() { version } else { own };
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>\
             <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
        )
    };
    // The first versions had all of the programs in one part.
    let needed =
        NEEDED.iter().filter(|(_, artifact, _)| *artifact != "kafka-server-common" || !version.starts_with("2."));
    let pom = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>tradewind</groupId><artifactId>clients</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{}</dependencies></project>",
        needed.map(dependency).collect::<String>()
    );
    broker::fetched(&format!("kafka-programs-{version}"), &pom)
}

/// One of Kafka's programs.
fn java(libs: &Path, program: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx96m", "-cp"]).arg(libs.join("*"));
    java.arg(format!("org.apache.kafka.tools.{program}")).args(["--topic", TOPIC]);
    java
}

/// A producer in Java with its defaults.
fn producer(libs: &Path, address: &str) -> Child {
    let mut java = java(libs, "ProducerPerformance");
    java.args(["--num-records", &MESSAGES.to_string(), "--throughput", &RATE.to_string(), "--record-size", "20"]);
    java.args(["--producer-props", &format!("bootstrap.servers={address}")]);
    java.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    java.spawn().expect("a test that has jars has Java")
}

/// Has a member of a group in Java read so many messages: by partition, where it began and where it committed that the next
/// one begins.
fn read(libs: &Path, address: &str, count: u64) -> BTreeMap<u64, (u64, u64)> {
    let mut java = java(libs, "VerifiableConsumer");
    java.args(["--bootstrap-server", address, "--group-id", "members", "--reset-policy", "earliest"]);
    let output = run(java.args(["--max-messages", &count.to_string()])).unwrap_or_else(|why| panic!("{why}"));
    let mut places = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with('{')) {
        let event: Value = serde_json::from_str(line).expect("what it says is JSON");
        let number = |of: &Value, name: &str| of[name].as_u64().expect("a number");
        let all = |name: &str| event[name].as_array().into_iter().flatten();
        if event["name"] == "records_consumed" {
            for of in all("partitions") {
                let first = number(of, "minOffset");
                places.entry(number(of, "partition")).or_insert((first, first));
            }
        } else if event["name"] == "offsets_committed" {
            assert_eq!(event["success"], true, "{event}");
            for of in all("offsets") {
                places.get_mut(&number(of, "partition")).expect("it was read").1 = number(of, "offset");
            }
        }
    }
    places
}

/// A group in Java reads a half, and after a restart of the node the rest, each message once.
fn a_group_continues(node: &mut Node, libs: &Path, all: u64) {
    let first = read(libs, &node.address, all / 2);
    node.stop();
    node.start_again();
    let second = read(libs, &node.address, all - all / 2);
    let mut committed: BTreeMap<u64, u64> = first.iter().map(|(partition, (_, next))| (*partition, *next)).collect();
    for (partition, (begun, next)) in second {
        assert_eq!(begun, committed.insert(partition, next).unwrap_or(0), "partition {partition}");
    }
    assert_eq!(committed.values().sum::<u64>(), all);
}

fn java_continues(version: &str, producers: u64) {
    let libs = match clients(version) {
        Ok(libs) => libs,
        Err(why) => return skipped(&format!("there are no Kafka clients {version} in Java: {why}")),
    };
    let mut node = Node::start();
    let running: Vec<Child> = (0..producers).map(|_| producer(&libs, &node.address)).collect();
    broker::until("a part of the messages", || (node.appended() > producers * MESSAGES / 6).then_some(()));
    node.stop();
    node.start_again();
    for one in running {
        let output = one.wait_with_output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success() && said.contains(&format!("{MESSAGES} records sent")), "{version}: {said}");
        assert!(!said.contains("Exception"), "{version}: {said}");
    }
    let appended = broker::until("all messages", || Some(node.appended()).filter(|all| *all >= producers * MESSAGES));
    // Who did not hear the acknowledgement sends what was on its way once more.
    assert!(appended <= producers * (MESSAGES + 10), "{appended}");
    a_group_continues(&mut node, &libs, appended);
}

#[test]
fn java_s_producers_and_groups_continue_after_a_restart() {
    java_continues("3.9.1", 2);
}

#[test]
fn other_versions_of_java_s_client_continue_after_a_restart() {
    if are_all_wanted() {
        ["2.8.2", "4.3.1"].into_iter().for_each(|version| java_continues(version, 8));
    }
}
