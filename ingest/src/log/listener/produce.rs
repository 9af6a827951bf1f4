//! Appends what clients send, and answers when it is durable. Not for what records mean: what cannot be read as a command
//! becomes a dead letter later, as from any log.

use super::apis::Access;
use super::batches::{self, BatchBudget, BatchError, ClientBatch, NO_TRANSACTIONS, Stamp, Unread};
use super::budget::BudgetReservation as Memory;
use super::error_code;
use super::producers::{Producer, Verdict};
use super::shared::ListenerShared;
use super::topics::as_i64;
use crate::log::Record;
use bytes::Bytes;
use dataflows::contract::topic::{Origin, TopicPartition};
use dataflows::engine::budget::BytesReservation;
use dataflows::ports::AppendError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// The bytes sent for one partition, and their place; or why they are not taken.
type PartitionBytes = Result<(TopicPartition, Bytes), BatchError>;

/// The same when it is read.
type PartitionRecords = Result<Ready, BatchError>;

struct Ready {
    at: TopicPartition,
    producer: Option<Stamp>,
    records: Vec<Record>,
}

/// The offset of the first record, or why there is none.
type FirstOffset = Result<u64, BatchError>;

/// A request that most likely takes no more than this is read where it came in.
const INLINE_BYTES: usize = 1 << 20;
/// The time between checks for bytes that the node's other doors have under way.
const LOOK: Duration = Duration::from_millis(20);
/// The prefix of what a node writes itself, and takes from no client.
const OWN_HEADERS: &str = "tw_";

/// Appends what the request has.
pub async fn produce(shared: Arc<ListenerShared>, request: ProduceRequest) -> ProduceResponse {
    let refused = match request.acks {
        -1..=1 if request.transactional_id.is_none() => None,
        -1..=1 => Some(BatchError(error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NO_TRANSACTIONS)),
        _ => Some(BatchError(error_code::INVALID_REQUIRED_ACKS, "acks is 0, 1 or all")),
    };
    let (mut named, mut sent) = (BTreeSet::new(), Vec::new());
    for topic in &request.topic_data {
        for data in &topic.partition_data {
            sent.push(match refused {
                Some(refused) => Err(refused),
                None => place(&shared, &topic.name, data.index, data.records.as_ref(), &mut named),
            });
        }
    }
    let (parts, share) = read(&shared, sent).await;
    let mut answers = append_all(&shared, parts).await.into_iter();
    drop(share);
    let mut responses = Vec::new();
    for topic in request.topic_data {
        let partitions = topic.partition_data.iter().map(|data| {
            let answer = answers.next().unwrap_or(Err(BatchError(error_code::KAFKA_STORAGE_ERROR, "")));
            described(&shared, &topic.name, data.index, answer)
        });
        let partition_responses = partitions.collect();
        responses
            .push(TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partition_responses));
    }
    ProduceResponse::default().with_responses(responses)
}

/// The place to append at, if the client may append there.
fn place(
    shared: &ListenerShared,
    name: &str,
    index: i32,
    records: Option<&Bytes>,
    named: &mut BTreeSet<TopicPartition>,
) -> PartitionBytes {
    let unknown =
        BatchError(error_code::UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition, and topics are not made here");
    let (at, _) = shared.partition(name, index).ok_or(unknown)?;
    if !shared.is_writable(at.topic) {
        return Err(BatchError(
            error_code::TOPIC_AUTHORIZATION_FAILED,
            "clients may append to topics of commands only",
        ));
    }
    // Two batches would have to be judged one after the other; no client does it.
    if !named.insert(at) {
        return Err(BatchError(error_code::INVALID_REQUEST, "a partition is named twice"));
    }
    let records = records.ok_or(BatchError(error_code::INVALID_RECORD, "there are no records"))?;
    Ok((at, records.clone()))
}

/// The part of the budgets of memory and of bytes under way that a request has, until it is appended.
type RequestReservations = (Memory, BytesReservation);

/// Reads all batches within what the request may take and what all requests may take together. What is most likely
/// enough is tried first, so that many small requests are read at once.
async fn read(shared: &Arc<ListenerShared>, sent: Vec<PartitionBytes>) -> (Vec<PartitionRecords>, RequestReservations) {
    const FULL: BatchError = BatchError(
        error_code::MESSAGE_TOO_LARGE,
        "the records of the request are too large together when they are decompressed: nothing is appended",
    );
    let most = BatchBudget { bytes: shared.config.records_bytes_max, memory: shared.config.records_memory_max };
    let likely: usize = sent.iter().flatten().map(|(_, bytes)| BatchBudget::likely(bytes)).sum();
    let mut room = BatchBudget { bytes: likely.min(most.bytes), memory: likely.min(most.memory) };
    let sent = Arc::new(sent);
    loop {
        let (mut memory, mut bytes) = share(shared, room).await;
        let found = if room.memory > INLINE_BYTES {
            let (shared, sent) = (Arc::clone(shared), Arc::clone(&sent));
            tokio::task::spawn_blocking(move || read_within(&shared, &sent, room)).await.unwrap_or(None)
        } else {
            read_within(shared, &sent, room)
        };
        match found {
            Some((parts, left)) => {
                memory.shrink(room.memory - left.memory);
                bytes.shrink_to(room.bytes - left.bytes);
                return (parts, (memory, bytes));
            }
            None if room != most => room = most,
            None => {
                memory.shrink(0);
                bytes.shrink_to(0);
                let refused = sent.iter().map(|one| Err(one.as_ref().err().copied().unwrap_or(FULL)));
                return (refused.collect(), (memory, bytes));
            }
        }
    }
}

/// Waits until there is so much of both; for all there is if it is more. Meanwhile nothing is read from the connection, and
/// nothing is held: what waits for the node's other doors holds up no smaller request.
async fn share(shared: &ListenerShared, room: BatchBudget) -> RequestReservations {
    loop {
        let memory = shared.records.hold(room.memory).await;
        if let Some(bytes) = shared.bytes.take(room.bytes.min(shared.bytes.one_most())) {
            return (memory, bytes);
        }
        drop(memory);
        sleep(LOOK).await;
    }
}

/// The parts, and what is left of the room; none if it does not suffice.
fn read_within(
    shared: &ListenerShared,
    sent: &[PartitionBytes],
    mut room: BatchBudget,
) -> Option<(Vec<PartitionRecords>, BatchBudget)> {
    let mut parts = Vec::with_capacity(sent.len());
    for one in sent {
        parts.push(match one {
            Err(refused) => Err(*refused),
            Ok((at, bytes)) => match batches::read(bytes, shared.config.batch_bytes_max, &mut room) {
                Ok(ClientBatch { producer, mut records }) => {
                    if shared.access == Access::Client {
                        records
                            .iter_mut()
                            .for_each(|one| one.headers.retain(|(name, _)| !name.starts_with(OWN_HEADERS)));
                    }
                    Ok(Ready { at: *at, producer, records })
                }
                Err(Unread::Refused(refused)) => Err(refused),
                Err(Unread::Full) => return None,
            },
        });
    }
    Some((parts, room))
}

fn described(shared: &ListenerShared, name: &str, index: i32, answer: FirstOffset) -> PartitionProduceResponse {
    // With an error too: clients see by it whether what they sent before may be deleted already.
    let start = shared.partition(name, index).and_then(|(at, log)| log.starts().ok()?.get(at));
    let response =
        PartitionProduceResponse::default().with_index(index).with_log_start_offset(start.map_or(-1, as_i64));
    match answer {
        Ok(offset) => response.with_base_offset(as_i64(offset)),
        Err(BatchError(code, why)) => {
            response.with_error_code(code).with_base_offset(-1).with_error_message(Some(StrBytes::from_static_str(why)))
        }
    }
}

/// Appends all parts of each producer together, after what the producer sent before.
async fn append_all(shared: &ListenerShared, parts: Vec<PartitionRecords>) -> Vec<FirstOffset> {
    let mut answers: Vec<Option<FirstOffset>> = Vec::with_capacity(parts.len());
    let mut by_producer: BTreeMap<Option<i64>, Vec<(usize, Ready)>> = BTreeMap::new();
    for (number, part) in parts.into_iter().enumerate() {
        match part {
            Err(refused) => answers.push(Some(Err(refused))),
            Ok(ready) => {
                answers.push(None);
                let producer = ready.producer.map(|stamp| stamp.producer_id);
                by_producer.entry(producer).or_default().push((number, ready));
            }
        }
    }
    for (producer, parts) in by_producer {
        let mut turn = match producer {
            Some(id) => Some(shared.producers.hold(id).await),
            None => None,
        };
        let appended = append(shared, turn.as_deref_mut(), parts).await;
        if let Some(id) = producer.filter(|_| appended.iter().any(|(_, answer)| answer.is_ok())) {
            shared.producers.published(id);
        }
        for (number, answer) in appended {
            answers[number] = Some(answer);
        }
    }
    let missing = || Err(BatchError(error_code::KAFKA_STORAGE_ERROR, "it was not appended"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
}

/// Appends parts of one producer, or of none in particular, with one sync.
async fn append(
    shared: &ListenerShared,
    mut producer: Option<&mut Producer>,
    parts: Vec<(usize, Ready)>,
) -> Vec<(usize, FirstOffset)> {
    let (mut answers, mut records, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (number, Ready { at, producer: stamp, records: batch }) in parts {
        let verdict = match (&producer, stamp) {
            (Some(producer), Some(stamp)) => producer.verdict(at, stamp),
            _ => Verdict::Append,
        };
        match verdict {
            Verdict::Append => {
                sent.push((number, at, stamp, records.len()));
                records.extend(batch.into_iter().map(|record| (at, record)));
            }
            Verdict::Known(offset) => answers.push((number, Ok(offset))),
            Verdict::Refused(code) => answers.push((number, Err(BatchError(code, "the sequence is not the next one")))),
        }
    }
    if sent.is_empty() {
        return answers;
    }
    let appended = to_log(shared, records).await;
    for (number, at, stamp, first) in sent {
        let origin = appended.as_ref().map(|origins| origins.get(first).map(|origin| origin.offset));
        if let (Some(stamp), Some(producer)) = (stamp, producer.as_deref_mut()) {
            match origin {
                Ok(Some(offset)) => producer.appended(at, stamp, offset),
                Ok(None) | Err(_) => producer.not_appended(at, stamp),
            }
        }
        let answer = match origin {
            Ok(offset) => offset.ok_or(BatchError(error_code::KAFKA_STORAGE_ERROR, "the log does not say where it is")),
            Err(AppendError::Overloaded) => {
                Err(BatchError(error_code::NOT_ENOUGH_REPLICAS, "too many appends are waiting"))
            }
            Err(AppendError::Full(_)) => {
                Err(BatchError(error_code::KAFKA_STORAGE_ERROR, "there is no room for the log"))
            }
            Err(AppendError::Unavailable(_)) => {
                Err(BatchError(error_code::KAFKA_STORAGE_ERROR, "the log is not available"))
            }
        };
        answers.push((number, answer));
    }
    answers
}

/// Waits until the records are durable.
async fn to_log(shared: &ListenerShared, records: Vec<(TopicPartition, Record)>) -> Result<Vec<Origin>, AppendError> {
    let (done, durable) = oneshot::channel();
    // A client that waits no longer does not want to know.
    shared.inputs.append(records, Box::new(move |result| drop(done.send(result))));
    durable.await.unwrap_or_else(|_| Err(AppendError::Unavailable("the log is closed".to_owned())))
}
