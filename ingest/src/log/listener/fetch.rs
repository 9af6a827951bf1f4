//! Gives clients the records that are durable, or waits until there are some. Not for keeping sessions: each request says
//! all that it wants.

use super::budget::BudgetReservation;
use super::shared::ListenerShared;
use super::topics::{as_i64, failed};
use super::{batches, error_code};
use crate::Error;
use crate::log::{Log, LogReader, LogRecord, ReadLimit};
use bytes::Bytes;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::TopicPartition;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The time after which one that waits for more checks whether others wait for the bytes that it holds.
const LOOK: Duration = Duration::from_millis(200);
/// The answer's own bytes beside its records, and one record that is given whole.
const SPARE_BYTES: usize = 2 << 20;

/// The inputs and the outputs.
const LOGS_MAX: usize = 2;

/// The readers of one connection: a fetch from where the last answer ended has the same one.
#[derive(Default)]
pub struct FetchSession {
    /// By the number of the log: the next record of each partition, and its reader.
    readers: BTreeMap<usize, (Cut, Box<dyn LogReader>)>,
}

/// The part of a request for one partition.
struct PartitionFetch {
    /// None if there is no such partition.
    at: Option<(TopicPartition, usize)>,
    offset: i64,
    bytes_max: i32,
}

/// The bounds of a partition.
#[derive(Clone, Copy)]
struct PartitionBounds {
    start: u64,
    end: u64,
    error: i16,
}

/// The answer so far.
struct FetchProgress {
    wanted: Vec<PartitionFetch>,
    found: Vec<PartitionBounds>,
    records: BTreeMap<TopicPartition, Vec<LogRecord>>,
    bytes: usize,
}

/// Answers a request; with what its records hold of the budget of answers.
pub async fn fetch(
    shared: &ListenerShared,
    reading: &mut FetchSession,
    mut request: FetchRequest,
) -> (FetchResponse, Option<BudgetReservation>) {
    if request.session_id != 0 {
        return (FetchResponse::default().with_error_code(error_code::FETCH_SESSION_ID_NOT_FOUND), None);
    }
    let mut named = BTreeSet::new();
    for topic in &mut request.topics {
        topic.partitions.retain(|asked| named.insert((topic.topic.clone(), asked.partition)));
    }
    let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0).min(shared.config.fetch_wait_ms_max);
    let deadline = Instant::now() + Duration::from_millis(wait_ms);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut answer = FetchProgress::to(shared, &request);
    let limit = answer.limit(shared, request.max_bytes);
    let mut held = None;
    let mut moved = shared.moved.subscribe();
    loop {
        moved.mark_unchanged();
        answer.look(shared);
        if held.is_none() && answer.has_more() {
            // Its records, and they once more in the form of the protocol.
            held = Some(shared.answers.hold(2 * limit.bytes_max).await);
        }
        answer.read(shared, reading, limit).await;
        let is_enough = answer.bytes >= enough || answer.bytes >= limit.bytes_max || answer.has_error();
        if is_enough || !more_comes(shared, &mut moved, deadline, held.is_some()).await {
            break;
        }
    }
    (answer.into_response(request), held)
}

/// Waits until there may be more; false if it is not to be waited for any longer: the time is over, or others wait for
/// the bytes that are held.
async fn more_comes(shared: &ListenerShared, moved: &mut watch::Receiver<u64>, deadline: Instant, holds: bool) -> bool {
    loop {
        let look = if holds { deadline.min(Instant::now() + LOOK) } else { deadline };
        match timeout_at(look, moved.changed()).await {
            Ok(changed) => return changed.is_ok(),
            Err(_) if look == deadline || shared.answers.is_wanted() => return false,
            Err(_) => {}
        }
    }
}

impl FetchProgress {
    fn to(shared: &ListenerShared, request: &FetchRequest) -> FetchProgress {
        let mut wanted = Vec::new();
        for topic in &request.topics {
            for asked in &topic.partitions {
                let at = shared.partition(&topic.topic, asked.partition).map(|(at, _)| {
                    let is_input = shared.inputs.partitions().count(at.topic) > 0;
                    (at, usize::from(!is_input))
                });
                wanted.push(PartitionFetch { at, offset: asked.fetch_offset, bytes_max: asked.partition_max_bytes });
            }
        }
        FetchProgress { wanted, found: Vec::new(), records: BTreeMap::new(), bytes: 0 }
    }

    /// The most that is read: no more than any one partition may have, so that all can be given.
    fn limit(&self, shared: &ListenerShared, bytes_max: i32) -> ReadLimit {
        let bounds = self.wanted.iter().map(|wanted| wanted.bytes_max).chain([bytes_max]);
        let asked = bounds.min().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        let config = &shared.config;
        let most = config.fetch_bytes_max;
        let most = most.saturating_sub(SPARE_BYTES).max(most / 2).max(1);
        ReadLimit { records_max: config.fetch_records_max.max(1), bytes_max: asked.clamp(1, most) }
    }

    /// Looks where the partitions begin and end now.
    fn look(&mut self, shared: &ListenerShared) {
        let bounds: Vec<Option<(Cut, Cut)>> =
            shared.logs().map(|log| Some((log.starts().ok()?, log.ends().ok()?))).collect();
        let found = |wanted: &PartitionFetch| {
            let missing = |error| PartitionBounds { start: 0, end: 0, error };
            let Some((at, log)) = wanted.at else { return missing(error_code::UNKNOWN_TOPIC_OR_PARTITION) };
            let Some((starts, ends)) = bounds.get(log).and_then(Option::as_ref) else {
                return missing(error_code::KAFKA_STORAGE_ERROR);
            };
            let (start, end) = (starts.get(at).unwrap_or(0), ends.get(at).unwrap_or(0));
            let is_there = u64::try_from(wanted.offset).is_ok_and(|offset| (start..=end).contains(&offset));
            PartitionBounds {
                start,
                end,
                error: if is_there { error_code::NONE } else { error_code::OFFSET_OUT_OF_RANGE },
            }
        };
        // Records that were read before may be deleted since; they are given all the same.
        self.found = self.wanted.iter().map(found).collect();
    }

    fn has_more(&self) -> bool {
        (0..LOGS_MAX).any(|log| self.next(log).1)
    }

    fn has_error(&self) -> bool {
        self.found.iter().any(|found| found.error != error_code::NONE)
    }

    /// The next offset of each partition of that log, and true if any has more.
    fn next(&self, log: usize) -> (Cut, bool) {
        let (mut next, mut has_more) = (Cut::default(), false);
        for (wanted, found) in self.wanted.iter().zip(&self.found) {
            let Some((at, _)) = wanted.at.filter(|(_, of)| *of == log && found.error == error_code::NONE) else {
                continue;
            };
            let read = self.records.get(&at).and_then(|records| records.last());
            let offset = u64::try_from(wanted.offset).unwrap_or(0);
            let offset = read.map_or(offset, |last| last.origin.offset + 1);
            has_more |= offset < found.end;
            next.set(at, offset);
        }
        (next, has_more)
    }

    /// Reads what there is, up to the limit.
    async fn read(&mut self, shared: &ListenerShared, reading: &mut FetchSession, limit: ReadLimit) {
        let logs: Vec<Arc<dyn Log>> = shared.logs().map(Arc::clone).collect();
        for (number, log) in logs.into_iter().enumerate() {
            let (next, has_more) = self.next(number);
            if !has_more || self.bytes >= limit.bytes_max {
                continue;
            }
            let left = ReadLimit { bytes_max: limit.bytes_max - self.bytes, ..limit };
            let kept = reading.readers.remove(&number).filter(|(at, _)| *at == next).map(|(_, reader)| reader);
            let place = Arc::clone(&shared.reads).acquire_owned().await;
            // A reader of files may have to wait for the disk.
            let read = tokio::task::spawn_blocking(move || {
                let read = read(&*log, kept, next, left);
                drop(place);
                read
            });
            match read.await {
                Ok(Ok((records, next, reader))) => {
                    reading.readers.insert(number, (next, reader));
                    for record in records {
                        self.bytes += record.record.bytes();
                        self.records.entry(record.origin.topic_partition()).or_default().push(record);
                    }
                }
                Ok(Err(error)) => self.fail(number, &error),
                Err(_) => {}
            }
        }
    }

    /// Notes for the partitions of a log why they cannot be read.
    fn fail(&mut self, log: usize, error: &Error) {
        let (only, code) = match error {
            // Deleted since we looked where it begins.
            Error::Deleted { at, .. } | Error::OutOfRange { at, .. } => (Some(*at), error_code::OFFSET_OUT_OF_RANGE),
            other => (None, failed("reading the log", other)),
        };
        for (wanted, found) in self.wanted.iter().zip(&mut self.found) {
            if wanted.at.is_some_and(|(at, of)| of == log && only.is_none_or(|only| only == at)) {
                found.error = code;
            }
        }
    }

    fn into_response(mut self, request: FetchRequest) -> FetchResponse {
        let mut answered = self.wanted.iter().zip(&self.found);
        let mut responses = Vec::new();
        for topic in request.topics {
            let mut partitions = Vec::new();
            for asked in topic.partitions {
                let Some((wanted, found)) = answered.next() else { break };
                let records = wanted.at.and_then(|(at, _)| self.records.remove(&at)).unwrap_or_default();
                let mut bytes = Vec::new();
                batches::write(&records, &mut bytes);
                let end = if found.error == error_code::NONE { as_i64(found.end) } else { -1 };
                let start = if found.error == error_code::NONE { as_i64(found.start) } else { -1 };
                partitions.push(
                    PartitionData::default()
                        .with_partition_index(asked.partition)
                        .with_error_code(found.error)
                        .with_high_watermark(end)
                        .with_last_stable_offset(end)
                        .with_log_start_offset(start)
                        .with_aborted_transactions(None)
                        .with_preferred_read_replica(BrokerId(-1))
                        .with_records(Some(Bytes::from(bytes))),
                );
            }
            responses.push(FetchableTopicResponse::default().with_topic(topic.topic).with_partitions(partitions));
        }
        FetchResponse::default().with_responses(responses)
    }
}

/// Some records, the places where reading resumes, and the reader for it.
type Read = (Vec<LogRecord>, Cut, Box<dyn LogReader>);

/// Reads with the reader that is there, or another one.
fn read(log: &dyn Log, reader: Option<Box<dyn LogReader>>, from: Cut, limit: ReadLimit) -> Result<Read, Error> {
    let mut reader = match reader {
        Some(reader) => reader,
        None => log.reader(&from)?,
    };
    let (mut records, mut next) = (Vec::new(), from);
    reader.poll(limit, &mut records)?;
    for LogRecord { origin, record: _ } in &records {
        next.set(origin.topic_partition(), origin.offset + 1);
    }
    Ok((records, next, reader))
}
