//! The limits of a request and of an answer. Not for how long a client may take: see `waiting`.

use super::protocol::{Client, batch, framed, produce, produced, topic};
use super::*;
use crate::log::journal::batch::{compressor, encode};
use crate::log::{RECORD_BYTES_MAX, Record};
use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};
use smol_str::SmolStr;

const NAME: &str = "test.orders.commands";

/// A batch of one record whose key, value and header have so many bytes together.
fn of_bytes(bytes: usize, is_compressed: bool) -> Bytes {
    let header = (SmolStr::new_static("name"), Some(Bytes::from_static(b"value")));
    let record = Record {
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from(vec![b'x'; bytes - 12])),
        headers: vec![header],
        timestamp_ms: 1,
    };
    assert_eq!(record.content_bytes(), bytes);
    let (mut to, mut by) = (Vec::new(), compressor());
    encode([(0, &record)].into_iter(), is_compressed.then_some(&mut by), &mut to);
    Bytes::from(to)
}

/// A request with these batches, each for a partition of its own.
fn of_batches(batches: impl IntoIterator<Item = Bytes>) -> m::ProduceRequest {
    let data = (0..)
        .zip(batches)
        .map(|(index, records)| PartitionProduceData::default().with_index(index).with_records(Some(records)));
    let of = TopicProduceData::default().with_name(topic(NAME)).with_partition_data(data.collect());
    m::ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000).with_topic_data(vec![of])
}

fn codes(client: &mut Client, request: &m::ProduceRequest) -> Vec<i16> {
    client.ask(9, request).responses[0].partition_responses.iter().map(|partition| partition.error_code).collect()
}

fn appended(served: &TestListener) -> u64 {
    served.inputs.ends().unwrap().iter().map(|(_, end)| end).sum()
}

#[test]
fn a_record_above_its_bound_is_refused_when_it_is_published() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    for is_compressed in [false, true] {
        let [most, more, far] = [0, 1, 500_000].map(|over| of_bytes(RECORD_BYTES_MAX + over, is_compressed));
        assert_eq!(codes(&mut client, &of_batches([most])), [error_code::NONE]);
        let small = batch(&["a"], (-1, -1, -1));
        let mixed = of_batches([small, more, far]);
        assert_eq!(
            codes(&mut client, &mixed),
            [error_code::NONE, error_code::MESSAGE_TOO_LARGE, error_code::MESSAGE_TOO_LARGE]
        );
        let why = client.ask(9, &mixed).responses[0].partition_responses[1].error_message.clone().unwrap();
        assert!(why.contains("1 MiB"), "{why}");
    }
    assert_eq!(appended(&served), 6);
}

/// A batch that claims so many records, compressed to almost nothing.
fn bomb(value_bytes: usize, count: usize) -> Bytes {
    let record = Record { value: Some(Bytes::from(vec![0; value_bytes])), timestamp_ms: 1, ..Record::default() };
    let records: Vec<_> = (0..count).map(|_| record.clone()).collect();
    let mut to = Vec::new();
    encode((0..).zip(&records), Some(&mut compressor()), &mut to);
    assert!(to.len() < 20_000, "{} bytes", to.len());
    Bytes::from(to)
}

#[test]
fn a_request_that_expands_to_more_than_it_may_is_refused_as_a_whole() {
    let config =
        ListenerConfig { records_bytes_max: 1_000_000, records_memory_max: 2_000_000, ..ListenerConfig::default() };
    let served = TestListener::start(Access::Client, config);
    let mut client = Client::of(&served);
    let all_refused = [error_code::MESSAGE_TOO_LARGE; 3];
    assert_eq!(codes(&mut client, &of_batches((0..3).map(|_| bomb(20_000, 20)))), all_refused, "1.2 MB in all");
    assert_eq!(codes(&mut client, &of_batches((0..3).map(|_| bomb(2_000_000, 1)))), all_refused, "2 MB each");
    assert_eq!(codes(&mut client, &of_batches((0..3).map(|_| bomb(1, 8_000)))), all_refused, "many records");
    assert_eq!(appended(&served), 0);
    assert_eq!(codes(&mut client, &of_batches((0..2).map(|_| bomb(20_000, 20)))), [error_code::NONE; 2]);
    assert_eq!(appended(&served), 40);
}

/// Bodies over HTTP and records of Kafka clients have one budget.
#[test]
fn a_request_waits_unread_while_other_doors_have_the_bytes_that_it_expands_to() {
    let served = TestListener::start(
        Access::Client,
        ListenerConfig { records_bytes_max: 1_000_000, ..ListenerConfig::default() },
    );
    let mut client = Client::of(&served);
    let large = of_batches((0..2).map(|_| bomb(20_000, 20)));
    let small = of_batches([of_bytes(100, false)]);
    let of_others = served.bytes.take(900_000).unwrap();
    assert_eq!(codes(&mut client, &small), [error_code::NONE], "there is room for it");
    client.send(&framed(9, &large));
    client.send(&framed(9, &small));
    client.0.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert_eq!(client.answer(), None, "it waits");
    assert_eq!(appended(&served), 1);
    assert_eq!(codes(&mut Client::of(&served), &small), [error_code::NONE], "and holds up nobody else");
    client.0.set_read_timeout(Some(crate::testing::PATIENCE)).unwrap();
    drop(of_others);
    assert!(client.answer().is_some() && client.answer().is_some());
    assert_eq!((appended(&served), served.bytes.used()), (43, 0), "all is given back");
    // So it is after a request that is too large, and one that is not well formed.
    assert_eq!(codes(&mut client, &of_batches([bomb(2_000_000, 1)])), [error_code::MESSAGE_TOO_LARGE]);
    assert_eq!(codes(&mut client, &of_batches([Bytes::from_static(b"?")])), [error_code::CORRUPT_MESSAGE]);
    assert_eq!(served.bytes.used(), 0);
}

#[test]
fn a_partition_is_named_once_when_something_is_published() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    let mut request = of_batches([batch(&["a"], (-1, -1, -1)), batch(&["b"], (-1, -1, -1))]);
    request.topic_data[0].partition_data[1].index = 0;
    assert_eq!(codes(&mut client, &request), [error_code::NONE, error_code::INVALID_REQUEST]);
    assert_eq!(appended(&served), 1);
}

#[test]
fn what_only_nodes_write_is_not_taken_from_clients() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let headers = ["tw_actor", "ce_id", "tw_epoch", "two"].map(|name| (SmolStr::new_static(name), None));
    let record = Record { headers: headers.to_vec(), ..Record::default() };
    let mut to = Vec::new();
    encode([(0, &record)].into_iter(), None, &mut to);
    assert_eq!(produced(&mut Client::of(&served), &produce(NAME, 1, Bytes::from(to))), (0, 0));
    let mut from = dataflows::contract::epoch::Cut::default();
    from.set(super::protocol::ORDERS, 0);
    let mut until = from.clone();
    until.set(super::protocol::ORDERS, 1);
    let read = crate::testing::contract_tests::read_to(&mut *served.inputs.reader(&from).unwrap(), &until);
    let names: Vec<_> = read[0].record.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ce_id", "two"]);
}

#[test]
fn what_is_named_many_times_is_answered_once() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    const TIMES: usize = 500;
    let group = m::GroupId(StrBytes::from_static_str("g"));
    let asked = m::DescribeGroupsRequest::default().with_groups(vec![group.clone(); TIMES]);
    assert_eq!(client.ask(2, &asked).groups.len(), 1);

    let partition = m::offset_fetch_request::OffsetFetchRequestTopic::default().with_name(topic(NAME));
    let partition = partition.with_partition_indexes(vec![1; TIMES]);
    let asked = m::OffsetFetchRequest::default().with_group_id(group).with_topics(Some(vec![partition; 5]));
    let answer = client.ask(5, &asked);
    assert_eq!(answer.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>(), 1);

    let partition = m::list_offsets_request::ListOffsetsPartition::default().with_timestamp(-1);
    let of = m::list_offsets_request::ListOffsetsTopic::default().with_name(topic(NAME));
    let of = of.with_partitions(vec![partition; TIMES]);
    let answer = client.ask(6, &m::ListOffsetsRequest::default().with_topics(vec![of.clone(), of]));
    assert_eq!(answer.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>(), 1);

    let one = m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic(NAME)));
    let answer = client.ask(9, &m::MetadataRequest::default().with_topics(Some(vec![one; TIMES])));
    assert_eq!(answer.topics.len(), 1);

    let one = m::describe_configs_request::DescribeConfigsResource::default().with_resource_type(2);
    let one = one.with_resource_name(StrBytes::from_static_str(NAME)).with_configuration_keys(None);
    let answer = client.ask(1, &m::DescribeConfigsRequest::default().with_resources(vec![one; TIMES]));
    assert_eq!(answer.results.len(), 1);

    let mut asked = super::protocol::fetch(NAME, 1, 0, 0);
    let partition = asked.topics[0].partitions[0].clone();
    asked.topics[0].partitions = vec![partition; TIMES];
    let answer = client.ask(12, &asked);
    assert_eq!(answer.responses[0].partitions.len(), 1);
}

#[test]
fn no_answer_is_larger_than_it_may_be() {
    let config = ListenerConfig { fetch_bytes_max: 4 << 20, ..ListenerConfig::default() };
    let served = TestListener::start(Access::Client, config);
    let mut client = Client::of(&served);
    for _ in 0..8 {
        assert_eq!(codes(&mut client, &of_batches([of_bytes(RECORD_BYTES_MAX, false)])), [error_code::NONE]);
    }
    let mut asked = super::protocol::fetch(NAME, 0, 0, 0).with_max_bytes(100 << 20);
    asked.topics[0].partitions[0].partition_max_bytes = 100 << 20;
    client.send(&framed(12, &asked));
    let answer = client.answer().unwrap();
    assert!(answer.len() > 2 << 20 && answer.len() <= 4 << 20, "{} bytes", answer.len());
    // Answers without records are bounded too.
    let names = (0..20_000).map(|number| {
        let name = m::TopicName(StrBytes::from_string(format!("{number}{}", "x".repeat(200))));
        m::metadata_request::MetadataRequestTopic::default().with_name(Some(name))
    });
    client.send(&framed(9, &m::MetadataRequest::default().with_topics(Some(names.collect()))));
    assert_eq!(client.answer(), None, "it would have over 4 MiB");
}

/// The request of librdkafka for the metadata of all topics: three bytes more than the request has.
#[test]
fn bytes_that_are_left_over_in_a_request_are_passed_by() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    for version in [9_u8, 12] {
        let head = [0, 3, 0, version, 0, 0, 0, 77, 0, 7, b'r', b'd', b'k', b'a', b'f', b'k', b'a', 0];
        let body = [0, 0, 0, 0, 1, 0, 0, 0];
        let length = u32::try_from(head.len() + body.len()).unwrap().to_be_bytes();
        client.send(&[&length[..], &head, &body].concat());
        let mut answer = client.answer().expect("the connection stays open");
        let version = i16::from(version);
        m::ResponseHeader::decode(&mut answer, m::MetadataResponse::header_version(version)).unwrap();
        let answer = m::MetadataResponse::decode(&mut answer, version).unwrap();
        assert_eq!(
            answer.topics.len(),
            Partitions::uniform(1).topics().count() + Partitions::outputs(1).topics().count()
        );
    }
}

/// A client that comes from that address of this machine.
fn from(served: &TestListener, address: &str) -> Client {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        socket.connect(served.address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(crate::testing::PATIENCE)).unwrap();
    Client(stream)
}

/// Returns true if it is answered, and not sent away.
fn is_served(client: &mut Client) -> bool {
    client.send(&framed(4, &m::ApiVersionsRequest::default()));
    client.answer().is_some()
}

#[test]
fn an_address_has_only_so_many_connections_and_takes_none_from_others() {
    let served =
        TestListener::start(Access::Client, ListenerConfig { connections_per_ip_max: 2, ..ListenerConfig::default() });
    let mut of_one: Vec<Client> = (0..2).map(|_| from(&served, "127.0.0.2")).collect();
    assert!(of_one.iter_mut().all(is_served));
    assert!(!is_served(&mut from(&served, "127.0.0.2")), "a third of the same address");
    assert!(is_served(&mut from(&served, "127.0.0.3")), "another address has places of its own");
    let mut local: Vec<Client> = (0..5).map(|_| Client::of(&served)).collect();
    assert!(local.iter_mut().all(is_served), "127.0.0.1 is where everybody on the machine is");
    assert!(of_one.iter_mut().all(is_served), "those that had a place keep it");
    drop(of_one.pop());
    let deadline = std::time::Instant::now() + crate::testing::PATIENCE;
    while !is_served(&mut from(&served, "127.0.0.2")) {
        assert!(std::time::Instant::now() < deadline, "a place that is free again is not given");
    }
}
