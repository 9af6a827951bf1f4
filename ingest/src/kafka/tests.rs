//! Apache Kafka as the log, against a real broker: the contract of every log, and what only it has to bear: brokers that
//! go, transactions of others, topics that are not ours.

use super::topics::{Layout, Topics};
use super::*;
use crate::contract_tests;
use crate::testing::broker::Broker;
use std::sync::atomic::{AtomicU32, Ordering};

/// A configuration for topics that no other test has.
fn config(broker: &Broker) -> Config {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let topic_prefix = format!("test-{}-{number}.", std::process::id());
    Config { bootstrap: broker.address().to_owned(), topic_prefix, ..Config::default() }
}

const LAYOUT: Layout = Layout { partitions: contract_tests::PARTITIONS, replication: 1, min_insync_replicas: 1 };

/// Makes the topics of a configuration, and opens them.
fn made(config: &Config) -> KafkaLog {
    Topics::open(config, LAYOUT).unwrap().create().unwrap();
    KafkaLog::open(config.clone(), &Partitions::uniform(contract_tests::PARTITIONS)).unwrap()
}

#[test]
fn it_keeps_the_contract() {
    let Some(broker) = Broker::shared() else { return };
    contract_tests::run_all(|| Arc::new(made(&config(broker))));
}
