//! Consumer groups: members join, go, are silent, or send what is not so. Not for what client libraries do with it.

use super::protocol::{Client, framed, topic};
use super::*;
use crate::testing::DiskFaults;
use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest,
    OffsetFetchRequest, ResponseHeader, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use std::time::Instant;

pub fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("g"))
}

pub fn joining(member_id: &StrBytes) -> JoinGroupRequest {
    let range = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(Bytes::from("what I read"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(1_000)
        .with_rebalance_timeout_ms(20_000)
        .with_member_id(member_id.clone())
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![range])
}

/// Asks for a name.
pub fn name(client: &mut Client) -> StrBytes {
    let answer = client.ask(4, &joining(&StrBytes::default()));
    assert_eq!(answer.error_code, error_code::MEMBER_ID_REQUIRED);
    answer.member_id
}

fn joined(client: &mut Client) -> JoinGroupResponse {
    let mut answer = client.answer().unwrap();
    ResponseHeader::decode(&mut answer, 0).unwrap();
    JoinGroupResponse::decode(&mut answer, 4).unwrap()
}

fn sync(generation: i32, member_id: &StrBytes, shares: &[(&StrBytes, &'static str)]) -> SyncGroupRequest {
    let share = |(id, share): &(&StrBytes, &'static str)| {
        SyncGroupRequestAssignment::default().with_member_id((*id).clone()).with_assignment(Bytes::from(*share))
    };
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(member_id.clone())
        .with_assignments(shares.iter().map(share).collect())
}

fn heartbeat(client: &mut Client, generation: i32, member_id: &StrBytes) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(member_id.clone());
    client.ask(2, &request).error_code
}

fn until(client: &mut Client, generation: i32, member_id: &StrBytes, expected: i16) {
    let deadline = Instant::now() + crate::testing::PATIENCE;
    while heartbeat(client, generation, member_id) != expected {
        assert!(Instant::now() < deadline, "{expected} does not come");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn commit(client: &mut Client, generation: i32, member_id: &StrBytes, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(1).with_committed_offset(offset);
    let of =
        OffsetCommitRequestTopic::default().with_name(topic("test.orders.events")).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(member_id.clone())
        .with_topics(vec![of]);
    client.ask(6, &request).topics[0].partitions[0].error_code
}

fn committed(client: &mut Client) -> i64 {
    let of = OffsetFetchRequestTopic::default().with_name(topic("test.orders.events")).with_partition_indexes(vec![1]);
    let request = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![of]));
    client.ask(5, &request).topics[0].partitions[0].committed_offset
}

#[test]
fn members_share_until_one_is_silent() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let (mut one, mut two) = (Client::of(&served), Client::of(&served));
    // The first is alone, and leads.
    let first = name(&mut one);
    let alone = one.ask(4, &joining(&first));
    assert_eq!((alone.error_code, alone.generation_id, alone.members.len()), (0, 1, 1));
    let share = one.ask(2, &sync(1, &first, &[(&first, "all")]));
    assert_eq!((share.error_code, share.assignment), (0, Bytes::from("all")));
    assert_eq!(heartbeat(&mut one, 1, &first), 0);
    assert_eq!(commit(&mut one, 1, &first, 5), 0);
    // The second comes: the first hears of it and joins again.
    let second = name(&mut two);
    two.send(&framed(4, &joining(&second)));
    until(&mut one, 1, &first, error_code::REBALANCE_IN_PROGRESS);
    let both = one.ask(4, &joining(&first));
    assert_eq!((both.generation_id, both.leader == first, both.members.len()), (2, true, 2));
    let other = joined(&mut two);
    assert_eq!((other.generation_id, other.leader == first, other.members.len()), (2, true, 0));
    two.send(&framed(2, &sync(2, &second, &[])));
    let shares = [(&first, "half"), (&second, "other half")];
    assert_eq!(one.ask(2, &sync(2, &first, &shares)).assignment, Bytes::from("half"));
    assert!(two.answer().unwrap().ends_with(b"other half"));
    // A commit of an earlier generation, or of no member, is refused.
    assert_eq!(commit(&mut two, 1, &second, 9), error_code::ILLEGAL_GENERATION);
    assert_eq!(commit(&mut two, 2, &StrBytes::from_static_str("nobody"), 9), error_code::UNKNOWN_MEMBER_ID);
    assert_eq!(commit(&mut two, 2, &second, 6), 0);
    // The second sends nothing more.
    until(&mut one, 2, &first, error_code::REBALANCE_IN_PROGRESS);
    let alone = one.ask(4, &joining(&first));
    assert_eq!((alone.generation_id, alone.members.len()), (3, 1));
    assert_eq!(heartbeat(&mut two, 2, &second), error_code::UNKNOWN_MEMBER_ID);
    assert_eq!(committed(&mut two), 6);
    // The last goes, and a client that only keeps offsets may commit.
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_member_id(first);
    assert_eq!(one.ask(2, &leave).error_code, 0);
    assert_eq!(commit(&mut one, -1, &StrBytes::default(), 7), 0);
    assert_eq!(committed(&mut one), 7);
}

#[test]
fn a_group_has_its_limits() {
    let served = TestListener::start(
        Access::Client,
        ListenerConfig { members_max: 1, member_bytes_max: 100, ..ListenerConfig::default() },
    );
    let (mut one, mut two) = (Client::of(&served), Client::of(&served));
    let first = name(&mut one);
    assert_eq!(one.ask(4, &joining(&first)).error_code, 0);
    let mut refused = |request: JoinGroupRequest| two.ask(4, &request).error_code;
    let new = || joining(&StrBytes::default());
    assert_eq!(refused(new()), error_code::GROUP_MAX_SIZE_REACHED);
    assert_eq!(refused(new().with_session_timeout_ms(1)), error_code::INVALID_SESSION_TIMEOUT);
    assert_eq!(refused(new().with_group_id(GroupId::default())), error_code::INVALID_GROUP_ID);
    assert_eq!(refused(new().with_protocols(Vec::new())), error_code::INCONSISTENT_GROUP_PROTOCOL);
    let long = JoinGroupRequestProtocol::default().with_metadata(Bytes::from(vec![0; 101]));
    assert_eq!(refused(new().with_protocols(vec![long])), error_code::INVALID_REQUEST);
}

/// Commits as a client that is in no group.
fn keep(client: &mut Client, offset: i64) -> i16 {
    commit(client, -1, &StrBytes::default(), offset)
}

/// The offset that another listener finds when it begins on what the disk has without its power.
fn kept(disk: &Disk) -> i64 {
    let disk = disk.after_power_loss(|synced, _| synced.to_vec());
    let served = TestListener::start_on(&disk, Access::Client, ListenerConfig::default());
    committed(&mut Client::of(&served))
}

#[test]
fn offsets_that_a_disk_does_not_take_are_not_acknowledged() {
    let disk = Disk::default();
    let served = TestListener::start_on(&disk, Access::Client, ListenerConfig::default());
    let (mut client, mut other) = (Client::of(&served), Client::of(&served));
    assert_eq!(keep(&mut client, 5), error_code::NONE);
    disk.fail(DiskFaults { steps_left: Some(0), ..DiskFaults::default() });
    for _ in 0..3 {
        assert_eq!(
            keep(&mut client, 6),
            error_code::COORDINATOR_NOT_AVAILABLE,
            "Kafka's clients try again by themselves"
        );
        assert_eq!(kept(&disk), 5);
    }
    // Groups continue meanwhile: nothing else of them is on the disk.
    let member = name(&mut other);
    assert_eq!(other.ask(4, &joining(&member)).error_code, error_code::NONE);
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_member_id(member);
    assert_eq!(other.ask(2, &leave).error_code, error_code::NONE);
    disk.fail(DiskFaults::default());
    assert_eq!(keep(&mut client, 7), error_code::NONE);
    assert_eq!(kept(&disk), 7);
}
