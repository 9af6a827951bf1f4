//! How far consumer groups are, kept in one small file that is written as a whole. Not for who is in a group: see `groups`.

use super::topics::as_i64;
use super::{Shared, code};
use crate::Error;
use crate::log::lock;
use crate::storage::Storage;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName, delete_groups_response::DeletableGroupResult,
};
use kafka_protocol::protocol::StrBytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Named by its form, so that a later one can stand beside it.
const NAME: &str = "group-offsets.1";

/// A place up to which a group has read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Committed {
    offset: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    metadata: String,
}

/// The places of one group, by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Places {
    /// Grows with every commit of any group, so that it can be said who was silent longest.
    commit: u64,
    topics: BTreeMap<String, BTreeMap<u32, Committed>>,
}

#[derive(Default)]
struct State {
    groups: BTreeMap<String, Places>,
    commits: u64,
}

/// The places of all groups.
pub struct Offsets {
    storage: Arc<dyn Storage>,
    groups_max: usize,
    state: Mutex<State>,
    /// Up to which commit the file is. Held while it is written, so that many commits wait for one write.
    written: Arc<tokio::sync::Mutex<u64>>,
}

impl Offsets {
    /// Reads the file, if there is one.
    pub fn open(storage: Arc<dyn Storage>, groups_max: usize) -> Result<Offsets, Error> {
        let file = storage.describe(NAME);
        let groups: BTreeMap<String, Places> = match storage.read(NAME) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
                file,
                offset: 0,
                why: error.to_string(),
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Error::io("reading", &file)(error)),
        };
        let commits = groups.values().map(|places| places.commit).max().unwrap_or(0);
        let written = Arc::new(tokio::sync::Mutex::new(commits));
        Ok(Offsets { storage, groups_max: groups_max.max(1), state: Mutex::new(State { groups, commits }), written })
    }

    /// The groups that have committed.
    pub fn groups(&self) -> Vec<String> {
        lock(&self.state).groups.keys().cloned().collect()
    }

    /// Takes over what a group has committed, and returns when it is durable.
    async fn commit(
        &self,
        group: &str,
        places: Vec<(String, u32, Committed)>,
        is_live: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let commit = {
            let mut state = lock(&self.state);
            state.commits += 1;
            let commit = state.commits;
            if !state.groups.contains_key(group) && state.groups.len() >= self.groups_max {
                let silent = state.groups.iter().filter(|(name, _)| !is_live(name));
                let silent = silent.min_by_key(|(_, places)| places.commit).map(|(name, _)| name.clone());
                silent.and_then(|name| state.groups.remove(&name));
            }
            let kept = state.groups.entry(group.to_owned()).or_default();
            kept.commit = commit;
            for (topic, partition, committed) in places {
                kept.topics.entry(topic).or_default().insert(partition, committed);
            }
            commit
        };
        self.write(commit).await
    }

    /// Forgets a group; false if there is none.
    async fn forget(&self, group: &str) -> Result<bool, Error> {
        let commit = {
            let mut state = lock(&self.state);
            if state.groups.remove(group).is_none() {
                return Ok(false);
            }
            state.commits += 1;
            state.commits
        };
        self.write(commit).await.map(|()| true)
    }

    /// Makes everything durable up to that commit at least.
    async fn write(&self, commit: u64) -> Result<(), Error> {
        let mut written = Arc::clone(&self.written).lock_owned().await;
        if *written >= commit {
            return Ok(());
        }
        let (groups, now) = {
            let state = lock(&self.state);
            (state.groups.clone(), state.commits)
        };
        let storage = Arc::clone(&self.storage);
        // The lock goes with the write, so that a client that goes away does not let two of them meet.
        let task = tokio::task::spawn_blocking(move || {
            let bytes = serde_json::to_vec(&groups).unwrap_or_default();
            storage.replace(NAME, &bytes).map_err(Error::io("writing", &storage.describe(NAME)))?;
            *written = now;
            Ok(())
        });
        task.await.unwrap_or_else(|_| Err(Error::Unavailable("the write was given up".to_owned())))
    }

    fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        let partition = u32::try_from(partition).ok()?;
        lock(&self.state).groups.get(group)?.topics.get(topic)?.get(&partition).cloned()
    }

    fn all(&self, group: &str) -> BTreeMap<String, BTreeMap<u32, Committed>> {
        lock(&self.state).groups.get(group).map(|places| places.topics.clone()).unwrap_or_default()
    }
}

impl Shared {
    pub(super) async fn commit_offsets(&self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let group = request.group_id.to_string();
        let refused = self.groups.may_commit(&group, request.generation_id_or_member_epoch, &request.member_id);
        let (mut places, mut topics) = (Vec::new(), Vec::new());
        for topic in request.topics {
            let mut partitions = Vec::new();
            for asked in topic.partitions {
                let metadata = asked.committed_metadata.map(|text| text.to_string()).unwrap_or_default();
                let place = self.partition(&topic.name, asked.partition_index).map(|(at, _)| at.partition);
                let error = match (place, u64::try_from(asked.committed_offset)) {
                    _ if refused != code::NONE => refused,
                    (None, _) => code::UNKNOWN_TOPIC_OR_PARTITION,
                    (_, Err(_)) => code::INVALID_REQUEST,
                    _ if metadata.len() > self.config.offset_metadata_bytes_max => code::OFFSET_METADATA_TOO_LARGE,
                    (Some(partition), Ok(offset)) => {
                        places.push((topic.name.to_string(), partition, Committed { offset, metadata }));
                        code::NONE
                    }
                };
                let answer = OffsetCommitResponsePartition::default().with_partition_index(asked.partition_index);
                partitions.push(answer.with_error_code(error));
            }
            topics.push(OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
        }
        if !places.is_empty()
            && let Err(error) = self.offsets.commit(&group, places, |name| self.groups.is_live(name)).await
        {
            let error = super::topics::failed("keeping the offsets of a group", &error);
            for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                partition.error_code =
                    if error == code::NONE { partition.error_code } else { code::COORDINATOR_NOT_AVAILABLE };
            }
        }
        OffsetCommitResponse::default().with_topics(topics)
    }

    pub(super) fn fetch_offsets(&self, request: OffsetFetchRequest) -> OffsetFetchResponse {
        let group = request.group_id.to_string();
        let partition = |number: i32, committed: Option<Committed>| {
            let answer = OffsetFetchResponsePartition::default().with_partition_index(number);
            match committed {
                Some(Committed { offset, metadata }) => {
                    answer.with_committed_offset(as_i64(offset)).with_metadata(Some(StrBytes::from_string(metadata)))
                }
                None => answer.with_committed_offset(-1).with_metadata(Some(StrBytes::default())),
            }
            .with_committed_leader_epoch(-1)
        };
        let topic = |name: TopicName, partitions| {
            OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
        };
        let mut named = BTreeSet::new();
        let topics = match request.topics {
            Some(asked) => asked
                .into_iter()
                .map(|mut asked| {
                    asked.partition_indexes.retain(|number| named.insert((asked.name.clone(), *number)));
                    let numbers = asked.partition_indexes.iter();
                    let found =
                        numbers.map(|number| partition(*number, self.offsets.get(&group, &asked.name, *number)));
                    let found = found.collect();
                    topic(asked.name, found)
                })
                .collect(),
            None => self
                .offsets
                .all(&group)
                .into_iter()
                .map(|(name, places)| {
                    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
                    let found = places.into_iter().map(|(at, committed)| partition(number(at), Some(committed)));
                    topic(TopicName(StrBytes::from_string(name)), found.collect())
                })
                .collect(),
        };
        OffsetFetchResponse::default().with_topics(topics)
    }

    pub(super) async fn delete_groups(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let mut results = Vec::new();
        for group in request.groups_names {
            let error = if self.groups.is_live(&group) {
                code::NON_EMPTY_GROUP
            } else {
                let forgotten = self.offsets.forget(&group).await;
                match forgotten {
                    Ok(true) => code::NONE,
                    Ok(false) if self.groups.forget(&group) => code::NONE,
                    Ok(false) => code::GROUP_ID_NOT_FOUND,
                    Err(_) => code::COORDINATOR_NOT_AVAILABLE,
                }
            };
            results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(error));
        }
        DeleteGroupsResponse::default().with_results(results)
    }
}
