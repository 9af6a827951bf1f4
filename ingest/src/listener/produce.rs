//! Appends what clients send, and answers when it is durable. Not for what records mean: what cannot be read as a command
//! becomes a dead letter later, as from any log.

use super::batches::{self, Batch, Refused, Stamp};
use super::producers::{Producer, Verdict};
use super::topics::as_i64;
use super::{Shared, code};
use crate::log::Record;
use bytes::Bytes;
use dataflows::port::AppendError;
use dataflows::topic::{Origin, TopicPartition};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// What is sent for one partition, and what becomes of it.
enum Part {
    Ready(Box<Ready>),
    Answered(Answered),
}

struct Ready {
    at: TopicPartition,
    producer: Option<Stamp>,
    records: Vec<Record>,
}

/// The offset of the first record, or why there is none.
type Answered = Result<u64, Refused>;

/// Appends what the request has.
pub async fn produce(shared: &Shared, request: ProduceRequest) -> ProduceResponse {
    let refused = match request.acks {
        -1..=1 if request.transactional_id.is_none() => None,
        -1..=1 => Some(Refused(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "there are no transactions here")),
        _ => Some(Refused(code::INVALID_REQUIRED_ACKS, "acks is 0, 1 or all")),
    };
    let mut parts = Vec::new();
    for topic in &request.topic_data {
        for data in &topic.partition_data {
            let part = refused.map_or_else(|| part(shared, &topic.name, data.index, data.records.as_ref()), Err);
            parts.push(match part {
                Ok(ready) => Part::Ready(Box::new(ready)),
                Err(refused) => Part::Answered(Err(refused)),
            });
        }
    }
    let mut answers = append_all(shared, parts).await.into_iter();
    let mut responses = Vec::new();
    for topic in request.topic_data {
        let partitions = topic.partition_data.iter().map(|data| {
            let answer = answers.next().unwrap_or(Err(Refused(code::KAFKA_STORAGE_ERROR, "")));
            described(shared, &topic.name, data.index, answer)
        });
        let partition_responses = partitions.collect();
        responses
            .push(TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partition_responses));
    }
    ProduceResponse::default().with_responses(responses)
}

fn described(shared: &Shared, name: &str, index: i32, answer: Answered) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match answer {
        Ok(offset) => {
            let start = shared.partition(name, index).and_then(|(at, log)| log.starts().ok()?.get(at));
            response.with_base_offset(as_i64(offset)).with_log_start_offset(start.map_or(-1, as_i64))
        }
        Err(Refused(code, why)) => response
            .with_error_code(code)
            .with_base_offset(-1)
            .with_log_start_offset(-1)
            .with_error_message(Some(StrBytes::from_static_str(why))),
    }
}

/// Checks what is sent for a partition.
fn part(shared: &Shared, name: &str, index: i32, records: Option<&Bytes>) -> Result<Ready, Refused> {
    let unknown = Refused(code::UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition, and topics are not made here");
    let (at, _) = shared.partition(name, index).ok_or(unknown)?;
    if !shared.is_writable(at.topic) {
        return Err(Refused(code::TOPIC_AUTHORIZATION_FAILED, "clients may append to topics of commands only"));
    }
    let records = records.ok_or(Refused(code::INVALID_RECORD, "there are no records"))?;
    let config = &shared.config;
    let Batch { producer, records } = batches::read(records, config.batch_bytes_max, config.records_bytes_max)?;
    Ok(Ready { at, producer, records })
}

/// Appends all parts of each producer together, after what the producer sent before.
async fn append_all(shared: &Shared, parts: Vec<Part>) -> Vec<Answered> {
    let mut answers: Vec<Option<Answered>> = Vec::with_capacity(parts.len());
    let mut by_producer: BTreeMap<Option<i64>, Vec<(usize, Ready)>> = BTreeMap::new();
    for (number, part) in parts.into_iter().enumerate() {
        match part {
            Part::Answered(answer) => answers.push(Some(answer)),
            Part::Ready(ready) => {
                answers.push(None);
                let producer = ready.producer.map(|stamp| stamp.producer_id);
                by_producer.entry(producer).or_default().push((number, *ready));
            }
        }
    }
    for (producer, parts) in by_producer {
        let mut turn = match producer {
            Some(id) => Some(shared.producers.hold(id).await),
            None => None,
        };
        for (number, answer) in append(shared, turn.as_deref_mut(), parts).await {
            answers[number] = Some(answer);
        }
    }
    let missing = || Err(Refused(code::KAFKA_STORAGE_ERROR, "it was not appended"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
}

/// Appends parts of one producer, or of nobody in particular, with one sync.
async fn append(
    shared: &Shared,
    mut producer: Option<&mut Producer>,
    parts: Vec<(usize, Ready)>,
) -> Vec<(usize, Answered)> {
    let (mut answers, mut records, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (number, Ready { at, producer: stamp, records: batch }) in parts {
        let verdict = match (&producer, stamp) {
            (Some(producer), Some(stamp)) => producer.verdict(at, stamp),
            _ => Verdict::Append,
        };
        // Two batches of one producer for one partition would have to be judged one after the other; no client does it.
        let is_doubled = stamp.is_some() && sent.iter().any(|(_, other, _, _)| *other == at);
        match verdict {
            Verdict::Append if is_doubled => {
                answers.push((number, Err(Refused(code::INVALID_REQUEST, "a partition is named twice"))));
            }
            Verdict::Append => {
                sent.push((number, at, stamp, records.len()));
                records.extend(batch.into_iter().map(|record| (at, record)));
            }
            Verdict::Known(offset) => answers.push((number, Ok(offset))),
            Verdict::Refused(code) => answers.push((number, Err(Refused(code, "the sequence is not the next one")))),
        }
    }
    if sent.is_empty() {
        return answers;
    }
    let appended = to_log(shared, records).await;
    for (number, at, stamp, first) in sent {
        let answer = match &appended {
            Ok(origins) => match (origins.get(first), stamp, producer.as_deref_mut()) {
                (Some(origin), Some(stamp), Some(producer)) => {
                    producer.appended(at, stamp, origin.offset);
                    Ok(origin.offset)
                }
                (Some(origin), _, _) => Ok(origin.offset),
                (None, _, _) => Err(Refused(code::KAFKA_STORAGE_ERROR, "the log does not say where it is")),
            },
            Err(AppendError::Overloaded) => Err(Refused(code::NOT_ENOUGH_REPLICAS, "too many appends are waiting")),
            Err(AppendError::Full(_)) => Err(Refused(code::KAFKA_STORAGE_ERROR, "there is no room for the log")),
            Err(AppendError::Unavailable(_)) => Err(Refused(code::KAFKA_STORAGE_ERROR, "the log is not available")),
        };
        answers.push((number, answer));
    }
    answers
}

/// Waits until the records are durable.
async fn to_log(shared: &Shared, records: Vec<(TopicPartition, Record)>) -> Result<Vec<Origin>, AppendError> {
    let (done, durable) = oneshot::channel();
    // Who waits no longer does not want to know.
    shared.inputs.append(records, Box::new(move |result| drop(done.send(result))));
    durable.await.unwrap_or_else(|_| Err(AppendError::Unavailable("the log is closed".to_owned())))
}
