//! Each request that the crate of the protocol can write fits the shape that it is walked by, to its last byte and no
//! further. Not for the versions that the crate does not have: see `versions`.

use super::protocol::{batch, fetch, produce, topic};
use super::*;
use crate::log::listener::apis::{ALL, Api};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as m;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Request, StrBytes};
use std::collections::BTreeSet;

/// The versions of each kind that were looked at.
#[derive(Default)]
struct VersionSet(BTreeSet<(i16, i16)>);

impl VersionSet {
    fn check<R: Request + Default>(&mut self, request: &R) {
        let api = Api::find(R::KEY, Access::Owner).unwrap();
        for version in api.least..=api.most {
            let mut body = BytesMut::new();
            if request.encode(&mut body, version).is_err() {
                continue;
            }
            self.0.insert((R::KEY, version));
            assert_eq!(api.left_over(version, &body, 100), Some(0), "{:?} {version}", api.key);
            let shorter = &body[..body.len().saturating_sub(1)];
            assert!(body.is_empty() || api.left_over(version, shorter, 100).is_none(), "{:?} {version}", api.key);
            body.extend_from_slice(&[0]);
            assert_eq!(api.left_over(version, &body, 100), Some(1), "{:?} {version}", api.key);
            let flexible = R::header_version(version) == 2;
            assert_eq!(api.is_flexible(version), flexible, "{:?} {version}", api.key);
        }
    }
}

fn text() -> StrBytes {
    StrBytes::from_static_str("some text")
}

fn groups(checked: &mut VersionSet) {
    let group = || m::GroupId(text());
    let partition = m::offset_commit_request::OffsetCommitRequestPartition::default();
    let one = m::offset_commit_request::OffsetCommitRequestTopic::default().with_partitions(vec![partition]);
    checked.check(&m::OffsetCommitRequest::default().with_member_id(text()).with_topics(vec![one.clone()]));
    checked.check(&m::OffsetCommitRequest::default().with_group_instance_id(Some(text())).with_topics(vec![one]));
    let one = m::offset_fetch_request::OffsetFetchRequestTopic::default().with_partition_indexes(vec![1, 2]);
    checked.check(&m::OffsetFetchRequest::default().with_topics(Some(vec![one])));
    let one = m::offset_fetch_request::OffsetFetchRequestTopics::default().with_partition_indexes(vec![1, 2]);
    let one = m::offset_fetch_request::OffsetFetchRequestGroup::default().with_topics(Some(vec![one]));
    checked.check(&m::OffsetFetchRequest::default().with_groups(vec![one]));
    checked.check(&m::FindCoordinatorRequest::default().with_key(text()));
    checked.check(&m::FindCoordinatorRequest::default().with_coordinator_keys(vec![text(), text()]));
    let one = m::join_group_request::JoinGroupRequestProtocol::default().with_metadata(Bytes::from("meta"));
    let joining = m::JoinGroupRequest::default().with_member_id(text()).with_protocols(vec![one]);
    checked.check(&joining);
    checked.check(&joining.clone().with_group_instance_id(Some(text())));
    checked.check(&joining.with_reason(Some(text())));
    checked.check(&m::HeartbeatRequest::default().with_member_id(text()));
    checked.check(&m::HeartbeatRequest::default().with_group_instance_id(Some(text())));
    checked.check(&m::LeaveGroupRequest::default().with_member_id(text()));
    let one = m::leave_group_request::MemberIdentity::default().with_group_instance_id(Some(text()));
    checked.check(&m::LeaveGroupRequest::default().with_members(vec![one]));
    let one = m::sync_group_request::SyncGroupRequestAssignment::default().with_assignment(Bytes::from("share"));
    let sharing = m::SyncGroupRequest::default().with_assignments(vec![one]);
    checked.check(&sharing);
    checked.check(&sharing.with_group_instance_id(Some(text())).with_protocol_name(Some(text())));
    checked.check(&m::DescribeGroupsRequest::default().with_groups(vec![group()]));
    checked.check(&m::ListGroupsRequest::default());
    checked.check(&m::DeleteGroupsRequest::default().with_groups_names(vec![group()]));
    let partition = m::offset_delete_request::OffsetDeleteRequestPartition::default();
    let one = m::offset_delete_request::OffsetDeleteRequestTopic::default().with_partitions(vec![partition]);
    checked.check(&m::OffsetDeleteRequest::default().with_topics(vec![one]));
}

fn transactions(checked: &mut VersionSet) {
    let one = m::add_partitions_to_txn_request::AddPartitionsToTxnTopic::default().with_partitions(vec![1, 2]);
    checked.check(&m::AddPartitionsToTxnRequest::default().with_v3_and_below_topics(vec![one]));
    checked.check(&m::AddOffsetsToTxnRequest::default().with_group_id(m::GroupId(text())));
    checked.check(&m::EndTxnRequest::default());
    let partition = m::txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
    let one = m::txn_offset_commit_request::TxnOffsetCommitRequestTopic::default().with_partitions(vec![partition]);
    checked.check(&m::TxnOffsetCommitRequest::default().with_topics(vec![one]));
}

fn topics(checked: &mut VersionSet) {
    let name = || topic("t");
    let partition = m::list_offsets_request::ListOffsetsPartition::default();
    let one = m::list_offsets_request::ListOffsetsTopic::default().with_name(name()).with_partitions(vec![partition]);
    checked.check(&m::ListOffsetsRequest::default().with_topics(vec![one]));
    let one = m::metadata_request::MetadataRequestTopic::default().with_name(Some(name()));
    checked.check(&m::MetadataRequest::default().with_topics(Some(vec![one])));
    let partition = m::delete_records_request::DeleteRecordsPartition::default();
    let one = m::delete_records_request::DeleteRecordsTopic::default().with_partitions(vec![partition]);
    checked.check(&m::DeleteRecordsRequest::default().with_topics(vec![one]));
    let one =
        m::describe_configs_request::DescribeConfigsResource::default().with_configuration_keys(Some(vec![text()]));
    checked.check(&m::DescribeConfigsRequest::default().with_resources(vec![one]));
    let one = m::describe_log_dirs_request::DescribableLogDirTopic::default().with_partitions(vec![1, 2]);
    checked.check(&m::DescribeLogDirsRequest::default().with_topics(Some(vec![one])));
    let at = m::create_topics_request::CreatableReplicaAssignment::default().with_broker_ids(vec![1.into()]);
    let setting = m::create_topics_request::CreatableTopicConfig::default().with_name(text());
    let one = m::create_topics_request::CreatableTopic::default().with_assignments(vec![at]);
    checked.check(&m::CreateTopicsRequest::default().with_topics(vec![one.with_configs(vec![setting])]));
}

#[test]
fn shapes_are_those_of_the_requests() {
    let mut checked = VersionSet::default();
    checked.check(&produce("test.orders.commands", 1, batch(&["a"], (-1, -1, -1))));
    checked.check(&fetch("test.orders.commands", 1, 0, 0));
    groups(&mut checked);
    transactions(&mut checked);
    topics(&mut checked);
    checked.check(&m::ApiVersionsRequest::default());
    checked.check(&m::InitProducerIdRequest::default());
    checked.check(&m::DescribeClusterRequest::default());
    let all = ALL.iter().flat_map(|api| (api.least..=api.most).map(|version| (api.key as i16, version)));
    let unchecked: Vec<_> = all.filter(|one| !checked.0.contains(one)).collect();
    let not_of_the_crate = [
        (ApiKey::ListOffsets, 0),
        (ApiKey::OffsetCommit, 1),
        (ApiKey::CreateTopics, 0),
        (ApiKey::CreateTopics, 1),
        (ApiKey::DescribeConfigs, 0),
        (ApiKey::DescribeLogDirs, 0),
    ];
    assert_eq!(unchecked, not_of_the_crate.map(|(key, version)| (key as i16, version)), "those are read in `versions`");
    assert!(Api::find(ApiKey::DeleteRecords as i16, Access::Client).is_none());
}
