//! Topics as clients know them: their names, partitions, and where those begin and end. Not for the records.

use super::apis::Access;
use super::error_code;
use super::shared::ListenerShared;
use crate::Error;
use crate::log::{Log, LogRecord, ReadLimit};
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The number of the only node.
pub const NODE: BrokerId = BrokerId(1);
/// The node's name for its cluster.
pub const CLUSTER: &str = "tradewind";

/// The special times of the protocol: after the last record, at the first, at the one with the latest time, and at the
/// first that is on this node, where all are.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIME: i64 = -3;
const EARLIEST_HERE: i64 = -4;

/// The most that is read at once when a time is looked for.
const LOOKUP: ReadLimit = ReadLimit { records_max: 1_000, bytes_max: 1 << 20 };

impl ListenerShared {
    /// Every log.
    pub fn logs(&self) -> impl Iterator<Item = &Arc<dyn Log>> {
        [Some(&self.inputs), self.outputs.as_ref()].into_iter().flatten()
    }

    /// The log of a topic, if there is one here.
    pub fn log_of(&self, topic: Topic) -> Option<&Arc<dyn Log>> {
        self.logs().find(|log| log.partitions().count(topic) > 0)
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        let topic = Topic::from_name(name.strip_prefix(self.topic_prefix.as_str())?)?;
        self.log_of(topic).map(|_| topic)
    }

    /// The partition of that name and number, and its log.
    pub fn partition(&self, name: &str, number: i32) -> Option<(TopicPartition, &Arc<dyn Log>)> {
        let at = TopicPartition::new(self.topic(name)?, u32::try_from(number).ok()?);
        let log = self.log_of(at.topic)?;
        log.partitions().contains(at).then_some((at, log))
    }

    /// Returns true if clients may append to a topic.
    pub fn is_writable(&self, topic: Topic) -> bool {
        let is_input = self.inputs.partitions().count(topic) > 0;
        match self.access {
            Access::Client => is_input && topic != Topic::Epochs,
            Access::Owner => is_input,
        }
    }

    pub(super) fn name_of(&self, topic: Topic) -> TopicName {
        TopicName(StrBytes::from_string(format!("{}{}", self.topic_prefix, topic.name())))
    }

    /// Every topic.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.logs().flat_map(|log| log.partitions().topics().collect::<Vec<_>>())
    }

    pub(super) fn metadata(&self, address: SocketAddr, version: i16, request: MetadataRequest) -> MetadataResponse {
        let asked = request.topics;
        // The first version means all topics by none.
        let all = asked.as_ref().is_none_or(|asked| version == 0 && asked.is_empty());
        let topics = if all {
            self.topics().map(|topic| self.described(topic)).collect()
        } else {
            let mut named = BTreeSet::new();
            let asked = asked.into_iter().flatten().filter(|asked| named.insert((asked.name.clone(), asked.topic_id)));
            asked.map(|asked| self.described_as(asked)).collect()
        };
        let broker = MetadataResponseBroker::default()
            .with_node_id(NODE)
            .with_host(StrBytes::from_string(address.ip().to_string()))
            .with_port(i32::from(address.port()));
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER)))
            .with_controller_id(NODE)
            .with_topics(topics)
    }

    /// A topic by its name. No topic has an id here, so that one that is asked for by an id is unknown.
    fn described_as(&self, asked: MetadataRequestTopic) -> MetadataResponseTopic {
        let unknown = MetadataResponseTopic::default().with_topic_id(asked.topic_id);
        let Some(name) = asked.name else {
            return unknown.with_error_code(error_code::UNKNOWN_TOPIC_ID).with_name(None);
        };
        match self.topic(&name) {
            Some(topic) => self.described(topic),
            None => unknown.with_error_code(error_code::UNKNOWN_TOPIC_OR_PARTITION).with_name(Some(name)),
        }
    }

    fn described(&self, topic: Topic) -> MetadataResponseTopic {
        let count = self.log_of(topic).map_or(0, |log| log.partitions().count(topic));
        let partition = |number: u32| {
            MetadataResponsePartition::default()
                .with_partition_index(i32::try_from(number).unwrap_or(i32::MAX))
                .with_leader_id(NODE)
                .with_leader_epoch(-1)
                .with_replica_nodes(vec![NODE])
                .with_isr_nodes(vec![NODE])
        };
        MetadataResponseTopic::default()
            .with_name(Some(self.name_of(topic)))
            .with_partitions((0..count).map(partition).collect())
    }

    pub(super) async fn list_offsets(&self, request: ListOffsetsRequest) -> ListOffsetsResponse {
        let mut topics = Vec::new();
        // One look at each log, so that an answer about many partitions is one snapshot.
        let bounds: Vec<_> = self.logs().map(|log| (log.starts(), log.ends())).collect();
        let bound = |topic: Topic, is_end: bool| {
            let number = usize::from(self.inputs.partitions().count(topic) == 0);
            let (starts, ends) = bounds.get(number)?;
            if is_end { ends.as_ref().ok() } else { starts.as_ref().ok() }
        };
        let deadline = Instant::now() + Duration::from_millis(self.config.lookup_ms_max);
        let mut named = BTreeSet::new();
        for topic in request.topics {
            let mut partitions = Vec::new();
            for asked in topic.partitions {
                if !named.insert((topic.name.clone(), asked.partition_index)) {
                    continue;
                }
                let answer = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
                let Some((at, log)) = self.partition(&topic.name, asked.partition_index) else {
                    partitions.push(answer.with_error_code(error_code::UNKNOWN_TOPIC_OR_PARTITION));
                    continue;
                };
                partitions.push(match asked.timestamp {
                    LATEST | EARLIEST | EARLIEST_HERE => {
                        match bound(at.topic, asked.timestamp == LATEST).and_then(|bound| bound.get(at)) {
                            Some(offset) => answer.with_offset(as_i64(offset)),
                            None => answer.with_error_code(error_code::KAFKA_STORAGE_ERROR),
                        }
                    }
                    ..EARLIEST_HERE => answer.with_error_code(error_code::UNSUPPORTED_VERSION),
                    time => match self.at_time(at, Arc::clone(log), time, deadline).await {
                        Ok(None) => answer,
                        Ok(Some((offset, time))) => answer.with_offset(as_i64(offset)).with_timestamp(time),
                        Err(code) => answer.with_error_code(code),
                    },
                });
            }
            topics.push(ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions));
        }
        ListOffsetsResponse::default().with_topics(topics)
    }

    /// The first record that is not older, or that has the latest time, by reading the partition; there is no index of
    /// times.
    async fn at_time(
        &self,
        at: TopicPartition,
        log: Arc<dyn Log>,
        time_ms: i64,
        deadline: Instant,
    ) -> Result<Option<(u64, i64)>, i16> {
        let place = Arc::clone(&self.reads).acquire_owned().await;
        let found = tokio::task::spawn_blocking(move || {
            let found = look_up(at, &*log, time_ms, deadline);
            drop(place);
            found
        });
        match found.await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Err(failed("looking for a time", &error)),
            Err(_) => Err(error_code::KAFKA_STORAGE_ERROR),
        }
    }
}

fn look_up(
    at: TopicPartition,
    log: &dyn Log,
    time_ms: i64,
    deadline: Instant,
) -> Result<Result<Option<(u64, i64)>, i16>, Error> {
    let mut from = Cut::default();
    from.set(at, log.starts()?.get(at).unwrap_or(0));
    let end = log.ends()?.get(at).unwrap_or(0);
    let mut reader = log.reader(&from)?;
    let mut records: Vec<LogRecord> = Vec::new();
    let mut latest: Option<(u64, i64)> = None;
    while reader.position(at).is_some_and(|position| position < end) {
        if Instant::now() > deadline {
            return Ok(Err(error_code::REQUEST_TIMED_OUT));
        }
        records.clear();
        reader.poll(LOOKUP, &mut records)?;
        for LogRecord { origin, record } in &records {
            if time_ms == MAX_TIME {
                let is_later = latest.is_none_or(|(_, time)| record.timestamp_ms > time);
                latest = if is_later { Some((origin.offset, record.timestamp_ms)) } else { latest };
            } else if record.timestamp_ms >= time_ms {
                return Ok(Ok(Some((origin.offset, record.timestamp_ms))));
            }
        }
        if records.is_empty() {
            break;
        }
    }
    Ok(Ok(latest))
}

/// The code for an error of the log, which is logged.
pub fn failed(doing: &'static str, error: &Error) -> i16 {
    tracing::warn!(error = error as &dyn std::error::Error, doing, "a Kafka client cannot be served");
    error_code::KAFKA_STORAGE_ERROR
}

/// An offset in the protocol's form. There are no larger ones.
pub fn as_i64(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
