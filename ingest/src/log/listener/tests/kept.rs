//! The settings of topics: as clients get them, and as librdkafka reads a view of which only the newest records are
//! left. Not for what is left.

use super::protocol::Client;
use super::*;
use crate::log::Record;
use crate::testing::contract_tests::{append, read_to};
use bytes::Bytes;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::shop::row::View;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

const STOCK: TopicPartition = TopicPartition::new(Topic::View(View::Stock), 1);
const KEYS: usize = 10;

fn cut(at: TopicPartition, offset: u64) -> Cut {
    let mut cut = Cut::default();
    cut.set(at, offset);
    cut
}

#[test]
fn a_compacted_view_is_read_from_any_offset_as_the_journal_has_it() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    for number in 0..400 {
        // Some rows are rarely written, so that their records are far apart.
        let key = if number % 50 == 0 { number / 50 % KEYS } else { number % 3 };
        let value = (number % 7 != 6).then(|| Bytes::from(format!("{number} {}", "v".repeat(200))));
        let (key, timestamp_ms) = (Some(Bytes::from(format!("key {key}"))), 1_700_000_000_000 + number as i64);
        append(&*served.outputs, vec![(STOCK, Record { key, value, headers: Vec::new(), timestamp_ms })]).unwrap();
    }
    let ends = served.outputs.ends().unwrap();
    served.outputs.delete_before(&ends).unwrap();
    let read = |log: &dyn Log, from: u64| read_to(&mut *log.reader(&cut(STOCK, from)).unwrap(), &cut(STOCK, 400));
    let log = served.client_of(&Partitions::outputs(PARTITIONS));
    assert_eq!(log.starts().unwrap().get(STOCK), Some(0));
    let all = read(&*served.outputs, 0);
    let holes = all.windows(2).filter(|pair| pair[0].origin.offset + 1 < pair[1].origin.offset).count();
    assert!(all.len() < 200 && holes > 3, "{} records, {holes} holes", all.len());
    for from in [0, 1, all[2].origin.offset, all[3].origin.offset + 1, 399] {
        assert_eq!(read(&log, from), read(&*served.outputs, from), "from {from}");
    }
}

/// The settings of a topic as clients get them.
fn settings(client: &mut Client, name: &str) -> BTreeMap<String, String> {
    const TOPIC: i8 = 2;
    let asked = DescribeConfigsResource::default().with_resource_type(TOPIC).with_configuration_keys(None);
    let asked = asked.with_resource_name(StrBytes::from_string(format!("{PREFIX}{name}")));
    let answer = client.ask(1, &DescribeConfigsRequest::default().with_resources(vec![asked]));
    let told = answer.results[0].configs.iter();
    told.map(|one| (one.name.to_string(), one.value.as_ref().unwrap().to_string())).collect()
}

#[test]
fn clients_are_told_how_topics_are_kept() {
    let served =
        TestListener::start(Access::Client, ListenerConfig { outputs_kept_ms: 5_000, ..ListenerConfig::default() });
    let mut client = Client::of(&served);
    let mut told = |topic: &str, names: [&str; 4]| {
        let settings = settings(&mut client, topic);
        names.map(|name| settings.get(name).cloned().unwrap_or_default())
    };
    const NAMES: [&str; 4] = ["cleanup.policy", "retention.ms", "delete.retention.ms", "min.compaction.lag.ms"];
    assert_eq!(told("views.stock", NAMES), ["compact", "-1", "5000", "5000"]);
    for topic in ["orders.events", "views.progress", "dead-letters"] {
        assert_eq!(told(topic, NAMES), ["delete", "5000", "", ""], "{topic}");
    }
    for topic in ["orders.commands", "activity", "epochs"] {
        assert_eq!(told(topic, NAMES), ["delete", "-1", "", ""], "{topic}");
    }
}
