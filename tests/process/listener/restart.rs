//! Producers of every kind that go on over a restart of the node, with the defaults of their libraries, most of which are
//! idempotent: all that they send is acknowledged and in the log. Not for what the protocol says: see
//! `ingest/src/listener/tests/producers.rs`.
//!
//! Java's are of the version that most services have; with `TRADEWIND_TEST_CLIENTS=all` those of an older and of the newest
//! one, too.

use super::{are_all_wanted, file, python, skipped};
use crate::process::{TestEnv, Way};
use ingest::testing::broker;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What clients in Java publish to.
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
        // Free again at the end of the statement.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("a free port").to_string();
        let way = Way { kafka_listen: Some(address.clone()), ..Way::workers(1) };
        Node { env: TestEnv::start_as(&way), way, address }
    }

    fn stop(&mut self) {
        self.env.stop();
    }

    fn start_again(&mut self) {
        self.env.restart(&self.way);
    }

    /// How many records there are in the topic that clients in Java publish to.
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

/// Runs eight producers of a library in Python over a restart.
fn over_a_restart(library: &str) {
    let Some(python) = python() else { return };
    let mut node = Node::start();
    let mut client = Command::new(python);
    client.arg(file("tests/process/listener/restart.py")).args([library, &node.address, library]);
    let mut client =
        client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
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
    assert!(well && ended.success(), "{library}: {said}");
    node.env.assert_sound();
}

#[test]
fn librdkafka_s_producers_continue_after_a_restart() {
    over_a_restart("confluent-kafka");
}

#[test]
fn kafka_python_s_producers_continue_after_a_restart() {
    over_a_restart("kafka-python");
}

#[test]
fn aiokafka_s_producers_continue_after_a_restart() {
    over_a_restart("aiokafka");
}

/// How many messages each producer in Java sends, and how many in a second.
const MESSAGES: u64 = 60;
const RATE: u64 = 12;

/// The client of that version and Kafka's own program that publishes with it, fetched by Maven once; without all that the
/// program does not need.
fn clients(version: &str) -> std::io::Result<PathBuf> {
    const NEEDED: [(&str, &str, &str); 5] = [
        ("org.apache.kafka", "kafka-clients", ""),
        ("org.apache.kafka", "kafka-tools", ""),
        ("org.apache.kafka", "kafka-server-common", ""),
        ("net.sourceforge.argparse4j", "argparse4j", "0.7.0"),
        ("org.slf4j", "slf4j-api", "1.7.36"),
    ];
    let dependency = |(group, artifact, own): &(&str, &str, &str)| {
        let version = if own.is_empty() { version } else { own };
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>\
             <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
        )
    };
    // The first versions had all of the program in one part.
    let needed =
        NEEDED.iter().filter(|(_, artifact, _)| *artifact != "kafka-server-common" || !version.starts_with("2."));
    let pom = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>tradewind</groupId><artifactId>clients</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{}</dependencies></project>",
        needed.map(dependency).collect::<String>()
    );
    broker::fetched(&format!("kafka-clients-{version}"), &pom)
}

/// A producer in Java with its defaults.
fn producer(libs: &Path, address: &str) -> Child {
    let mut java = Command::new("java");
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx96m", "-cp"]).arg(libs.join("*"));
    java.args(["org.apache.kafka.tools.ProducerPerformance", "--topic", TOPIC]);
    java.args(["--num-records", &MESSAGES.to_string(), "--throughput", &RATE.to_string(), "--record-size", "20"]);
    java.args(["--producer-props", &format!("bootstrap.servers={address}")]);
    java.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    java.spawn().expect("a test that has jars has Java")
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
}

#[test]
fn java_s_producers_continue_after_a_restart() {
    java_continues("3.9.1", 2);
}

#[test]
fn producers_of_other_versions_of_java_s_client_continue_after_a_restart() {
    if are_all_wanted() {
        ["2.8.2", "4.3.1"].into_iter().for_each(|version| java_continues(version, 8));
    }
}
