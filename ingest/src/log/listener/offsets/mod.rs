//! The offsets of consumer groups: as clients commit and get them. Not for a group's members: see `groups`; nor for how
//! it is kept: see `store` and `file`.

mod committed;
mod file;
mod store;

pub use store::Offsets;

use super::error_code;
use super::shared::ListenerShared;
use super::topics::failed;
use bytes::{Buf, Bytes};
use committed::CommittedOffset;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
    delete_groups_response::DeletableGroupResult,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};

/// The first version that asks for several groups.
const SEVERAL: i16 = 8;

impl ListenerShared {
    pub(super) async fn commit_offsets(&self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let group = request.group_id.as_str();
        let instance = request.group_instance_id.as_deref();
        let refused =
            self.groups.may_commit(group, request.generation_id_or_member_epoch, &request.member_id, instance);
        let (mut places, mut named, mut topics) = (Vec::new(), BTreeSet::new(), Vec::new());
        for topic in request.topics {
            let mut partitions = Vec::new();
            for asked in topic.partitions {
                if !named.insert((topic.name.clone(), asked.partition_index)) {
                    continue;
                }
                let place = self.partition(&topic.name, asked.partition_index).map(|(at, _)| at.partition);
                let error = match place {
                    _ if refused != error_code::NONE => refused,
                    None => error_code::UNKNOWN_TOPIC_OR_PARTITION,
                    Some(partition) => {
                        let metadata = asked.committed_metadata.map(|text| text.to_string()).unwrap_or_default();
                        let committed = CommittedOffset { offset: asked.committed_offset, metadata };
                        places.push((topic.name.to_string(), partition, committed));
                        error_code::NONE
                    }
                };
                let answer = OffsetCommitResponsePartition::default().with_partition_index(asked.partition_index);
                partitions.push(answer.with_error_code(error));
            }
            topics.push(OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
        }
        let mut codes = self.commit(group, places).await.into_iter();
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.error_code == error_code::NONE {
                partition.error_code = codes.next().unwrap_or(error_code::COORDINATOR_NOT_AVAILABLE);
            }
        }
        OffsetCommitResponse::default().with_topics(topics)
    }

    /// Keeps places durably: a code for each.
    async fn commit(&self, group: &str, places: Vec<(String, u32, CommittedOffset)>) -> Vec<i16> {
        if places.is_empty() {
            return Vec::new();
        }
        let (mut codes, change) = self.groups.with_names(|live| self.offsets.put(group, places, live));
        if let Err(error) = self.offsets.written(change).await {
            failed("keeping the offsets of a group", &error);
            // Clients try this one again by themselves.
            codes
                .iter_mut()
                .filter(|code| **code == error_code::NONE)
                .for_each(|code| *code = error_code::COORDINATOR_NOT_AVAILABLE);
        }
        codes
    }

    pub(super) fn fetch_offsets(&self, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
        if version < SEVERAL {
            let asked = request.topics.map(|topics| {
                topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Vec<_>>()
            });
            let found = self.committed(&request.group_id, asked).into_iter().map(|(name, partitions)| {
                let partition = |(number, offset, metadata)| {
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(number)
                        .with_committed_offset(offset)
                        .with_committed_leader_epoch(-1)
                        .with_metadata(Some(metadata))
                };
                let partitions = partitions.into_iter().map(partition).collect();
                OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
            });
            return OffsetFetchResponse::default().with_topics(found.collect());
        }
        let mut named = BTreeSet::new();
        let groups = request.groups.into_iter().filter(|asked| named.insert(asked.group_id.clone()));
        let groups = groups.map(|asked| {
            let of = |topic: OffsetFetchRequestTopics| (topic.name, topic.partition_indexes);
            let topics = asked.topics.map(|topics| topics.into_iter().map(of).collect());
            let found = self.committed(&asked.group_id, topics).into_iter().map(|(name, partitions)| {
                let partition = |(number, offset, metadata)| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(number)
                        .with_committed_offset(offset)
                        .with_committed_leader_epoch(-1)
                        .with_metadata(Some(metadata))
                };
                let partitions = partitions.into_iter().map(partition).collect();
                OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
            });
            OffsetFetchResponseGroup::default().with_group_id(asked.group_id).with_topics(found.collect())
        });
        OffsetFetchResponse::default().with_groups(groups.collect())
    }

    /// The offsets that a group has committed for partitions, each once, or all that it has.
    fn committed(
        &self,
        group: &GroupId,
        asked: Option<Vec<(TopicName, Vec<i32>)>>,
    ) -> Vec<(TopicName, Vec<OffsetEntry>)> {
        let found = |number: i32, committed: Option<CommittedOffset>| match committed {
            Some(CommittedOffset { offset, metadata }) => (number, offset, StrBytes::from_string(metadata)),
            None => (number, -1, StrBytes::default()),
        };
        let Some(asked) = asked else {
            let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
            let all = self.offsets.all(group).into_iter().map(|(name, places)| {
                let places = places.into_iter().map(|(at, committed)| found(number(at), Some(committed)));
                (TopicName(StrBytes::from_string(name)), places.collect())
            });
            return all.collect();
        };
        let mut by_name: BTreeMap<TopicName, BTreeSet<i32>> = BTreeMap::new();
        for (name, numbers) in asked {
            by_name.entry(name).or_default().extend(numbers);
        }
        let all = by_name.into_iter().map(|(name, numbers)| {
            let places = numbers.into_iter().map(|number| found(number, self.offsets.get(group, &name, number)));
            let places = places.collect();
            (name, places)
        });
        all.collect()
    }

    pub(super) async fn delete_groups(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let mut results = Vec::new();
        let named: BTreeSet<GroupId> = request.groups_names.into_iter().collect();
        for group in named {
            let error = match self.groups.is_live(&group) {
                true => error_code::NON_EMPTY_GROUP,
                false => match self.offsets.forget(&group) {
                    Some(change) => self.durable(change).await,
                    None => error_code::GROUP_ID_NOT_FOUND,
                },
            };
            results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(error));
        }
        DeleteGroupsResponse::default().with_results(results)
    }

    /// Forgets places of a group, but of topics that a member reads.
    pub(super) async fn delete_offsets(&self, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
        let group = request.group_id.as_str();
        if !self.offsets.knows(group) && !self.groups.is_live(group) {
            return OffsetDeleteResponse::default().with_error_code(error_code::GROUP_ID_NOT_FOUND);
        }
        let Ok(read) = self.groups.topics(group) else {
            return OffsetDeleteResponse::default().with_error_code(error_code::NON_EMPTY_GROUP);
        };
        let (mut gone, mut named, mut topics) = (Vec::new(), BTreeSet::new(), Vec::new());
        for topic in request.topics {
            let mut partitions = Vec::new();
            for asked in topic.partitions {
                if !named.insert((topic.name.clone(), asked.partition_index)) {
                    continue;
                }
                let error = match self.partition(&topic.name, asked.partition_index) {
                    None => error_code::UNKNOWN_TOPIC_OR_PARTITION,
                    Some(_) if read.contains(topic.name.as_str()) => error_code::GROUP_SUBSCRIBED_TO_TOPIC,
                    Some((at, _)) => {
                        gone.push((topic.name.to_string(), at.partition));
                        error_code::NONE
                    }
                };
                let answer = OffsetDeleteResponsePartition::default().with_partition_index(asked.partition_index);
                partitions.push(answer.with_error_code(error));
            }
            topics.push(OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions));
        }
        let error =
            if gone.is_empty() { error_code::NONE } else { self.durable(self.offsets.remove(group, gone)).await };
        OffsetDeleteResponse::default().with_error_code(error).with_topics(topics)
    }

    async fn durable(&self, change: u64) -> i16 {
        match self.offsets.written(change).await {
            Ok(()) => error_code::NONE,
            Err(error) => {
                failed("keeping the offsets of a group", &error);
                error_code::COORDINATOR_NOT_AVAILABLE
            }
        }
    }
}

/// A partition, its offset, and what is kept beside it.
type OffsetEntry = (i32, i64, StrBytes);

/// The topics that a member reads, in the form that consumers have for it: a version, then names.
pub fn subscribed(mut metadata: Bytes) -> Option<Vec<String>> {
    metadata.try_get_i16().ok()?;
    let count = metadata.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        let name = (length <= metadata.len()).then(|| metadata.split_to(length))?;
        topics.push(String::from_utf8(name.to_vec()).ok()?);
    }
    Some(topics)
}
