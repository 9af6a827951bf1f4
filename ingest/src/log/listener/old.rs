//! Versions of requests that the crate of the protocol no longer has, though clients of Kafka 1.0 to 2.8 send them: read as
//! the next version that it has, and answered in their own form. Not for what is answered.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, CreateTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse, GroupId,
    ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

/// The first version of each that the crate has.
pub const OFFSET_COMMIT: i16 = 2;
pub const LIST_OFFSETS: i16 = 1;
pub const CREATE_TOPICS: i16 = 2;
pub const DESCRIBE_CONFIGS: i16 = 1;
/// The version before it has the same form.
pub const DESCRIBE_LOG_DIRS: i16 = 1;

/// Reads the fields of a request that was walked over before. None where it is not what it should be.
struct Fields(Bytes);

impl Fields {
    fn i8(&mut self) -> Option<i8> {
        self.0.try_get_i8().ok()
    }

    fn i16(&mut self) -> Option<i16> {
        self.0.try_get_i16().ok()
    }

    fn i32(&mut self) -> Option<i32> {
        self.0.try_get_i32().ok()
    }

    fn i64(&mut self) -> Option<i64> {
        self.0.try_get_i64().ok()
    }

    /// A text; the empty one if there is none.
    fn text(&mut self) -> Option<StrBytes> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        if length > self.0.len() {
            return None;
        }
        StrBytes::from_utf8(self.0.split_to(length)).ok()
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.i32()?).map(|_| item(self)).collect()
    }
}

/// Version 1, which has a time for each offset.
pub fn offset_commit(body: Bytes) -> Option<OffsetCommitRequest> {
    let mut fields = Fields(body);
    let partition = |fields: &mut Fields| {
        let asked = OffsetCommitRequestPartition::default().with_partition_index(fields.i32()?);
        let asked = asked.with_committed_offset(fields.i64()?);
        fields.i64()?;
        Some(asked.with_committed_metadata(Some(fields.text()?)))
    };
    let request = OffsetCommitRequest::default().with_group_id(GroupId(fields.text()?));
    let request = request.with_generation_id_or_member_epoch(fields.i32()?).with_member_id(fields.text()?);
    let topics = fields.list(|fields| {
        let topic = OffsetCommitRequestTopic::default().with_name(TopicName(fields.text()?));
        Some(topic.with_partitions(fields.list(partition)?))
    });
    Some(request.with_topics(topics?))
}

/// Version 0, which asks for a number of offsets and is given one.
pub fn list_offsets(body: Bytes) -> Option<ListOffsetsRequest> {
    let mut fields = Fields(body);
    let partition = |fields: &mut Fields| {
        let asked = ListOffsetsPartition::default().with_partition_index(fields.i32()?).with_timestamp(fields.i64()?);
        fields.i32()?;
        Some(asked)
    };
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(fields.i32()?));
    let topics = fields.list(|fields| {
        let topic = ListOffsetsTopic::default().with_name(TopicName(fields.text()?));
        Some(topic.with_partitions(fields.list(partition)?))
    });
    Some(request.with_topics(topics?))
}

/// The answer to version 0.
pub fn listed_offsets(answer: &ListOffsetsResponse) -> Vec<u8> {
    let mut to = Vec::new();
    count(answer.topics.len(), &mut to);
    for topic in &answer.topics {
        text(&topic.name, &mut to);
        count(topic.partitions.len(), &mut to);
        for partition in &topic.partitions {
            to.extend_from_slice(&partition.partition_index.to_be_bytes());
            to.extend_from_slice(&partition.error_code.to_be_bytes());
            let found = (partition.offset >= 0).then_some(partition.offset);
            count(found.iter().len(), &mut to);
            found.iter().for_each(|offset| to.extend_from_slice(&offset.to_be_bytes()));
        }
    }
    to
}

/// Versions 0 and 1, of which only the names of the topics are read.
pub fn create_topics(body: Bytes) -> Option<CreateTopicsRequest> {
    let mut fields = Fields(body);
    let topics = fields.list(|fields| {
        let topic = CreatableTopic::default().with_name(TopicName(fields.text()?));
        let topic = topic.with_num_partitions(fields.i32()?).with_replication_factor(fields.i16()?);
        fields.list(|fields| {
            fields.i32()?;
            fields.list(Fields::i32)
        })?;
        fields.list(|fields| Some((fields.text()?, fields.text()?)))?;
        Some(topic)
    });
    Some(CreateTopicsRequest::default().with_topics(topics?))
}

/// The answer to versions 0 and 1; the later one has words.
pub fn created_topics(answer: &CreateTopicsResponse, version: i16) -> Vec<u8> {
    let mut to = Vec::new();
    count(answer.topics.len(), &mut to);
    for topic in &answer.topics {
        text(&topic.name, &mut to);
        to.extend_from_slice(&topic.error_code.to_be_bytes());
        if version > 0 {
            text(topic.error_message.as_deref().unwrap_or_default(), &mut to);
        }
    }
    to
}

/// Version 0, which does not ask for synonyms.
pub fn describe_configs(body: Bytes) -> Option<DescribeConfigsRequest> {
    let mut fields = Fields(body);
    let resources = fields.list(|fields| {
        let resource = DescribeConfigsResource::default().with_resource_type(fields.i8()?);
        let resource = resource.with_resource_name(fields.text()?);
        // No list means all settings, and an empty one none of them.
        let count = fields.i32()?;
        let names = (0..count).map(|_| fields.text()).collect::<Option<Vec<_>>>()?;
        Some(resource.with_configuration_keys((count >= 0).then_some(names)))
    });
    Some(DescribeConfigsRequest::default().with_resources(resources?))
}

/// The answer to version 0, which has whether a setting is a default one where later ones have its source.
pub fn described_configs(answer: &DescribeConfigsResponse, default: i8) -> Vec<u8> {
    let mut to = answer.throttle_time_ms.to_be_bytes().to_vec();
    count(answer.results.len(), &mut to);
    for result in &answer.results {
        to.extend_from_slice(&result.error_code.to_be_bytes());
        text(result.error_message.as_deref().unwrap_or_default(), &mut to);
        to.extend_from_slice(&result.resource_type.to_be_bytes());
        text(&result.resource_name, &mut to);
        count(result.configs.len(), &mut to);
        for setting in &result.configs {
            text(&setting.name, &mut to);
            text(setting.value.as_deref().unwrap_or_default(), &mut to);
            let flags = [setting.read_only, setting.config_source == default, setting.is_sensitive];
            to.extend(flags.map(u8::from));
        }
    }
    to
}

fn count(items: usize, to: &mut Vec<u8>) {
    to.extend_from_slice(&i32::try_from(items).unwrap_or(i32::MAX).to_be_bytes());
}

/// No text is longer than that of the request that it comes from, or our own.
fn text(text: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(&i16::try_from(text.len()).unwrap_or(i16::MAX).to_be_bytes());
    to.extend_from_slice(text.as_bytes());
}
