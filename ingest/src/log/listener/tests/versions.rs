//! Each version that is announced is answered: as the crate of the protocol writes it, or byte for byte where it does not
//! have it. Not for what the answers mean.

use super::groups::{group, joining};
use super::protocol::{Client, ORDERS, topic};
use super::*;
use crate::testing::contract_tests::{append, text};
use bytes::{BufMut, Bytes};
use kafka_protocol::messages as m;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

const NAME: &str = "test.orders.commands";
const VIEW: &str = "test.views.orders";

#[test]
fn groups_work_in_every_version() {
    let served = TestListener::start(Access::Client, ListenerConfig { first_join_ms: 0, ..ListenerConfig::default() });
    let mut client = Client::of(&served);
    let mut member = StrBytes::default();
    for (generation, version) in (1..).zip(0..=9) {
        let asked = joining(&member).with_reason((version >= 8).then(StrBytes::default));
        let answer = client.ask(version, &asked);
        let answer = match answer.error_code {
            error_code::MEMBER_ID_REQUIRED => client.ask(version, &joining(&answer.member_id)),
            _ => answer,
        };
        assert_eq!((answer.error_code, answer.generation_id), (0, generation), "{version}");
        assert_eq!((&answer.leader, answer.members.len()), (&answer.member_id, 1), "{version}");
        member = answer.member_id;
        let share = m::sync_group_request::SyncGroupRequestAssignment::default().with_member_id(member.clone());
        let share = share.with_assignment(Bytes::from("all"));
        let at = version.min(5);
        let of = |text| (at >= 5).then(|| StrBytes::from_static_str(text));
        let asked = m::SyncGroupRequest::default().with_group_id(group()).with_generation_id(generation);
        let asked = asked.with_member_id(member.clone()).with_assignments(vec![share]);
        let told = client.ask(at, &asked.clone().with_protocol_type(of("consumer")).with_protocol_name(of("range")));
        assert_eq!((told.error_code, told.assignment), (0, Bytes::from("all")), "{version}");
        if at >= 5 {
            let other = client.ask(at, &asked.with_protocol_name(of("other")));
            assert_eq!(other.error_code, error_code::INCONSISTENT_GROUP_PROTOCOL);
        }
        let asked = m::HeartbeatRequest::default().with_group_id(group()).with_generation_id(generation);
        assert_eq!(client.ask(version.min(4), &asked.with_member_id(member.clone())).error_code, 0, "{version}");
    }
    for version in 0..=5 {
        let answer = client.ask(version, &m::DescribeGroupsRequest::default().with_groups(vec![group()]));
        assert_eq!(answer.groups[0].group_state.as_str(), "Stable", "{version}");
        assert_eq!(client.ask(version, &m::ListGroupsRequest::default()).groups.len(), 1, "{version}");
    }
    for version in 0..=5 {
        let asked = m::LeaveGroupRequest::default().with_group_id(group());
        let stranger = StrBytes::from_static_str("nobody");
        if version < 3 {
            let answer = client.ask(version, &asked.with_member_id(stranger));
            assert_eq!(answer.error_code, error_code::UNKNOWN_MEMBER_ID, "{version}");
        } else {
            let one = m::leave_group_request::MemberIdentity::default().with_member_id(stranger);
            let answer = client.ask(version, &asked.with_members(vec![one]));
            assert_eq!(
                (answer.error_code, answer.members[0].error_code),
                (0, error_code::UNKNOWN_MEMBER_ID),
                "{version}"
            );
        }
    }
    for version in 0..=4 {
        let asked = m::FindCoordinatorRequest::default();
        if version < 4 {
            assert_eq!(client.ask(version, &asked.with_key(StrBytes::from_static_str("g"))).node_id.0, 1, "{version}");
        } else {
            let keys = ["g", "h", "g"].map(StrBytes::from_static_str).to_vec();
            let found = client.ask(version, &asked.with_coordinator_keys(keys)).coordinators;
            assert_eq!(
                found.iter().map(|one| (one.key.as_str(), one.node_id.0)).collect::<Vec<_>>(),
                [("g", 1), ("h", 1)]
            );
        }
    }
}

#[test]
fn offsets_work_in_every_version() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    for version in 2..=9 {
        let offset = i64::from(version) - 5;
        let partition = m::offset_commit_request::OffsetCommitRequestPartition::default();
        let partition = partition.with_partition_index(1).with_committed_offset(offset);
        let of = m::offset_commit_request::OffsetCommitRequestTopic::default().with_name(topic(NAME));
        let asked = m::OffsetCommitRequest::default().with_group_id(group()).with_generation_id_or_member_epoch(-1);
        let answer = client.ask(version, &asked.with_topics(vec![of.with_partitions(vec![partition])]));
        assert_eq!(answer.topics[0].partitions[0].error_code, 0, "{version}");
        let found = if version < 8 {
            let of = m::offset_fetch_request::OffsetFetchRequestTopic::default().with_name(topic(NAME));
            let of = of.with_partition_indexes(vec![1]);
            let asked = m::OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![of]));
            client.ask(version, &asked).topics[0].partitions[0].committed_offset
        } else {
            // All that the group has, once, although it is named twice.
            let of = m::offset_fetch_request::OffsetFetchRequestGroup::default().with_group_id(group());
            let asked = m::OffsetFetchRequest::default().with_groups(vec![of.with_topics(None); 2]);
            let answer = client.ask(version, &asked);
            assert_eq!(answer.groups.len(), 1);
            answer.groups[0].topics[0].partitions[0].committed_offset
        };
        assert_eq!(found, offset, "{version}");
    }
}

#[test]
fn topics_are_told_in_every_version() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    append(&*served.inputs, vec![(ORDERS, text("a")), (ORDERS, text("b"))]).unwrap();
    for version in 0..=12 {
        let one = m::metadata_request::MetadataRequestTopic::default().with_name(Some(topic(NAME)));
        let answer = client.ask(version, &m::MetadataRequest::default().with_topics(Some(vec![one])));
        assert_eq!(answer.topics[0].partitions.len(), PARTITIONS as usize, "{version}");
    }
    let id = "00000000-0000-0000-0000-000000000007".parse().unwrap();
    let by_id = m::metadata_request::MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    let answer = client.ask(12, &m::MetadataRequest::default().with_topics(Some(vec![by_id])));
    assert_eq!((answer.topics[0].error_code, answer.topics[0].topic_id), (error_code::UNKNOWN_TOPIC_ID, id));
    let mut listed = |version, time| {
        let partition = m::list_offsets_request::ListOffsetsPartition::default().with_partition_index(1);
        let of = m::list_offsets_request::ListOffsetsTopic::default().with_name(topic(NAME));
        let of = of.with_partitions(vec![partition.with_timestamp(time)]);
        let answer = client.ask(version, &m::ListOffsetsRequest::default().with_topics(vec![of]));
        let partition = &answer.topics[0].partitions[0];
        (partition.error_code, partition.offset)
    };
    for version in 1..=8 {
        assert_eq!([listed(version, -1), listed(version, -2)], [(0, 2), (0, 0)], "{version}");
    }
    assert_eq!(listed(8, -4), (0, 0), "the first that is on this node");
    assert_eq!(listed(8, -5).0, error_code::UNSUPPORTED_VERSION);
}

#[test]
fn the_record_with_the_latest_time_is_found() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    let at = |timestamp_ms| (ORDERS, crate::log::Record { timestamp_ms, ..text("x") });
    append(&*served.inputs, vec![at(50), at(90), at(70), at(90), at(10)]).unwrap();
    let mut latest = |index| {
        let partition = m::list_offsets_request::ListOffsetsPartition::default().with_partition_index(index);
        let of = m::list_offsets_request::ListOffsetsTopic::default().with_name(topic(NAME));
        let of = of.with_partitions(vec![partition.with_timestamp(-3)]);
        let answer = client.ask(7, &m::ListOffsetsRequest::default().with_topics(vec![of]));
        let partition = &answer.topics[0].partitions[0];
        (partition.error_code, partition.offset, partition.timestamp)
    };
    assert_eq!([latest(1), latest(0)], [(0, 1, 90), (0, -1, -1)]);
}

/// A request of a version that the crate does not have, by client "c", number 5.
fn by_hand(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut to = Vec::new();
    to.put_i32(11 + i32::try_from(body.len()).unwrap());
    to.put_i16(key);
    to.put_i16(version);
    to.put_slice(b"\0\0\0\x05\0\x01c");
    to.put_slice(body);
    to
}

fn put_text(text: &str, to: &mut Vec<u8>) {
    to.put_i16(i16::try_from(text.len()).unwrap());
    to.put_slice(text.as_bytes());
}

#[test]
fn versions_of_old_clients_are_answered_byte_for_byte() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    append(&*served.inputs, vec![(ORDERS, text("a")), (ORDERS, text("b"))]).unwrap();
    let mut ask = |key, version, body: &[u8]| {
        client.send(&by_hand(key, version, body));
        client.answer().expect("an answer").to_vec()
    };
    // The end of partition 1.
    let (mut body, mut answer) = (Vec::new(), Vec::new());
    body.put_slice(b"\xff\xff\xff\xff\0\0\0\x01");
    put_text(NAME, &mut body);
    body.put_slice(b"\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x05");
    answer.put_slice(b"\0\0\0\x05\0\0\0\x01");
    put_text(NAME, &mut answer);
    answer.put_slice(b"\0\0\0\x01\0\0\0\x01\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02");
    assert_eq!(ask(2, 0, &body), answer);
    // A group without members commits offset 7 of partition 1.
    let (mut body, mut answer) = (Vec::new(), Vec::new());
    body.put_slice(b"\0\x01g\xff\xff\xff\xff\0\0\0\0\0\x01");
    put_text(NAME, &mut body);
    body.put_slice(b"\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\x01m");
    answer.put_slice(b"\0\0\0\x05\0\0\0\x01");
    put_text(NAME, &mut answer);
    answer.put_slice(b"\0\0\0\x01\0\0\0\x01\0\0");
    assert_eq!(ask(8, 1, &body), answer);
    // A client wants to make the topic "t", with an assignment and a setting.
    let mut body = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01".to_vec();
    body.put_slice(b"\0\0\0\x01\0\x01k\0\x01v\0\0\x27\x10");
    let refused = b"\0\0\0\x05\0\0\0\x01\0\x01t\0\x2c";
    assert_eq!(ask(19, 0, &body), refused);
    body.put_u8(0);
    let told = ask(19, 1, &body);
    assert!(told.starts_with(refused) && told.ends_with(b"clients cannot make any"), "{told:?}");
    // A setting of a topic's own and one of all brokers; then none of them, by an empty list.
    let (mut body, mut answer) = (b"\0\0\0\x02\x02".to_vec(), b"\0\0\0\x05\0\0\0\0\0\0\0\x02\0\0\0\0\x02".to_vec());
    put_text(VIEW, &mut body);
    body.put_i32(2);
    put_text(VIEW, &mut answer);
    answer.put_i32(2);
    for (name, value, is_default) in [("min.insync.replicas", "1", 1), ("cleanup.policy", "compact", 0)] {
        put_text(name, &mut body);
        put_text(name, &mut answer);
        put_text(value, &mut answer);
        answer.put_slice(&[1, is_default, 0]);
    }
    body.put_u8(2);
    put_text(NAME, &mut body);
    body.put_i32(0);
    answer.put_slice(b"\0\0\0\0\x02");
    put_text(NAME, &mut answer);
    answer.put_i32(0);
    assert_eq!(ask(32, 0, &body), answer);
    // No list: all of them.
    let mut all = b"\0\0\0\x01\x02".to_vec();
    put_text(VIEW, &mut all);
    all.put_i32(-1);
    assert!(ask(32, 0, &all).len() > answer.len());
    // Sizes are given in the form of the next version.
    let mut asked = b"\0\0\0\x01".to_vec();
    put_text(NAME, &mut asked);
    asked.put_slice(b"\0\0\0\x01\0\0\0\x01");
    let sizes = ask(35, 0, &asked);
    assert!(sizes.starts_with(b"\0\0\0\x05\0\0\0\0\0\0\0\x02\0\0\0\x06inputs\0\0\0\x01"), "{sizes:?}");
    assert_eq!(sizes, ask(35, 1, &asked));
}

#[test]
fn nobody_makes_topics_and_transactions_are_refused_in_every_version() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    for version in 2..=7 {
        let one = m::create_topics_request::CreatableTopic::default().with_name(topic("t"));
        let answer = client.ask(version, &m::CreateTopicsRequest::default().with_topics(vec![one.clone(), one]));
        assert_eq!(answer.topics.len(), 1);
        assert_eq!(answer.topics[0].error_code, error_code::POLICY_VIOLATION, "{version}");
        assert!(answer.topics[0].error_message.as_ref().unwrap().contains("clients cannot make any"));
    }
    let refused = error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    let id = m::TransactionalId(StrBytes::from_static_str("mine"));
    for version in 0..=3 {
        let one = m::add_partitions_to_txn_request::AddPartitionsToTxnTopic::default().with_name(topic(NAME));
        let asked =
            m::AddPartitionsToTxnRequest::default().with_v3_and_below_topics(vec![one.with_partitions(vec![1])]);
        let answer = client.ask(version, &asked).results_by_topic_v3_and_below;
        assert_eq!(answer[0].results_by_partition[0].partition_error_code, refused, "{version}");
        assert_eq!(client.ask(version, &m::AddOffsetsToTxnRequest::default()).error_code, refused, "{version}");
        assert_eq!(client.ask(version, &m::EndTxnRequest::default()).error_code, refused, "{version}");
        let one = m::txn_offset_commit_request::TxnOffsetCommitRequestTopic::default().with_name(topic(NAME));
        let partition = m::txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
        let asked = m::TxnOffsetCommitRequest::default().with_topics(vec![one.with_partitions(vec![partition])]);
        assert_eq!(client.ask(version, &asked).topics[0].partitions[0].error_code, refused, "{version}");
    }
    let asked = m::InitProducerIdRequest::default().with_transactional_id(Some(id.clone()));
    assert_eq!(client.ask(4, &asked).error_code, refused);
    let asked = m::FindCoordinatorRequest::default().with_key_type(1);
    assert_eq!(client.ask(3, &asked.clone().with_key(id.0.clone())).error_code, refused);
    assert_eq!(client.ask(4, &asked.with_coordinator_keys(vec![id.0.clone()])).coordinators[0].error_code, refused);
    let one = super::protocol::batch(&["a"], (7, 0, 0));
    let in_one = super::protocol::produce(NAME, 1, one.clone()).with_transactional_id(Some(id));
    assert_eq!(super::protocol::produced(&mut client, &in_one).0, refused);
    let mut attributes = one.to_vec();
    attributes[22] |= 0x10;
    let checksum = crc32c::crc32c(&attributes[21..]);
    attributes[17..21].copy_from_slice(&checksum.to_be_bytes());
    let in_one = super::protocol::produce(NAME, 1, Bytes::from(attributes));
    assert_eq!(super::protocol::produced(&mut client, &in_one).0, refused);
}

/// A setting that differs from a broker's default is the topic's own: tools show no others.
#[test]
fn settings_say_in_every_version_whose_they_are() {
    let served =
        TestListener::start(Access::Client, ListenerConfig { outputs_kept_ms: 1_234, ..ListenerConfig::default() });
    let mut client = Client::of(&served);
    let (of_topic, default) = (1, 5);
    for version in 1..=4 {
        let mut settings = |name| {
            let one = m::describe_configs_request::DescribeConfigsResource::default().with_resource_type(2);
            let one = one.with_resource_name(StrBytes::from_static_str(name)).with_configuration_keys(None);
            let asked = m::DescribeConfigsRequest::default().with_resources(vec![one]).with_include_synonyms(true);
            let answer = client.ask(version, &asked).results.remove(0);
            assert_eq!(answer.error_code, 0, "{name} {version}");
            let settings = answer.configs.into_iter().map(|one| {
                assert!(one.synonyms.iter().all(|synonym| synonym.source == one.config_source), "{one:?}");
                ((one.name.to_string()), (one.value.unwrap_or_default().to_string(), one.config_source))
            });
            settings.collect::<BTreeMap<String, (String, i8)>>()
        };
        let (view, events, commands) = (settings(VIEW), settings("test.orders.events"), settings(NAME));
        let of = |value: &str| (value.to_owned(), of_topic);
        assert_eq!((&view["cleanup.policy"], &view["retention.ms"]), (&of("compact"), &of("-1")), "{version}");
        assert_eq!(view["delete.retention.ms"], of("1234"), "{version}");
        assert_eq!((&events["cleanup.policy"], &events["retention.ms"]), (&of("delete"), &of("1234")), "{version}");
        assert_eq!(commands["retention.ms"], of("-1"), "{version}");
        assert_eq!(commands["max.message.bytes"], of(&crate::log::RECORD_BYTES_MAX.to_string()), "{version}");
        assert_eq!(commands["min.insync.replicas"], ("1".to_owned(), default), "{version}");
    }
}

#[test]
fn the_log_says_how_large_topics_are() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    for _ in 0..10 {
        append(&*served.inputs, vec![(ORDERS, text(&"x".repeat(1_000)))]).unwrap();
    }
    for version in 1..=4 {
        let answer = client.ask(version, &m::DescribeLogDirsRequest::default().with_topics(None));
        let names: Vec<_> = answer.results.iter().map(|log| (log.log_dir.as_str(), log.error_code)).collect();
        assert_eq!(names, [("inputs", 0), ("outputs", 0)], "{version}");
        let of = answer.results[0].topics.iter().find(|topic| topic.name.as_str() == NAME).unwrap();
        let sizes: Vec<i64> = of.partitions.iter().map(|partition| partition.partition_size).collect();
        assert_eq!(sizes.len(), PARTITIONS as usize);
        assert!(sizes[1] >= 10_000 && sizes[0] == 0, "{sizes:?}");
    }
    let one = m::describe_log_dirs_request::DescribableLogDirTopic::default().with_topic(topic(NAME));
    let asked = m::DescribeLogDirsRequest::default().with_topics(Some(vec![one.with_partitions(vec![1, 1])]));
    let answer = client.ask(4, &asked);
    let found = answer.results.iter().flat_map(|log| &log.topics).map(|topic| topic.partitions.len());
    assert_eq!(found.collect::<Vec<_>>(), [1]);
}
