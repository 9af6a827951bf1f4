//! Producers that number their batches, so that a batch that is sent twice is in the log once. In memory: after a restart
//! nobody is known, and a producer that goes on is told so and begins anew. Not for transactions.

use super::batches::{Stamp, after};
use super::code;
use crate::log::lock;
use dataflows::topic::TopicPartition;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::OwnedMutexGuard;

/// How many batches of a partition are remembered; a producer has at most as many on their way.
const BATCHES_MAX: usize = 5;

/// The producers that are known.
pub struct Producers {
    known: Mutex<Known>,
    producers_max: usize,
}

struct Known {
    next_id: i64,
    /// Counts what is asked for, so that it can be said who was silent longest.
    now: u64,
    producers: BTreeMap<i64, (u64, Arc<tokio::sync::Mutex<Producer>>)>,
}

/// A producer. Held while a batch of its is on its way to the log, so that the next one knows what became of it.
#[derive(Debug, Default)]
pub struct Producer {
    epoch: i16,
    partitions: BTreeMap<TopicPartition, Batches>,
}

/// The last batches of one partition, with the offset of each one's first record.
#[derive(Debug)]
struct Batches {
    epoch: i16,
    last: VecDeque<(i32, i32, u64)>,
}

/// What is to be done with a batch.
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
    /// Nobody is known. Numbers begin at the time, so that those of an earlier run do not come again.
    pub fn new(now_micros: i64, producers_max: usize) -> Producers {
        let known = Known { next_id: now_micros.max(0), now: 0, producers: BTreeMap::new() };
        Producers { known: Mutex::new(known), producers_max: producers_max.max(1) }
    }

    /// Gives a producer its number, or a further epoch.
    pub fn init(&self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let answer = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        if request.transactional_id.is_some() {
            return answer.with_error_code(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        }
        let mut known = lock(&self.known);
        // Who comes back after an error gets a new number: nothing of the old one's is then taken for its.
        let id = known.next_id;
        known.next_id += 1;
        self.entry(&mut known, id);
        answer.with_producer_id(ProducerId(id)).with_producer_epoch(0)
    }

    /// Waits for a producer's turn.
    pub async fn hold(&self, producer_id: i64) -> OwnedMutexGuard<Producer> {
        let producer = self.entry(&mut lock(&self.known), producer_id);
        producer.lock_owned().await
    }

    fn entry(&self, known: &mut Known, id: i64) -> Arc<tokio::sync::Mutex<Producer>> {
        known.now += 1;
        let now = known.now;
        if !known.producers.contains_key(&id) && known.producers.len() >= self.producers_max {
            let silent = known.producers.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
            silent.and_then(|id| known.producers.remove(&id));
        }
        let (used, producer) = known.producers.entry(id).or_default();
        *used = now;
        Arc::clone(producer)
    }
}

impl Producer {
    /// What is to be done with the batch of that place.
    pub fn verdict(&self, at: TopicPartition, stamp: Stamp) -> Verdict {
        if stamp.epoch < self.epoch {
            return Verdict::Refused(code::INVALID_PRODUCER_EPOCH);
        }
        let Some(batches) = self.partitions.get(&at) else {
            // Nothing is known of it. The first batch is as good as any; one in the middle says that we have forgotten.
            let verdict = Verdict::Refused(code::UNKNOWN_PRODUCER_ID);
            return if stamp.first == 0 { Verdict::Append } else { verdict };
        };
        if stamp.epoch != batches.epoch {
            let verdict = Verdict::Refused(code::OUT_OF_ORDER_SEQUENCE_NUMBER);
            return if stamp.first == 0 { Verdict::Append } else { verdict };
        }
        let same = batches.last.iter().find(|(first, last, _)| (*first, *last) == (stamp.first, stamp.last));
        if let Some((_, _, offset)) = same {
            return Verdict::Known(*offset);
        }
        match batches.last.back() {
            Some((_, last, _)) if stamp.first == after(*last, 1) => Verdict::Append,
            Some((_, last, _)) if stamp.first <= *last => Verdict::Refused(code::DUPLICATE_SEQUENCE_NUMBER),
            Some(_) | None => Verdict::Refused(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        }
    }

    /// The batch is in the log, from that offset on.
    pub fn appended(&mut self, at: TopicPartition, stamp: Stamp, offset: u64) {
        let new = || Batches { epoch: stamp.epoch, last: VecDeque::new() };
        let batches = self.partitions.entry(at).or_insert_with(new);
        if batches.epoch != stamp.epoch {
            *batches = new();
        }
        self.epoch = self.epoch.max(stamp.epoch);
        batches.last.push_back((stamp.first, stamp.last, offset));
        if batches.last.len() > BATCHES_MAX {
            batches.last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::topic::Topic;

    const AT: TopicPartition = TopicPartition::new(Topic::Orders, 1);

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
            ((0, 0, 5), Verdict::Refused(code::DUPLICATE_SEQUENCE_NUMBER)),
            ((0, 7, 7), Verdict::Refused(code::OUT_OF_ORDER_SEQUENCE_NUMBER)),
            ((1, 0, 0), Verdict::Append),
            ((1, 6, 6), Verdict::Refused(code::OUT_OF_ORDER_SEQUENCE_NUMBER)),
        ];
        for ((epoch, first, last), verdict) in expected {
            assert_eq!(producer.verdict(AT, stamp(epoch, first, last)), verdict, "{epoch} {first} {last}");
        }
        let elsewhere = TopicPartition::new(Topic::Orders, 2);
        assert_eq!(producer.verdict(elsewhere, stamp(0, 0, 0)), Verdict::Append);
    }

    #[test]
    fn an_older_epoch_is_refused() {
        let producer = with(&[(stamp(0, 0, 4), 100), (stamp(1, 0, 0), 105)]);
        assert_eq!(producer.verdict(AT, stamp(0, 5, 5)), Verdict::Refused(code::INVALID_PRODUCER_EPOCH));
        assert_eq!(producer.verdict(AT, stamp(1, 1, 1)), Verdict::Append);
    }

    #[test]
    fn who_is_forgotten_is_told_so() {
        let producer = Producer::default();
        assert_eq!(producer.verdict(AT, stamp(0, 0, 0)), Verdict::Append);
        assert_eq!(producer.verdict(AT, stamp(0, 5, 5)), Verdict::Refused(code::UNKNOWN_PRODUCER_ID));
    }

    #[test]
    fn numbers_begin_again_after_the_largest() {
        let producer = with(&[(stamp(0, i32::MAX - 1, 1), 100)]);
        assert_eq!(producer.verdict(AT, stamp(0, 2, 2)), Verdict::Append);
        assert_eq!(producer.verdict(AT, stamp(0, i32::MAX - 1, 1)), Verdict::Known(100));
        assert_eq!((after(i32::MAX, 1), after(i32::MAX - 1, 3), after(0, 1)), (0, 1, 1));
    }

    #[test]
    fn as_many_are_known_as_may_be() {
        let producers = Producers::new(1_000, 2);
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        let ids: Vec<i64> = (0..3).map(|_| producers.init(&request).producer_id.0).collect();
        assert_eq!(ids, [1_000, 1_001, 1_002]);
        let known = lock(&producers.known);
        assert_eq!(known.producers.keys().copied().collect::<Vec<_>>(), [1_001, 1_002]);
    }
}
