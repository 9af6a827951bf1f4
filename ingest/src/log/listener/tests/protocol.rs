//! Requests and bytes on a bare socket. Not for what clients make of the answers.

use super::*;
use crate::testing::Random;
use crate::testing::contract_tests::{append, text};
use bytes::{Bytes, BytesMut};
use dataflows::contract::topic::{Topic, TopicPartition};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

pub const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 1);

/// A socket of a client.
pub struct Client(pub TcpStream);

impl Client {
    pub fn of(served: &TestListener) -> Client {
        let stream = TcpStream::connect(served.address).unwrap();
        stream.set_read_timeout(Some(crate::testing::PATIENCE)).unwrap();
        Client(stream)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // It may have been sent away already.
        let _ = self.0.write_all(bytes);
    }

    /// The bytes of the next answer; none if there is none and never will be.
    pub fn answer(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut answer).unwrap();
        Some(Bytes::from(answer))
    }

    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(&framed(version, request));
        let mut answer = self.answer().expect("an answer");
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, 77);
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(answer.is_empty(), "nothing is left of the answer");
        response
    }
}

pub fn framed<R: Request>(version: i16, request: &R) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(77)
        .with_client_id(Some(StrBytes::from_static_str("test")));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).unwrap();
    request.encode(&mut body, version).unwrap();
    let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame
}

pub fn topic(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

pub fn batch(values: &[&str], producer: (i64, i16, i32)) -> Bytes {
    let records: Vec<_> = values.iter().map(|value| text(value)).collect();
    let mut bytes = Vec::new();
    crate::log::journal::batch::encode((0..).zip(&records), None, &mut bytes);
    bytes[43..51].copy_from_slice(&producer.0.to_be_bytes());
    bytes[51..53].copy_from_slice(&producer.1.to_be_bytes());
    bytes[53..57].copy_from_slice(&producer.2.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    Bytes::from(bytes)
}

pub fn produce(name: &'static str, index: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(index).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000).with_topic_data(vec![topic])
}

/// The code and the offset that the answer has.
pub fn produced(client: &mut Client, request: &ProduceRequest) -> (i16, i64) {
    let answer = client.ask(9, request);
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

pub fn fetch(name: &'static str, index: i32, offset: i64, wait_ms: i32) -> FetchRequest {
    let partition =
        FetchPartition::default().with_partition(index).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![topic])
}

/// The code, the end, and how many bytes of records came.
pub fn fetched(client: &mut Client, request: &FetchRequest) -> (i16, i64, Bytes) {
    let answer = client.ask(12, request);
    let partition = &answer.responses[0].partitions[0];
    (partition.error_code, partition.high_watermark, partition.records.clone().unwrap())
}

#[test]
fn what_is_answered_is_announced_whatever_version_asks() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    for version in 0..=4 {
        let request = ApiVersionsRequest::default();
        let answer = client.ask(version, &request);
        let keys: Vec<i16> = answer.api_keys.iter().map(|api| api.api_key).collect();
        assert_eq!(answer.error_code, 0);
        assert_eq!(
            keys,
            [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 22, 24, 25, 26, 28, 32, 35, 42, 47, 60],
            "no ACLs, and nothing that changes topics"
        );
    }
    // A later version gets the versions there are, in the form of the first.
    let mut later = framed(3, &ApiVersionsRequest::default());
    later[7] = 99;
    client.send(&later);
    let mut answer = client.answer().unwrap();
    ResponseHeader::decode(&mut answer, 0).unwrap();
    let answer = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!((answer.error_code, answer.api_keys.len()), (error_code::UNSUPPORTED_VERSION, 25));
}

/// The bytes of a request and its answer, as they are on the wire.
#[test]
fn an_answer_is_the_protocol_s_byte_for_byte() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    // Metadata 0 of a topic that is not there, by client "c", number 5.
    client.send(b"\0\0\0\x12\0\x03\0\0\0\0\0\x05\0\x01c\0\0\0\x01\0\x01x");
    let port = i32::from(served.address.port()).to_be_bytes();
    let mut expected = b"\0\0\0\x05\0\0\0\x01\0\0\0\x01\0\x09127.0.0.1".to_vec();
    expected.extend_from_slice(&port);
    expected.extend_from_slice(b"\0\0\0\x01\0\x03\0\x01x\0\0\0\0");
    assert_eq!(client.answer().unwrap(), expected);
}

#[test]
fn records_are_appended_and_read_back_as_batches() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    let name = "test.orders.commands";
    assert_eq!(produced(&mut client, &produce(name, 1, batch(&["a", "b"], (-1, -1, -1)))), (0, 0));
    assert_eq!(produced(&mut client, &produce(name, 1, batch(&["c"], (-1, -1, -1)))), (0, 2));
    let (code, end, records) = fetched(&mut client, &fetch(name, 1, 1, 0));
    assert_eq!((code, end), (0, 3));
    let mut read = crate::log::journal::batch::Records::of(records).unwrap();
    let mut values = Vec::new();
    while let Some((offset, record)) = read.next_record().unwrap() {
        values.push((offset, record.value.unwrap()));
    }
    assert_eq!(values, [(1, Bytes::from("b")), (2, Bytes::from("c"))]);
    assert_eq!(fetched(&mut client, &fetch(name, 1, 4, 0)).0, error_code::OFFSET_OUT_OF_RANGE);
    assert_eq!(fetched(&mut client, &fetch(name, 9, 0, 0)).0, error_code::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn who_waits_for_records_has_them_when_they_come() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    client.send(&framed(12, &fetch("test.orders.commands", 1, 0, 20_000)));
    let outputs = TopicPartition::new(Topic::Progress, 0);
    append(&*served.outputs, vec![(outputs, text("wakes, and is not what is waited for"))]).unwrap();
    append(&*served.inputs, vec![(ORDERS, text("x"))]).unwrap();
    let begun = Instant::now();
    let answer = client.answer().unwrap();
    assert!(answer.windows(1).any(|byte| byte == b"x") && begun.elapsed() < Duration::from_secs(15));
    // Without any, it is answered when the time is over.
    let (code, end, records) = fetched(&mut client, &fetch("test.orders.commands", 1, 1, 50));
    assert_eq!((code, end, records.len()), (0, 1, 0));
}

#[test]
fn nobody_appends_to_what_the_engine_writes() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    let one = || batch(&["a"], (-1, -1, -1));
    for name in ["test.epochs", "test.orders.events", "test.views.orders", "test.dead-letters"] {
        assert_eq!(produced(&mut client, &produce(name, 0, one())).0, error_code::TOPIC_AUTHORIZATION_FAILED, "{name}");
    }
    for name in ["test.other", "orders.commands", ""] {
        assert_eq!(produced(&mut client, &produce(name, 0, one())).0, error_code::UNKNOWN_TOPIC_OR_PARTITION, "{name}");
    }
    let acks = produce("test.orders.commands", 0, one()).with_acks(2);
    assert_eq!(produced(&mut client, &acks).0, error_code::INVALID_REQUIRED_ACKS);
    assert!(served.outputs.ends().unwrap().iter().all(|(_, end)| end == 0));
    assert!(served.inputs.ends().unwrap().iter().all(|(_, end)| end == 0));
}

#[test]
fn a_batch_that_is_sent_twice_is_in_the_log_once() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    let id = client.ask(4, &InitProducerIdRequest::default().with_transactional_id(None)).producer_id.0;
    let name = "test.orders.commands";
    let mut send = |values: &[&str], first| produced(&mut client, &produce(name, 1, batch(values, (id, 0, first))));
    assert_eq!(send(&["a", "b"], 0), (0, 0));
    assert_eq!(send(&["c"], 2), (0, 2));
    assert_eq!(send(&["a", "b"], 0), (0, 0));
    assert_eq!(send(&["e"], 4).0, error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(send(&["d"], 3), (0, 3));
    assert_eq!(served.inputs.ends().unwrap().get(ORDERS), Some(4));
}

#[test]
fn a_batch_that_is_not_whole_is_refused_and_nothing_of_it_is_kept() {
    let served =
        TestListener::start(Access::Client, ListenerConfig { batch_bytes_max: 1_000, ..ListenerConfig::default() });
    let mut client = Client::of(&served);
    let good = batch(&["abcdefgh"], (-1, -1, -1));
    let mut random = Random::new(11);
    for _ in 0..300 {
        let mut bad = good.to_vec();
        // The offset, the leader's epoch and the format are outside of the checksum, or have an answer of their own.
        let at = 21 + random.below(bad.len() - 21);
        bad[at] ^= 1 << random.below(8);
        assert_eq!(
            produced(&mut client, &produce("test.orders.commands", 1, Bytes::from(bad))).0,
            error_code::CORRUPT_MESSAGE
        );
    }
    let large = batch(&["x".repeat(1_000).as_str()], (-1, -1, -1));
    assert_eq!(produced(&mut client, &produce("test.orders.commands", 1, large)).0, error_code::MESSAGE_TOO_LARGE);
    assert_eq!(served.inputs.ends().unwrap().get(ORDERS), Some(0));
    assert_eq!(produced(&mut client, &produce("test.orders.commands", 1, good)), (0, 0));
}

/// Whatever comes, only its sender is sent away, and the others are answered as before.
#[test]
fn bytes_that_are_no_requests_harm_nobody_else() {
    let served =
        TestListener::start(Access::Client, ListenerConfig { request_ms_max: 200, ..ListenerConfig::default() });
    let mut other = Client::of(&served);
    let good = framed(9, &produce("test.orders.commands", 1, batch(&["a"], (-1, -1, -1))));
    let mut random = Random::new(5);
    let count = |bytes: [u8; 4]| i32::from_be_bytes(bytes);
    for round in 0..400 {
        let mut client = Client::of(&served);
        let mut bytes = match round % 4 {
            0 => random.bytes(200),
            1 => framed(12, &fetch("test.orders.commands", 1, 0, 0)),
            2 => framed(9, &MetadataRequest::default()),
            _ => good.clone(),
        };
        // Somewhere after the length there is something else.
        for _ in 0..=random.below(3) {
            if bytes.len() > 8 {
                let at = 4 + random.below(bytes.len() - 4);
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
        client.send(&bytes);
        // It may be closed already.
        let _ = client.0.shutdown(Shutdown::Write);
        // An answer or none, and then the end.
        let mut all = Vec::new();
        let _ = client.0.read_to_end(&mut all);
    }
    // A count of items that would take more memory than there is; a frame that is too large; half a frame.
    let huge = [&b"\0\0\0\x12\0\x03\0\0\0\0\0\x05\0\x01c"[..], &i32::MAX.to_be_bytes(), b"\0\x01x"].concat();
    let oversize = [&(count([1, 0, 0, 0])).to_be_bytes()[..], b"abc"].concat();
    let negative = (-1_i32).to_be_bytes().to_vec();
    for bytes in [huge, oversize, negative, good[..good.len() - 1].to_vec(), b"\0\0".to_vec(), b"\0\0\0\0".to_vec()] {
        let mut client = Client::of(&served);
        client.send(&bytes);
        assert_eq!(client.answer(), None, "{bytes:?}");
    }
    assert_eq!(other.ask(9, &MetadataRequest::default().with_topics(Some(Vec::new()))).topics.len(), 0);
}

/// A client that does not take its answer is sent away when the time for it is over; the others are answered meanwhile.
#[test]
fn who_takes_no_answers_holds_up_nobody_else() {
    const ASKED: usize = 80;
    const BYTES: usize = 1 << 20;
    let config = ListenerConfig { connections_max: 2, write_ms_max: 500, ..ListenerConfig::default() };
    let served = TestListener::start(Access::Client, config);
    let (mut slow, mut other) = (Client::of(&served), Client::of(&served));
    let large = "x".repeat(BYTES - 1_000);
    let one = produce("test.orders.commands", 1, batch(&[large.as_str()], (-1, -1, -1)));
    assert_eq!(produced(&mut other, &one), (0, 0));
    // More than fits into the buffers of the system.
    for _ in 0..ASKED {
        slow.send(&framed(12, &fetch("test.orders.commands", 1, 0, 0)));
    }
    assert_eq!(fetched(&mut other, &fetch("test.orders.commands", 1, 0, 0)).1, 1);
    // There is no room for a third before the first has gone.
    let mut third = Client::of(&served);
    assert_eq!(fetched(&mut third, &fetch("test.orders.commands", 1, 0, 0)).1, 1);
    let mut taken = Vec::new();
    // The end may be a reset.
    let _ = slow.0.read_to_end(&mut taken);
    assert!(taken.len() < ASKED * BYTES, "{} bytes", taken.len());
}
