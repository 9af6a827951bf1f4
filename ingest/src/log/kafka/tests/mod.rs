//! Apache Kafka as the log, against a real broker: the contract of every log, and what only it has to bear: topics that do
//! not fit, and records of others. `away` has brokers that go, `transactions` those of others.

mod away;
mod transactions;

use super::topics::{TopicLayout, Topics};
use super::*;
use crate::testing::broker::{Broker, until};
use crate::testing::contract_tests;
use crate::testing::contract_tests::{LIMIT, append, beginning, by_partition, read_to, text};
use dataflows::contract::topic::Topic;
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);
const LAYOUT: TopicLayout =
    TopicLayout { partitions: contract_tests::PARTITIONS, replication: 1, min_insync_replicas: 1 };
const LONGEST: Duration = Duration::from_secs(60);

/// A configuration for topics that no other test has.
fn config(broker: &Broker) -> KafkaConfig {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let topic_prefix = format!("test-{}-{number}.", std::process::id());
    KafkaConfig { bootstrap: broker.address().to_owned(), topic_prefix, ..KafkaConfig::default() }
}

fn opened(config: &KafkaConfig) -> Result<KafkaLog, Error> {
    KafkaLog::open(config.clone(), &Partitions::uniform(contract_tests::PARTITIONS))
}

/// Makes the topics of a configuration, and opens them.
fn made(config: &KafkaConfig) -> KafkaLog {
    Topics::open(config, LAYOUT).unwrap().create().unwrap();
    opened(config).unwrap()
}

/// A client that is none of ours.
fn stranger(config: &KafkaConfig, settings: &[(&str, &str)]) -> BaseProducer {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.bootstrap);
    for (name, value) in settings {
        client.set(*name, *value);
    }
    client.create().unwrap()
}

/// Appends as a stranger does, to the first partition of a topic.
fn publish(producer: &BaseProducer, config: &KafkaConfig, topic: Topic, values: &[&str]) {
    let name = format!("{}{}", config.topic_prefix, topic.name());
    for value in values {
        let record = BaseRecord::<[u8], [u8]>::to(&name).partition(0).payload(value.as_bytes()).timestamp(1);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(LONGEST).unwrap();
}

fn values(records: &[crate::log::LogRecord]) -> Vec<String> {
    records.iter().map(|read| String::from_utf8(read.record.value.clone().unwrap().to_vec()).unwrap()).collect()
}

#[test]
fn it_keeps_the_contract() {
    let Some(broker) = Broker::shared() else { return };
    contract_tests::run_all(|| Arc::new(made(&config(broker))));
}

#[test]
fn topics_are_made_once_and_what_differs_is_said_and_left_as_it_is() {
    let Some(broker) = Broker::shared() else { return };
    let config = config(broker);
    let topics = Topics::open(&config, LAYOUT).unwrap();
    let own = topics::wanted(&config.topic_prefix, LAYOUT).unwrap();
    let missing = topics.check().unwrap();
    assert_eq!(missing.len(), own.len(), "nothing is there yet: {missing:?}");
    assert!(missing[0].to_string().ends_with("policy.commands is missing"), "{}", missing[0]);

    // Another client made one otherwise.
    let odd = format!("{}orders.commands", config.topic_prefix);
    let admin = client::admin(&config).unwrap();
    let new = NewTopic::new(&odd, 5, TopicReplication::Fixed(1)).set("retention.ms", "1000");
    client::block_on(admin.create_topics([&new], &client::patience(&config))).unwrap()[0].as_ref().unwrap();
    let created = topics.create().unwrap();
    assert_eq!(created.len(), own.len() - 1);
    assert!(!created.contains(&odd));
    assert_eq!(topics.create().unwrap(), Vec::<String>::new(), "a second time there is nothing to make");

    let differences: Vec<String> = topics.check().unwrap().iter().map(ToString::to_string).collect();
    let expected = [
        "has partitions 5; 3 is wanted",
        "has max.message.bytes 1048588; 2097152 is wanted",
        "has message.timestamp.after.max.ms 3600000; 9223372036854775807 is wanted",
        "has retention.ms 1000; -1 is wanted",
    ];
    assert_eq!(differences, expected.map(|what| format!("{odd} {what}")), "all others are as they should be");

    let refused = opened(&config).err().unwrap();
    assert_eq!(refused.to_string(), format!("the topics do not fit: {odd} has 5 partitions, and 3 are wanted"));
    assert!(refused.is_fatal());
}

#[test]
fn a_log_without_its_topics_is_not_opened_and_none_is_made() {
    let Some(broker) = Broker::shared() else { return };
    let config = config(broker);
    for _ in 0..2 {
        let refused = opened(&config).err().unwrap().to_string();
        let missing = Topic::ALL.map(|topic| format!("{}{} is missing", config.topic_prefix, topic.name()));
        assert_eq!(refused, format!("the topics do not fit: {}", missing.join("; ")));
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let odd = KafkaConfig { topic_prefix: "a b".to_owned(), ..KafkaConfig::default() };
    assert!(matches!(opened(&odd), Err(Error::Config { name: "kafka.topic_prefix", .. })));
    let layout = TopicLayout { min_insync_replicas: 2, ..LAYOUT };
    assert!(matches!(topics::wanted("", layout), Err(Error::Config { name: "kafka.min_insync_replicas", .. })));
    let security = Security { protocol: "sasl_ssl".to_owned(), ..Security::default() };
    let refused = opened(&KafkaConfig {
        security,
        answer_ms_max: 10,
        bootstrap: "127.0.0.1:1".to_owned(),
        ..KafkaConfig::default()
    });
    assert_eq!(matches!(refused, Err(Error::Config { name: "kafka.security", .. })), !cfg!(feature = "kafka-tls"));
}

#[test]
fn records_of_others_that_nobody_reads_wake_a_watch() {
    let Some(broker) = Broker::shared() else { return };
    let config = config(broker);
    let log = made(&config);
    let is_woken = Arc::new(AtomicBool::new(false));
    let woken = Arc::clone(&is_woken);
    let _watch = log.watch(Arc::new(move || woken.store(true, Ordering::Relaxed)));
    let producer = stranger(&config, &[]);
    // More than one, since the first look at the ends has nothing to be compared with.
    until("a wake", || {
        publish(&producer, &config, Topic::Stock, &["one"]);
        is_woken.load(Ordering::Relaxed).then_some(())
    });
}

#[test]
fn a_header_whose_name_is_no_text_does_no_harm() {
    let Some(broker) = Broker::shared() else { return };
    let config = config(broker);
    let log = made(&config);
    let producer = stranger(&config, &[]);
    let (name, bytes) = (format!("{}orders.commands", config.topic_prefix), [b'h', 0xff, 0xfe]);
    // SAFETY: librdkafka takes any bytes for a name, and nothing here reads them as text.
    #[allow(unsafe_code)]
    let odd = unsafe { std::str::from_utf8_unchecked(&bytes) };
    let headers = OwnedHeaders::new().insert(Header { key: odd, value: Some("1") });
    let record = BaseRecord::<[u8], [u8]>::to(&name).partition(0).payload(b"v").headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(LONGEST).unwrap();
    let read = read_to(&mut *log.reader(&beginning(&log)).unwrap(), &log.ends().unwrap());
    assert_eq!(values(&read), ["v"]);
    let names: Vec<&str> = read[0].record.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["h\u{fffd}\u{fffd}"]);
}

#[test]
fn what_a_reader_holds_is_bounded() {
    let Some(broker) = Broker::shared() else { return };
    let config = KafkaConfig { read_ahead_records_max: 100, ..config(broker) };
    let log = made(&config);
    let records: Vec<_> = (0..5_000).map(|number| (ORDERS, text(&format!("{number}")))).collect();
    append(&log, records).unwrap();
    let mut reader = reader::KafkaReader::start(&log.shared, &beginning(&log)).unwrap();
    until("a full queue", || (reader.held() >= 100).then_some(()));
    let mut found = Vec::new();
    while found.len() < 5_000 {
        assert!(reader.held() < 100 + reader::AT_ONCE, "{} are held", reader.held());
        reader.poll(crate::log::ReadLimit { records_max: 7, ..LIMIT }, &mut found).unwrap();
    }
    let expected: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    assert_eq!(values(&found), expected);
}

#[test]
fn a_record_as_large_as_topics_take_comes_back() {
    let Some(broker) = Broker::shared() else { return };
    let config = KafkaConfig { read_ahead_bytes_max: 1 << 20, ..config(broker) };
    let log = made(&config);
    // Random letters, so that compressing does not help.
    let mut random = crate::testing::Random::new(9);
    let large: String = (0..1_900_000).map(|_| char::from(b'!' + u8::try_from(random.below(90)).unwrap())).collect();
    append(&log, vec![(ORDERS, text(&large)), (ORDERS, text("small")), (ORDERS, text(&large))]).unwrap();
    let read = read_to(&mut *log.reader(&beginning(&log)).unwrap(), &log.ends().unwrap());
    assert!(values(&read) == [large.as_str(), "small", large.as_str()]);
    let refused = append(&log, vec![(ORDERS, text(&large.repeat(2)))]);
    assert!(refused.unwrap_err().to_string().contains("too large"));
    assert_eq!(log.ends().unwrap().get(ORDERS), Some(3));
}

#[test]
fn a_producer_that_can_never_go_on_is_replaced() {
    let Some(broker) = Broker::shared() else { return };
    let log = made(&config(broker));
    append(&log, vec![(ORDERS, text("before"))]).unwrap();
    log.publisher.break_down();
    until("another producer", || append(&log, vec![(ORDERS, text("after"))]).ok());
    let read = read_to(&mut *log.reader(&beginning(&log)).unwrap(), &log.ends().unwrap());
    assert_eq!(values(&read), ["before", "after"]);
}

#[test]
fn what_is_wanted_comes_first_and_then_the_rest() {
    let Some(broker) = Broker::shared() else { return };
    let log = made(&config(broker));
    let places: Vec<TopicPartition> = (0..3).map(|partition| TopicPartition::new(Topic::Orders, partition)).collect();
    let records: Vec<_> =
        places.iter().flat_map(|at| (0..3_000).map(|number| (*at, text(&number.to_string())))).collect();
    append(&log, records).unwrap();
    let (mut wanted, mut reader) = (Cut::default(), log.reader(&beginning(&log)).unwrap());
    places.iter().zip([50, 0, 900]).for_each(|(at, next)| wanted.set(*at, next));
    reader.prioritize_before(&wanted);
    let found = read_to(&mut *reader, &log.ends().unwrap());
    // The reader may have looked at its partitions before it was asked to.
    let first = &found[found.len().min(3 * reader::AT_ONCE)..];
    let late = first.iter().filter(|read| wanted.get(read.origin.topic_partition()) > Some(read.origin.offset)).count();
    assert_eq!((late, found.len()), (0, 9_000));
    assert!(by_partition(&found).values().all(|found| found.iter().map(|(offset, _)| *offset).eq(0..3_000)));
}
