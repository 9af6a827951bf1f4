//! Static members of groups: they keep their place over their own restarts. And offsets of groups that are taken away. Not
//! for other members: see `groups`.

use super::groups::{group, joining};
use super::protocol::{Client, framed, topic};
use super::*;
use bytes::{BufMut, Bytes};
use kafka_protocol::messages as m;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::protocol::StrBytes;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn joining_as(instance: &'static str, member_id: &StrBytes) -> m::JoinGroupRequest {
    joining(member_id).with_group_instance_id(Some(text(instance))).with_session_timeout_ms(60_000)
}

fn sync(
    client: &mut Client,
    instance: &'static str,
    generation: i32,
    id: &StrBytes,
    shares: &[(&StrBytes, &'static str)],
) -> m::SyncGroupResponse {
    let share = |(id, share): &(&StrBytes, &'static str)| {
        let one = m::sync_group_request::SyncGroupRequestAssignment::default().with_member_id((*id).clone());
        one.with_assignment(Bytes::from(*share))
    };
    let asked = m::SyncGroupRequest::default().with_group_id(group()).with_generation_id(generation);
    let asked = asked.with_member_id(id.clone()).with_group_instance_id(Some(text(instance)));
    client.ask(4, &asked.with_assignments(shares.iter().map(share).collect()))
}

fn heartbeat(client: &mut Client, instance: &'static str, generation: i32, id: &StrBytes) -> i16 {
    let asked = m::HeartbeatRequest::default().with_group_id(group()).with_generation_id(generation);
    client.ask(4, &asked.with_member_id(id.clone()).with_group_instance_id(Some(text(instance)))).error_code
}

#[test]
fn a_static_member_has_its_share_again_after_its_restart() {
    let served = TestListener::start(Access::Client, ListenerConfig { first_join_ms: 0, ..ListenerConfig::default() });
    let (mut one, mut two) = (Client::of(&served), Client::of(&served));
    let none = StrBytes::default();
    let first = one.ask(5, &joining_as("one", &none));
    assert_eq!((first.error_code, first.generation_id), (0, 1), "it needs no name first");
    let first = first.member_id;
    assert_eq!(sync(&mut one, "one", 1, &first, &[(&first, "all")]).assignment, Bytes::from("all"));
    // Another comes: all join again.
    two.send(&framed(5, &joining_as("two", &none)));
    let deadline = std::time::Instant::now() + crate::testing::PATIENCE;
    while heartbeat(&mut one, "one", 1, &first) != error_code::REBALANCE_IN_PROGRESS {
        assert!(std::time::Instant::now() < deadline, "the other does not come");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let both = one.ask(5, &joining_as("one", &first));
    assert_eq!((both.generation_id, &both.leader, both.members.len()), (2, &first, 2));
    let instances: Vec<_> = both.members.iter().map(|member| member.group_instance_id.clone().unwrap()).collect();
    assert!(instances.contains(&text("one")) && instances.contains(&text("two")));
    let second = both.members.iter().find(|member| member.member_id != first).unwrap().member_id.clone();
    drop(two.answer().unwrap());
    let shares = [(&first, "half"), (&second, "other half")];
    assert_eq!(sync(&mut one, "one", 2, &first, &shares).assignment, Bytes::from("half"));
    assert_eq!(sync(&mut two, "two", 2, &second, &[]).assignment, Bytes::from("other half"));

    // The second is started again: no other member notices, and it has its share.
    let mut again = Client::of(&served);
    let back = again.ask(5, &joining_as("two", &none));
    assert_eq!((back.error_code, back.generation_id, &back.leader, back.members.len()), (0, 2, &first, 0));
    assert_ne!(back.member_id, second);
    assert_eq!(sync(&mut again, "two", 2, &back.member_id, &[]).assignment, Bytes::from("other half"));
    assert_eq!(heartbeat(&mut one, "one", 2, &first), 0);
    // The one that it was before learns that another has its place.
    assert_eq!(heartbeat(&mut two, "two", 2, &second), error_code::FENCED_INSTANCE_ID);
    assert_eq!(two.ask(5, &joining_as("two", &second)).error_code, error_code::FENCED_INSTANCE_ID);
    assert_eq!(heartbeat(&mut two, "nobody", 2, &second), error_code::UNKNOWN_MEMBER_ID);

    // So it is with the leader, which does not deal out shares once more.
    let back = again.ask(9, &joining_as("one", &none));
    assert_eq!((back.generation_id, back.skip_assignment, back.members.len()), (2, true, 2));
    assert_eq!(back.leader, back.member_id);
    let back = again.ask(5, &joining_as("one", &none));
    assert_eq!((back.generation_id, back.members.len()), (2, 0));
    assert_ne!(back.leader, back.member_id, "an earlier version is told that another leads");
    assert_eq!(sync(&mut again, "one", 2, &back.member_id, &[]).assignment, Bytes::from("half"));

    // It goes when it is sent away by its own name.
    let gone = m::leave_group_request::MemberIdentity::default().with_group_instance_id(Some(text("one")));
    let asked = m::LeaveGroupRequest::default().with_group_id(group()).with_members(vec![gone.clone(), gone]);
    let answer = again.ask(5, &asked);
    assert_eq!(answer.members.iter().map(|member| member.error_code).collect::<Vec<_>>(), [0]);
    assert_eq!(heartbeat(&mut again, "one", 2, &back.member_id), error_code::UNKNOWN_MEMBER_ID);
}

#[test]
fn groups_beyond_their_number_are_refused_and_none_leaves() {
    let served = TestListener::start(
        Access::Client,
        ListenerConfig { groups_max: 3, first_join_ms: 0, ..ListenerConfig::default() },
    );
    let mut client = Client::of(&served);
    let commit = |client: &mut Client, name: &'static str| {
        let partition = m::offset_commit_request::OffsetCommitRequestPartition::default().with_committed_offset(5);
        let of = m::offset_commit_request::OffsetCommitRequestTopic::default().with_name(topic("test.orders.events"));
        let asked = m::OffsetCommitRequest::default().with_group_id(m::GroupId(text(name)));
        let asked = asked.with_generation_id_or_member_epoch(-1).with_topics(vec![of.with_partitions(vec![partition])]);
        client.ask(6, &asked).topics[0].partitions[0].error_code
    };
    let join = |client: &mut Client, name: &'static str| {
        client.ask(3, &joining(&StrBytes::default()).with_group_id(m::GroupId(text(name))))
    };
    assert_eq!(["a", "b"].map(|name| commit(&mut client, name)), [0, 0]);
    let member = join(&mut client, "live");
    assert_eq!(member.error_code, 0);
    assert_eq!(commit(&mut client, "c"), error_code::GROUP_MAX_SIZE_REACHED);
    assert_eq!(join(&mut client, "c").error_code, error_code::GROUP_MAX_SIZE_REACHED);
    assert_eq!(commit(&mut client, "a"), 0, "those that are there go on");
    let listed = client.ask(0, &m::ListGroupsRequest::default()).groups;
    assert_eq!(listed.iter().map(|group| group.group_id.as_str()).collect::<Vec<_>>(), ["a", "b", "live"]);
    // A group without members that has committed nothing leaves its place.
    let asked =
        m::LeaveGroupRequest::default().with_group_id(m::GroupId(text("live"))).with_member_id(member.member_id);
    assert_eq!(client.ask(2, &asked).error_code, 0);
    let deadline = std::time::Instant::now() + crate::testing::PATIENCE;
    while commit(&mut client, "c") != 0 {
        assert!(std::time::Instant::now() < deadline, "it does not leave");
    }
}

#[test]
fn offsets_are_taken_away_but_of_topics_that_are_read() {
    const READ: &str = "test.orders.events";
    const OTHER: &str = "test.stock.events";
    let served = TestListener::start(Access::Client, ListenerConfig { first_join_ms: 0, ..ListenerConfig::default() });
    let mut client = Client::of(&served);
    let mut metadata = Vec::new();
    metadata.put_slice(b"\0\x01\0\0\0\x01");
    metadata.put_i16(i16::try_from(READ.len()).unwrap());
    metadata.put_slice(READ.as_bytes());
    metadata.put_slice(b"\xff\xff\xff\xff");
    let range = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from(metadata));
    let member = client.ask(3, &joining(&StrBytes::default()).with_protocols(vec![range]));
    let share = (&member.member_id, "all");
    let asked = m::SyncGroupRequest::default().with_group_id(group()).with_generation_id(1);
    let one = m::sync_group_request::SyncGroupRequestAssignment::default().with_member_id(share.0.clone());
    assert_eq!(client.ask(1, &asked.with_member_id(share.0.clone()).with_assignments(vec![one])).error_code, 0);
    for name in [READ, OTHER] {
        let partition = m::offset_commit_request::OffsetCommitRequestPartition::default().with_committed_offset(5);
        let of = m::offset_commit_request::OffsetCommitRequestTopic::default().with_name(topic(name));
        let asked = m::OffsetCommitRequest::default().with_group_id(group()).with_generation_id_or_member_epoch(1);
        let asked = asked.with_member_id(member.member_id.clone());
        let answer = client.ask(6, &asked.with_topics(vec![of.with_partitions(vec![partition])]));
        assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    }
    let mut delete = |name: &'static str| {
        let of = |name| {
            let partition = m::offset_delete_request::OffsetDeleteRequestPartition::default();
            let of = m::offset_delete_request::OffsetDeleteRequestTopic::default().with_name(topic(name));
            of.with_partitions(vec![partition.clone(), partition])
        };
        let asked = m::OffsetDeleteRequest::default().with_group_id(m::GroupId(text(name)));
        let answer = client.ask(0, &asked.with_topics(vec![of(READ), of(OTHER)]));
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
        (answer.error_code, codes.collect::<Vec<_>>())
    };
    assert_eq!(delete("nobody"), (error_code::GROUP_ID_NOT_FOUND, Vec::new()));
    assert_eq!(delete("g"), (0, vec![error_code::GROUP_SUBSCRIBED_TO_TOPIC, 0]));
    let of = m::OffsetFetchRequest::default().with_group_id(group()).with_topics(None);
    let left = client.ask(5, &of).topics;
    assert_eq!(left.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), [READ]);
}
