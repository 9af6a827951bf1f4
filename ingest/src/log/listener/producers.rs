//! Producers that number their batches, so that a batch that is sent twice is in the log once. Not for transactions.
//!
//! Kept in memory only. A producer that is not known, after a restart or because it was forgotten for another, may begin
//! with any sequence, as at Kafka's brokers since 2.7: it keeps its number and continues. A batch whose acknowledgement
//! was lost by a restart is then appended a second time, which command ids make harmless.

use super::batches::{Stamp, after};
use super::error_code;
use crate::log::lock;
use dataflows::contract::topic::TopicPartition;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedMutexGuard;

/// The number of batches of a partition that are remembered; a producer has at most as many on their way.
const BATCHES_MAX: usize = 5;

/// The producers that are known: those that have published something.
pub struct Producers {
    known: Mutex<ProducerState>,
    next_id: AtomicI64,
    producers_max: usize,
}

#[derive(Default)]
struct ProducerState {
    /// The number of appends, by which the producer that published longest ago is known.
    appends: u64,
    producers: BTreeMap<i64, (u64, Arc<tokio::sync::Mutex<Producer>>)>,
    /// When each published last, 0 for never, and its number: the first is the first to be forgotten.
    by_age: BTreeSet<(u64, i64)>,
}

/// A producer. Held while a batch of its is on its way to the log, so that the next one knows what became of it.
#[derive(Debug, Default)]
pub struct Producer {
    partitions: BTreeMap<TopicPartition, Batches>,
}

/// The batches of a producer in one partition. Epochs are kept by partition: a Java producer that begins a new one
/// completes what is on its way to other partitions in the old one.
#[derive(Debug)]
struct Batches {
    epoch: i16,
    /// The sequence that comes next.
    next: i32,
    /// The last batches, with the offset of each one's first record.
    last: VecDeque<(i32, i32, u64)>,
}

/// The verdict on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one.
    Append,
    /// It is in the log, from that offset on.
    Known(u64),
    /// It is refused with that code.
    Refused(i16),
}

impl Producers {
    /// Creates an empty one. Numbers count up from the first, which should not be one of an earlier run.
    pub fn new(first_id: i64, producers_max: usize) -> Producers {
        Producers { known: Mutex::default(), next_id: AtomicI64::new(first_id), producers_max: producers_max.max(1) }
    }

    /// Gives a producer its number. It takes no room here before it publishes.
    pub fn init(&self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let answer = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        if request.transactional_id.is_some() {
            return answer.with_error_code(error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        }
        // A producer that comes back after an error gets a new number: nothing of the old one's is then taken for its own.
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        answer.with_producer_id(ProducerId(id)).with_producer_epoch(0)
    }

    /// Waits for a producer's turn.
    pub async fn hold(&self, producer_id: i64) -> OwnedMutexGuard<Producer> {
        let producer = lock(&self.known).entry(producer_id, self.producers_max);
        producer.lock_owned().await
    }

    /// A producer has published.
    pub fn published(&self, producer_id: i64) {
        lock(&self.known).published(producer_id);
    }
}

impl ProducerState {
    fn entry(&mut self, id: i64, producers_max: usize) -> Arc<tokio::sync::Mutex<Producer>> {
        if !self.producers.contains_key(&id) {
            if self.producers.len() >= producers_max {
                // One whose batch is on its way is not forgotten: the next one has to wait for that.
                let is_free = |(_, id): &&(u64, i64)| {
                    self.producers.get(id).is_none_or(|(_, producer)| Arc::strong_count(producer) == 1)
                };
                let oldest = self.by_age.iter().find(is_free).copied();
                if let Some((at, oldest)) = oldest {
                    self.by_age.remove(&(at, oldest));
                    self.producers.remove(&oldest);
                }
            }
            self.by_age.insert((0, id));
        }
        Arc::clone(&self.producers.entry(id).or_default().1)
    }

    fn published(&mut self, id: i64) {
        self.appends += 1;
        if let Some((at, _)) = self.producers.get_mut(&id) {
            self.by_age.remove(&(*at, id));
            *at = self.appends;
            self.by_age.insert((*at, id));
        }
    }
}

impl Producer {
    /// The verdict on the batch of that place.
    pub fn verdict(&self, at: TopicPartition, stamp: Stamp) -> Verdict {
        // Nothing is known of it, so that any batch may be the next one.
        let Some(batches) = self.partitions.get(&at) else { return Verdict::Append };
        if stamp.epoch < batches.epoch {
            return Verdict::Refused(error_code::INVALID_PRODUCER_EPOCH);
        }
        if stamp.epoch > batches.epoch {
            let verdict = Verdict::Refused(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);
            return if stamp.first == 0 { Verdict::Append } else { verdict };
        }
        let same = batches.last.iter().find(|(first, last, _)| (*first, *last) == (stamp.first, stamp.last));
        match same {
            Some((_, _, offset)) => Verdict::Known(*offset),
            None if stamp.first == batches.next => Verdict::Append,
            // Also of one that is older than those that are remembered: to call it known could lose it.
            None => Verdict::Refused(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        }
    }

    /// The batch is in the log, from that offset on.
    pub fn appended(&mut self, at: TopicPartition, stamp: Stamp, offset: u64) {
        let batches = self.batches(at, stamp);
        if batches.epoch != stamp.epoch {
            *batches = Batches { epoch: stamp.epoch, next: stamp.first, last: VecDeque::new() };
        }
        batches.next = after(stamp.last, 1);
        batches.last.push_back((stamp.first, stamp.last, offset));
        if batches.last.len() > BATCHES_MAX {
            batches.last.pop_front();
        }
    }

    /// The log did not take the batch. If it was the first one, no later one may overtake it when it is sent again.
    pub fn not_appended(&mut self, at: TopicPartition, stamp: Stamp) {
        self.batches(at, stamp);
    }

    fn batches(&mut self, at: TopicPartition, stamp: Stamp) -> &mut Batches {
        let new = || Batches { epoch: stamp.epoch, next: stamp.first, last: VecDeque::new() };
        self.partitions.entry(at).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::contract::topic::Topic;

    const AT: TopicPartition = TopicPartition::new(Topic::Orders, 1);
    const ELSEWHERE: TopicPartition = TopicPartition::new(Topic::Orders, 2);
    const OUT_OF_ORDER: Verdict = Verdict::Refused(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);

    fn stamp(epoch: i16, first: i32, last: i32) -> Stamp {
        Stamp { producer_id: 7, epoch, first, last }
    }

    fn with(batches: &[(Stamp, u64)]) -> Producer {
        let mut producer = Producer::default();
        batches.iter().for_each(|(stamp, offset)| producer.appended(AT, *stamp, *offset));
        producer
    }

    #[test]
    fn a_batch_is_appended_once_and_in_order() {
        let producer = with(&[(stamp(0, 0, 4), 100), (stamp(0, 5, 5), 200)]);
        let expected = [
            ((0, 6, 9), Verdict::Append),
            ((0, 0, 4), Verdict::Known(100)),
            ((0, 5, 5), Verdict::Known(200)),
            ((0, 0, 5), OUT_OF_ORDER),
            ((0, 7, 7), OUT_OF_ORDER),
            ((1, 0, 0), Verdict::Append),
            ((1, 6, 6), OUT_OF_ORDER),
        ];
        for ((epoch, first, last), verdict) in expected {
            assert_eq!(producer.verdict(AT, stamp(epoch, first, last)), verdict, "{epoch} {first} {last}");
        }
        assert_eq!(producer.verdict(ELSEWHERE, stamp(0, 0, 0)), Verdict::Append);
    }

    #[test]
    fn an_older_epoch_is_refused_where_there_is_a_newer_one() {
        let producer = with(&[(stamp(0, 0, 4), 100), (stamp(1, 0, 0), 105)]);
        assert_eq!(producer.verdict(AT, stamp(0, 5, 5)), Verdict::Refused(error_code::INVALID_PRODUCER_EPOCH));
        assert_eq!(producer.verdict(AT, stamp(1, 1, 1)), Verdict::Append);
        assert_eq!(producer.verdict(ELSEWHERE, stamp(0, 5, 5)), Verdict::Append, "what was on its way there");
    }

    #[test]
    fn a_producer_that_is_not_known_may_begin_with_any_sequence() {
        let mut producer = Producer::default();
        for (epoch, first) in [(0, 0), (0, 5), (3, i32::MAX)] {
            assert_eq!(producer.verdict(AT, stamp(epoch, first, first)), Verdict::Append, "{epoch} {first}");
        }
        producer.appended(AT, stamp(3, 5, 6), 70);
        assert_eq!(producer.verdict(AT, stamp(3, 5, 6)), Verdict::Known(70), "from then on it is known");
        assert_eq!(producer.verdict(AT, stamp(3, 7, 7)), Verdict::Append);
        assert_eq!(producer.verdict(AT, stamp(3, 8, 8)), OUT_OF_ORDER);
    }

    #[test]
    fn a_later_batch_does_not_overtake_the_first_one_that_the_log_did_not_take() {
        let mut producer = Producer::default();
        producer.not_appended(AT, stamp(0, 5, 6));
        assert_eq!(producer.verdict(AT, stamp(0, 7, 7)), OUT_OF_ORDER);
        assert_eq!(producer.verdict(AT, stamp(0, 5, 6)), Verdict::Append);
        producer.appended(AT, stamp(0, 5, 6), 70);
        producer.not_appended(AT, stamp(0, 7, 7));
        assert_eq!(producer.verdict(AT, stamp(0, 7, 7)), Verdict::Append);
    }

    #[test]
    fn numbers_begin_again_after_the_largest() {
        let producer = with(&[(stamp(0, i32::MAX - 1, 1), 100)]);
        assert_eq!(producer.verdict(AT, stamp(0, 2, 2)), Verdict::Append);
        assert_eq!(producer.verdict(AT, stamp(0, i32::MAX - 1, 1)), Verdict::Known(100));
        assert_eq!((after(i32::MAX, 1), after(i32::MAX - 1, 3), after(0, 1)), (0, 1, 1));
    }

    fn known(producers: &Producers) -> Vec<i64> {
        lock(&producers.known).producers.keys().copied().collect()
    }

    #[tokio::test]
    async fn a_producer_that_never_published_is_forgotten_first_then_the_one_that_published_longest_ago() {
        let producers = Producers::new(1_000, 3);
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        for id in 1_000..21_000 {
            assert_eq!(producers.init(&request).producer_id.0, id);
        }
        assert_eq!(known(&producers), [0_i64; 0], "who only asks for a number takes no room");
        for id in [1, 2, 3] {
            drop(producers.hold(id).await);
        }
        producers.published(1);
        producers.published(3);
        drop(producers.hold(4).await);
        assert_eq!(known(&producers), [1, 3, 4], "2 never published");
        producers.published(4);
        producers.published(1);
        let held = producers.hold(3).await;
        drop(producers.hold(5).await);
        assert_eq!(known(&producers), [1, 3, 5], "3 published longest ago, but a batch of its is on its way");
        drop(held);
        producers.published(5);
        drop(producers.hold(6).await);
        assert_eq!(known(&producers), [1, 5, 6]);
    }
}
