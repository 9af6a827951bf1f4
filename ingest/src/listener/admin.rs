//! What clients ask before they do anything: what is answered, who answers, how topics are set. Not for changing any of it.

use super::apis::Api;
use super::topics::{CLUSTER, NODE, as_i64, failed};
use super::{Access, Shared, code};
use crate::Error;
use crate::log::RECORD_BYTES_MAX;
use dataflows::epoch::Cut;
use dataflows::topic::Topic;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::{
    ApiVersionsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DescribeClusterResponse, DescribeConfigsRequest,
    DescribeConfigsResponse, FindCoordinatorRequest, FindCoordinatorResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// What is answered to such a client.
pub fn versions(access: Access) -> ApiVersionsResponse {
    let version = |api: &Api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.announced_from)
            .with_max_version(api.most)
    };
    ApiVersionsResponse::default().with_api_keys(Api::allowed(access).map(version).collect())
}

/// Who the only node is.
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

/// Who looks after a group: the only node.
pub fn coordinator(address: SocketAddr, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    const GROUP: i8 = 0;
    if request.key_type != GROUP {
        let why = StrBytes::from_static_str("there are no transactions here");
        return FindCoordinatorResponse::default()
            .with_error_code(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
            .with_error_message(Some(why))
            .with_node_id((-1).into());
    }
    FindCoordinatorResponse::default()
        .with_node_id(NODE)
        .with_host(StrBytes::from_string(address.ip().to_string()))
        .with_port(i32::from(address.port()))
}

/// The kinds of resources that have settings.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a setting comes from: it cannot be changed here.
const STATIC: i8 = 4;
const DEFAULT: i8 = 5;

impl Shared {
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
                results.push(result.with_error_code(code::UNKNOWN_TOPIC_OR_PARTITION));
                continue;
            };
            let is_asked = |name: &str| {
                asked.configuration_keys.as_ref().is_none_or(|names| names.iter().any(|asked| asked.as_str() == name))
            };
            let setting = |(name, value): (&'static str, String)| {
                let source = if request.include_synonyms { STATIC } else { DEFAULT };
                DescribeConfigsResourceResult::default()
                    .with_name(StrBytes::from_static_str(name))
                    .with_value(Some(StrBytes::from_string(value)))
                    .with_read_only(true)
                    .with_config_source(source)
                    .with_documentation(None)
            };
            let settings = settings.into_iter().filter(|(name, _)| is_asked(name)).map(setting).collect();
            results.push(result.with_configs(settings));
        }
        DescribeConfigsResponse::default().with_results(results)
    }

    /// How a topic is kept. What the engine reads is not deleted by time.
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
        let (mut floor, mut error) = (Cut::default(), code::NONE);
        let ends = self.inputs.ends().unwrap_or_default();
        for topic in &request.topics {
            for asked in &topic.partitions {
                let at = self.partition(&topic.name, asked.partition_index).map(|(at, _)| at);
                match at.filter(|at| self.is_writable(at.topic)) {
                    // -1 is the end.
                    Some(at) => floor.set(at, u64::try_from(asked.offset).ok().or(ends.get(at)).unwrap_or(0)),
                    None => error = code::UNKNOWN_TOPIC_OR_PARTITION,
                }
            }
        }
        if error == code::NONE {
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
            Ok(Ok(())) => code::NONE,
            Ok(Err(Error::OutOfRange { .. })) => code::OFFSET_OUT_OF_RANGE,
            Ok(Err(error)) => failed("deleting records", &error),
            Err(_) => code::KAFKA_STORAGE_ERROR,
        }
    }
}
