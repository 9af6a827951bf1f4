//! Kafka's own clients in Java at a real node, of the version that the broker of the tests has: they publish commands that
//! are decided, read events in a group, and describe topics and groups. Not for clients of other makers.

use super::{kafka, skipped};
use crate::process::{TestEnv, shop};
use ingest::testing::broker;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The node's topics as Kafka's tools have them.
struct Tools {
    libs: PathBuf,
    address: String,
}

impl Tools {
    /// Runs a tool to its end: what it prints, given these lines.
    fn run(&self, tool: &str, arguments: &[&str], lines: &str) -> String {
        self.run_main(&format!("org.apache.kafka.tools.{tool}"), arguments, lines)
    }

    /// The same for one that is elsewhere.
    fn run_main(&self, tool: &str, arguments: &[&str], lines: &str) -> String {
        let mut java = Command::new("java");
        // Such a process is over before its code is worth being compiled well.
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp"]).arg(self.libs.join("*"));
        java.arg(tool).args(["--bootstrap-server", &self.address]).args(arguments);
        java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = java.spawn().expect("a test that has a broker has Java");
        let mut stdin = process.stdin.take().expect("it was asked for");
        stdin.write_all(lines.as_bytes()).expect("it reads what it is given");
        drop(stdin);
        let output = process.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{tool}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Publishes commands, each with its headers and its key, as an idempotent producer.
    fn publish(&self, commands: &[(&str, &str, Value)]) {
        let line = |(id, key, data): &(&str, &str, Value)| {
            let headers = [
                "ce_specversion:1.0",
                &format!("ce_id:{id}"),
                "ce_type:tradewind.PlaceOrder.v1",
                "ce_source:/java",
                "content-type:application/json",
            ];
            format!("{}\t{key}\t{data}\n", headers.join(","))
        };
        let lines: String = commands.iter().map(line).collect();
        let arguments = ["--topic", "tradewind.orders.commands", "--compression-codec", "zstd"];
        let read = ["--reader-property", "parse.headers=true", "--reader-property", "parse.key=true"];
        self.run("ConsoleProducer", &[&arguments[..], &read].concat(), &lines);
    }

    /// The next events of orders that the group has not had: their types and data, by their keys.
    fn events(&self, count: usize) -> Vec<(String, String, Value)> {
        let count = count.to_string();
        let arguments = ["--topic", "tradewind.orders.events", "--group", "javas", "--from-beginning"];
        let limits = ["--max-messages", &count, "--timeout-ms", "60000"];
        let shown = ["--formatter-property", "print.headers=true", "--formatter-property", "print.key=true"];
        let printed = self.run("consumer.ConsoleConsumer", &[&arguments[..], &limits, &shown].concat(), "");
        let event = |line: &str| {
            let [headers, key, data] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let name = headers.split(',').find_map(|header| header.strip_prefix("ce_type:")).expect("a type");
            (key.to_owned(), name.to_owned(), serde_json::from_str(data).expect("data is JSON"))
        };
        let mut events: Vec<_> = printed.lines().map(event).collect();
        events.sort_by(|one, other| one.0.cmp(&other.0));
        events
    }
}

#[test]
fn java_publishes_commands_reads_events_in_a_group_and_describes() {
    let libs = match broker::libs() {
        Ok(libs) => libs,
        Err(why) => return skipped(&format!("there are no Kafka clients in Java: {why}")),
    };
    let env = TestEnv::start();
    let tools = Tools { libs, address: kafka(&env) };
    shop::stock(&env, "A", "reserve", 2);
    let order = |id: &str| {
        let mut order = shop::order("A", 1);
        order["order_id"] = json!(id);
        order
    };
    tools.publish(&["o1", "o2", "o3"].map(|id| (id, id, order(id))));
    let decided = ["o1", "o2", "o3"].map(|id| env.decided(id).json());
    let refused = decided.iter().filter(|operation| operation["code"] == "out_of_stock").count();
    let placed = decided.iter().filter(|operation| operation["status"] == "succeeded").count();
    assert_eq!((placed, refused), (2, 1), "{decided:?}");

    let events = tools.events(3);
    for ((key, name, data), operation) in events.iter().zip(&decided) {
        let was_placed = operation["status"] == "succeeded";
        let expected = if was_placed { "tradewind.OrderCreated.v1" } else { "tradewind.OrderRejected.v1" };
        assert_eq!((key, name.as_str()), (&operation["ids"]["order_id"].as_str().unwrap_or(key).to_owned(), expected));
        assert_eq!(data["cause"], operation["command_id"]);
    }
    // Who reads on has only what is new, since the group's place was kept.
    tools.publish(&[("o4", "o4", order("o4"))]);
    let next: Vec<_> = tools.events(1).into_iter().map(|(key, name, _)| (key, name)).collect();
    assert_eq!(next, [("o4".to_owned(), "tradewind.OrderRejected.v1".to_owned())]);

    let topics = tools.run("TopicCommand", &["--list"], "");
    assert!(topics.lines().any(|topic| topic == "tradewind.views.stock"), "{topics}");
    let described = tools.run("TopicCommand", &["--describe", "--topic", "tradewind.orders.events"], "");
    assert!(described.contains("PartitionCount: 8"), "{described}");
    assert_eq!(described.matches("Leader: 1").count(), 8, "{described}");
    let compacted = tools.run("TopicCommand", &["--describe", "--topic", "tradewind.views.stock"], "");
    let configs = compacted.lines().find_map(|line| line.split_once("Configs: ")).map(|(_, configs)| configs);
    let configs: Vec<&str> = configs.unwrap_or_default().trim().split(',').collect();
    // Only what is the topic's own is shown.
    assert!(configs.contains(&"cleanup.policy=compact") && configs.contains(&"retention.ms=-1"), "{compacted}");
    assert!(!compacted.contains("min.insync.replicas"), "{compacted}");
    let topic = ["--describe", "--entity-type", "topics", "--entity-name", "tradewind.views.stock"];
    let own = tools.run_main("kafka.admin.ConfigCommand", &topic, "");
    assert!(own.contains("cleanup.policy=compact") && own.contains("DYNAMIC_TOPIC_CONFIG:cleanup.policy"), "{own}");
    let ends = tools.run("GetOffsetShell", &["--topic", "tradewind.orders.commands"], "");
    let ends =
        ends.lines().map(|line| line.rsplit(':').next().and_then(|end| end.parse::<u64>().ok()).expect("an end"));
    assert_eq!(ends.sum::<u64>(), 4);
    let groups = tools.run("consumer.group.ConsumerGroupCommand", &["--list"], "");
    assert!(groups.lines().any(|group| group == "javas"), "{groups}");
    let group = tools.run("consumer.group.ConsumerGroupCommand", &["--describe", "--group", "javas"], "");
    let lags = group.lines().filter(|line| line.starts_with("javas")).map(|line| line.split_whitespace().nth(5));
    assert!(lags.clone().count() > 0 && lags.clone().all(|lag| lag == Some("0")), "{group}");
}
