//! The answers to what clients ask first: the APIs, the node, the topics' settings. Not for changing any of it.

use super::apis::{Access, Api};
use super::batches::NO_TRANSACTIONS;
use super::error_code;
use super::shared::ListenerShared;
use super::topics::{CLUSTER, NODE, as_i64, failed};
use crate::Error;
use crate::log::RECORD_BYTES_MAX;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::Topic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiVersionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DescribeClusterResponse, DescribeConfigsRequest,
    DescribeConfigsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// The versions that such a client may use.
pub fn versions(access: Access) -> ApiVersionsResponse {
    let version = |api: &Api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.announced_from)
            .with_max_version(api.most)
    };
    ApiVersionsResponse::default().with_api_keys(Api::allowed(access).map(version).collect())
}

/// The only node, as a cluster.
pub fn cluster(address: SocketAddr) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default()
        .with_broker_id(NODE)
        .with_host(StrBytes::from_string(address.ip().to_string()))
        .with_port(i32::from(address.port()));
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_static_str(CLUSTER))
        .with_controller_id(NODE)
        .with_brokers(vec![broker])
}

/// The coordinator of groups: the only node. Transactions have none.
pub fn coordinator(address: SocketAddr, request: FindCoordinatorRequest, version: i16) -> FindCoordinatorResponse {
    const GROUP: i8 = 0;
    /// The first version that asks for several.
    const SEVERAL: i16 = 4;
    let host = StrBytes::from_string(address.ip().to_string());
    let port = i32::from(address.port());
    let is_group = request.key_type == GROUP;
    let refused = StrBytes::from_static_str(NO_TRANSACTIONS);
    if version >= SEVERAL {
        let keys: BTreeSet<StrBytes> = request.coordinator_keys.into_iter().collect();
        let found = keys.into_iter().map(|key| {
            let found = Coordinator::default().with_key(key);
            if is_group {
                return found.with_node_id(NODE).with_host(host.clone()).with_port(port);
            }
            let code = error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            found.with_node_id((-1).into()).with_error_code(code).with_error_message(Some(refused.clone()))
        });
        return FindCoordinatorResponse::default().with_coordinators(found.collect());
    }
    if is_group {
        return FindCoordinatorResponse::default().with_node_id(NODE).with_host(host).with_port(port);
    }
    FindCoordinatorResponse::default()
        .with_error_code(error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        .with_error_message(Some(refused))
        .with_node_id((-1).into())
}

/// Refuses: only the node itself makes topics.
pub fn no_topics(request: CreateTopicsRequest) -> CreateTopicsResponse {
    const WHY: &str = "topics are made by Tradewind itself, and by nobody else: clients cannot make any";
    let mut named = BTreeSet::new();
    let topics = request.topics.into_iter().filter(|asked| named.insert(asked.name.clone())).map(|asked| {
        CreatableTopicResult::default()
            .with_name(asked.name)
            .with_error_code(error_code::POLICY_VIOLATION)
            .with_error_message(Some(StrBytes::from_static_str(WHY)))
            .with_configs(None)
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

/// There are no transactions, so that nothing is added to one.
pub fn no_partitions(request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    let mut named = BTreeSet::new();
    let topics = request.v3_and_below_topics.into_iter().map(|topic| {
        let numbers = topic.partitions.iter().filter(|number| named.insert((topic.name.clone(), **number)));
        let results = numbers.map(|number| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*number)
                .with_partition_error_code(error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        });
        let results = results.collect();
        AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(results)
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics.collect())
}

/// Nor are the offsets of groups.
pub fn no_offsets(request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let mut named = BTreeSet::new();
    let topics = request.topics.into_iter().map(|topic| {
        let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
        let numbers = numbers.filter(|number| named.insert((topic.name.clone(), *number)));
        let results = numbers.map(|number| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(number)
                .with_error_code(error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        });
        let results = results.collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(results)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// The kinds of resources that have settings.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// The source of a setting: it is this topic's own, or that of all brokers by default. Tools show only the former.
const OF_TOPIC: i8 = 1;
pub const DEFAULT: i8 = 5;
/// Settings that are what Kafka's brokers have by default.
const DEFAULTS: [&str; 3] = ["message.timestamp.type", "min.insync.replicas", "retention.bytes"];

impl ListenerShared {
    pub(super) fn describe_configs(&self, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
        let mut results = Vec::new();
        let mut named = BTreeSet::new();
        for asked in request.resources {
            if !named.insert((asked.resource_type, asked.resource_name.clone())) {
                continue;
            }
            let settings = match asked.resource_type {
                TOPIC => self.topic(&asked.resource_name).map(|topic| self.settings(topic)),
                BROKER if asked.resource_name.as_str() == NODE.0.to_string() => Some(Vec::new()),
                _ => None,
            };
            let result = DescribeConfigsResult::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name)
                .with_error_message(Some(StrBytes::default()));
            let Some(settings) = settings else {
                results.push(result.with_error_code(error_code::UNKNOWN_TOPIC_OR_PARTITION));
                continue;
            };
            let is_asked = |name: &str| {
                asked.configuration_keys.as_ref().is_none_or(|names| names.iter().any(|asked| asked.as_str() == name))
            };
            let setting = |(name, value): (&'static str, String)| {
                let source = if DEFAULTS.contains(&name) { DEFAULT } else { OF_TOPIC };
                let (name, value) = (StrBytes::from_static_str(name), Some(StrBytes::from_string(value)));
                let synonym = DescribeConfigsSynonym::default().with_name(name.clone()).with_value(value.clone());
                let synonyms = if request.include_synonyms { vec![synonym.with_source(source)] } else { Vec::new() };
                DescribeConfigsResourceResult::default()
                    .with_name(name)
                    .with_value(value)
                    .with_synonyms(synonyms)
                    .with_read_only(true)
                    .with_config_source(source)
                    .with_documentation(None)
            };
            let settings = settings.into_iter().filter(|(name, _)| is_asked(name)).map(setting).collect();
            results.push(result.with_configs(settings));
        }
        DescribeConfigsResponse::default().with_results(results)
    }

    /// Answers with the sizes of topics. All topics of a log are in one journal, so that a partition has its share of
    /// the journal's bytes by how many records it has: it is no more than that.
    pub(super) fn describe_log_dirs(&self, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
        let asked = request.topics.map(|topics| {
            let all = topics.into_iter().flat_map(|topic| {
                topic.partitions.into_iter().map(move |number| (topic.topic.clone(), number)).collect::<Vec<_>>()
            });
            all.collect::<BTreeSet<(TopicName, i32)>>()
        });
        let results = self.logs().enumerate().map(|(number, log)| {
            let name = if number == 0 { "inputs" } else { "outputs" };
            let described = DescribeLogDirsResult::default().with_log_dir(StrBytes::from_static_str(name));
            let (Ok(starts), Ok(ends)) = (log.starts(), log.ends()) else {
                return described.with_error_code(error_code::KAFKA_STORAGE_ERROR);
            };
            let records = |at| ends.get(at).unwrap_or(0).saturating_sub(starts.get(at).unwrap_or(0));
            let all = log.partitions().iter().map(records).sum::<u64>().max(1);
            let bytes = log.bytes();
            let mut topics: BTreeMap<Topic, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
            for at in log.partitions().iter() {
                let index = i32::try_from(at.partition).unwrap_or(i32::MAX);
                if asked.as_ref().is_some_and(|asked| !asked.contains(&(self.name_of(at.topic), index))) {
                    continue;
                }
                let share = bytes.map(|bytes| u128::from(bytes) * u128::from(records(at)) / u128::from(all));
                let share = share.map_or(-1, |share| i64::try_from(share).unwrap_or(i64::MAX));
                let one = DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(share);
                topics.entry(at.topic).or_default().push(one);
            }
            let topics = topics.into_iter().map(|(topic, partitions)| {
                DescribeLogDirsTopic::default().with_name(self.name_of(topic)).with_partitions(partitions)
            });
            described.with_topics(topics.collect()).with_total_bytes(bytes.map_or(-1, as_i64))
        });
        DescribeLogDirsResponse::default().with_results(results.collect())
    }

    /// The settings of a topic. What the engine reads is not deleted by time.
    fn settings(&self, topic: Topic) -> Vec<(&'static str, String)> {
        const UNBOUNDED: &str = "-1";
        let kept_ms = self.config.outputs_kept_ms.to_string();
        let mut settings = vec![
            ("compression.type", "uncompressed".to_owned()),
            ("max.message.bytes", RECORD_BYTES_MAX.to_string()),
            ("message.timestamp.type", "CreateTime".to_owned()),
            ("min.insync.replicas", "1".to_owned()),
            ("retention.bytes", UNBOUNDED.to_owned()),
        ];
        settings.extend(match topic {
            Topic::View(_) => vec![
                ("cleanup.policy", "compact".to_owned()),
                ("delete.retention.ms", kept_ms.clone()),
                ("min.compaction.lag.ms", kept_ms),
                ("retention.ms", UNBOUNDED.to_owned()),
            ],
            Topic::Events(_) | Topic::Progress | Topic::DeadLetters => {
                vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", kept_ms)]
            }
            Topic::Policy | Topic::Catalog | Topic::Stock | Topic::Orders | Topic::Activity | Topic::Epochs => {
                vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", UNBOUNDED.to_owned())]
            }
        });
        settings
    }

    /// Deletes what the log's owner no longer needs.
    pub(super) async fn delete_records(&self, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
        let (mut floor, mut error) = (Cut::default(), error_code::NONE);
        let ends = self.inputs.ends().unwrap_or_default();
        for topic in &request.topics {
            for asked in &topic.partitions {
                let at = self.partition(&topic.name, asked.partition_index).map(|(at, _)| at);
                match at.filter(|at| self.is_writable(at.topic)) {
                    // -1 is the end.
                    Some(at) => floor.set(at, u64::try_from(asked.offset).ok().or(ends.get(at)).unwrap_or(0)),
                    None => error = error_code::UNKNOWN_TOPIC_OR_PARTITION,
                }
            }
        }
        if error == error_code::NONE {
            error = self.delete_before(floor).await;
        }
        let starts = self.inputs.starts().unwrap_or_default();
        let topics = request.topics.into_iter().map(|topic| {
            let partition = |asked: &kafka_protocol::messages::delete_records_request::DeleteRecordsPartition| {
                let start = self.partition(&topic.name, asked.partition_index).and_then(|(at, _)| starts.get(at));
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(asked.partition_index)
                    .with_low_watermark(start.map_or(-1, as_i64))
                    .with_error_code(error)
            };
            let partitions = topic.partitions.iter().map(partition).collect();
            DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    }

    async fn delete_before(&self, floor: Cut) -> i16 {
        let log = Arc::clone(&self.inputs);
        match tokio::task::spawn_blocking(move || log.delete_before(&floor)).await {
            Ok(Ok(())) => error_code::NONE,
            Ok(Err(Error::OutOfRange { .. })) => error_code::OFFSET_OUT_OF_RANGE,
            Ok(Err(error)) => failed("deleting records", &error),
            Err(_) => error_code::KAFKA_STORAGE_ERROR,
        }
    }
}
