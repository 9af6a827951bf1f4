//! Epochs: cuts of the log. The one rule that decides which epoch records count; sequencers and readers both follow it.
//! Not for reading or writing the log.

use crate::contract::time::Timestamp;
use crate::contract::topic::{Origin, Topic, TopicPartition};
use crate::engine::encoding::{DecodeError, Encoding, Reader};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Our logical time: the number of a closed batch, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after it.
    pub const fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The generation of the decision code that this build has. A record of another is refused.
pub const RULES: u32 = 1;

/// Next offsets of partitions: where an epoch ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cut(pub BTreeMap<Topic, BTreeMap<u32, u64>>);

impl Cut {
    /// The next offset of a partition, if it is named.
    pub fn get(&self, at: TopicPartition) -> Option<u64> {
        self.0.get(&at.topic)?.get(&at.partition).copied()
    }

    /// Names the next offset of a partition.
    pub fn set(&mut self, at: TopicPartition, next: u64) {
        self.0.entry(at.topic).or_default().insert(at.partition, next);
    }

    /// Every partition that it names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (TopicPartition, u64)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, next)| (TopicPartition::new(*topic, *partition), *next))
        })
    }

    /// Returns true if it names nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what `later` names.
    pub fn advance(&mut self, later: &Cut) {
        for (at, next) in later.iter() {
            self.set(at, next);
        }
    }

    /// The same without `epochs` itself: what an epoch cuts.
    #[must_use]
    pub fn without_epochs(mut self) -> Cut {
        self.0.remove(&Topic::Epochs);
        self
    }

    /// Returns true if it has yet to reach `ends` somewhere.
    pub fn is_before(&self, ends: &Cut) -> bool {
        ends.iter().any(|(at, next)| self.get(at).unwrap_or(0) < next)
    }

    /// The number of offsets between it and `ends`.
    pub fn lag_to(&self, ends: &Cut) -> u64 {
        ends.iter().map(|(at, end)| end.saturating_sub(self.get(at).unwrap_or(0))).sum()
    }

    /// Returns true if the record at that place is before the cut.
    pub fn covers(&self, origin: Origin) -> bool {
        self.get(origin.topic_partition()).is_some_and(|next| origin.offset < next)
    }
}

/// A record of the topic `epochs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The version of the record's form: 1.
    pub v: u32,
    /// The epoch that it closes.
    pub epoch: Epoch,
    /// The time that its decisions see.
    pub now: Timestamp,
    /// The generation of the decision code.
    pub rules: u32,
    /// The next offset of every partition that moved; of every partition in epoch 1.
    pub cut: Cut,
}

/// Why a record of `epochs` does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochRefusal {
    /// It is not the next number: another sequencer was faster.
    #[error("epoch {found} is not the next one, {expected}")]
    NotNext {
        /// Its number.
        found: Epoch,
        /// The number that would count.
        expected: Epoch,
    },
    /// Its time is not later than the last one's.
    #[error("its time {found} is not after {last}")]
    NotLater {
        /// Its time.
        found: Timestamp,
        /// The last epoch's.
        last: Timestamp,
    },
    /// It would take back a part of the last cut.
    #[error("its cut ends {at} at {found}, before {last}")]
    Uncovered {
        /// The partition.
        at: TopicPartition,
        /// The next offset that the record names.
        found: u64,
        /// The next offset before.
        last: u64,
    },
    /// It cannot be read as an epoch record of a known version.
    #[error("it is no epoch record of version 1: {0}")]
    Unreadable(String),
}

/// The state that the epoch records so far give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// The last epoch that counts; 0 before the first.
    pub last: Epoch,
    /// Its time; the least one before the first.
    pub now: Timestamp,
    /// The next offset of every partition.
    pub cut: Cut,
}

impl Default for Epochs {
    fn default() -> Self {
        Epochs { last: Epoch(0), now: Timestamp::from_micros(i64::MIN), cut: Cut::default() }
    }
}

impl Epochs {
    /// Takes the next record of the topic if it counts, and returns why not otherwise. The log decides: of two
    /// sequencers that race, the one whose record comes first has closed the epoch.
    pub fn accept(&mut self, record: &EpochRecord) -> Result<(), EpochRefusal> {
        let expected = self.last.next();
        if record.v != 1 {
            return Err(EpochRefusal::Unreadable(format!("its version is {}", record.v)));
        }
        if record.epoch != expected {
            return Err(EpochRefusal::NotNext { found: record.epoch, expected });
        }
        if record.now <= self.now {
            return Err(EpochRefusal::NotLater { found: record.now, last: self.now });
        }
        for (at, found) in record.cut.iter() {
            let last = self.cut.get(at).unwrap_or(0);
            if found < last {
                return Err(EpochRefusal::Uncovered { at, found, last });
            }
        }
        self.last = record.epoch;
        self.now = record.now;
        self.cut.advance(&record.cut);
        Ok(())
    }

    /// Reads a record of the topic and takes it if it counts.
    pub fn accept_bytes(&mut self, value: &[u8]) -> Result<EpochRecord, EpochRefusal> {
        let record: EpochRecord =
            serde_json::from_slice(value).map_err(|error| EpochRefusal::Unreadable(error.to_string()))?;
        self.accept(&record)?;
        Ok(record)
    }

    /// The record that closes the next epoch at `ends`: the cut names what moved, and everything in epoch 1.
    pub fn next_record(&self, ends: &Cut, now: Timestamp) -> EpochRecord {
        let mut cut = Cut::default();
        for (at, next) in ends.iter() {
            if self.last == Epoch(0) || self.cut.get(at).unwrap_or(0) < next {
                cut.set(at, next);
            }
        }
        EpochRecord { v: 1, epoch: self.last.next(), now, rules: RULES, cut }
    }
}

impl Encoding for Epoch {
    fn store(&self, out: &mut Vec<u8>) {
        self.0.store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u64::load(from).map(Epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);

    fn ends(next: u64) -> Cut {
        let mut cut = Cut::default();
        cut.set(ORDERS, next);
        cut
    }

    #[test]
    fn a_record_has_the_documented_bytes() {
        let record = Epochs::default().next_record(&ends(123), Timestamp::from_micros(1));
        let text =
            r#"{"v":1,"epoch":1,"now":"1970-01-01T00:00:00.000001Z","rules":1,"cut":{"orders.commands":{"0":123}}}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        assert_eq!(serde_json::from_str::<EpochRecord>(text).unwrap(), record);
    }

    #[test]
    fn only_the_next_later_covering_record_counts() {
        let mut epochs = Epochs::default();
        let at = Timestamp::from_micros;
        let first = epochs.next_record(&ends(5), at(10));
        assert_eq!(epochs.accept(&first), Ok(()));
        assert_eq!(epochs.accept(&first), Err(EpochRefusal::NotNext { found: Epoch(1), expected: Epoch(2) }));
        let mut second = epochs.next_record(&ends(4), at(11));
        assert!(second.cut.is_empty(), "an end that did not move is not named");
        second.cut = ends(4);
        assert_eq!(epochs.accept(&second), Err(EpochRefusal::Uncovered { at: ORDERS, found: 4, last: 5 }));
        second.cut = ends(6);
        second.now = at(10);
        assert_eq!(epochs.accept(&second), Err(EpochRefusal::NotLater { found: at(10), last: at(10) }));
        second.now = at(11);
        assert_eq!(epochs.accept(&second), Ok(()));
        assert_eq!((epochs.last, epochs.now, epochs.cut), (Epoch(2), at(11), ends(6)));
    }

    /// A record near what would count: often the next number, often later, often covering.
    fn any_record(random: &mut dyn FnMut(u64) -> u64, epochs: &Epochs) -> EpochRecord {
        let near = |center: u64, random: &mut dyn FnMut(u64) -> u64| (center + random(4)).saturating_sub(1);
        let epoch = Epoch(near(epochs.last.0, random));
        let now = Timestamp::from_micros(epochs.now.micros().max(0) + random(4) as i64 - 1);
        let mut cut = Cut::default();
        for partition in 0..3 {
            let at = TopicPartition::new(if random(2) == 0 { Topic::Orders } else { Topic::Stock }, partition);
            if random(2) == 0 {
                cut.set(at, near(epochs.cut.get(at).unwrap_or(0), random));
            }
        }
        EpochRecord { v: if random(20) == 0 { 2 } else { 1 }, epoch, now, rules: RULES, cut }
    }

    /// The same rule from the whole history, without any state.
    fn counts(history: &[EpochRecord], record: &EpochRecord) -> bool {
        let covers = |(at, next)| history.iter().all(|earlier| earlier.cut.get(at).is_none_or(|end| end <= next));
        record.v == 1
            && record.epoch.0 == history.len() as u64 + 1
            && history.iter().all(|earlier| earlier.now < record.now)
            && record.cut.iter().all(covers)
    }

    #[test]
    fn whatever_stands_in_the_topic_what_counts_is_consecutive_later_and_covering() {
        for seed in 1..=64_u64 {
            let mut state = seed;
            let mut random = move |limit: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % limit
            };
            let (mut epochs, mut history) = (Epochs::default(), Vec::new());
            for _ in 0..400 {
                let record = any_record(&mut random, &epochs);
                let before = epochs.clone();
                let bytes = serde_json::to_vec(&record).expect("a record is JSON");
                let taken = epochs.accept_bytes(&bytes);
                assert_eq!(taken.is_ok(), counts(&history, &record), "seed {seed}: {taken:?} after {before:?}");
                match taken {
                    Ok(read) => history.push(read),
                    Err(_) => assert_eq!(epochs, before, "seed {seed}: a record that does not count changes nothing"),
                }
            }
            assert!(history.len() > 5, "seed {seed}: only {} records counted", history.len());
            let mut cut = Cut::default();
            history.iter().for_each(|record| cut.advance(&record.cut));
            assert_eq!((epochs.last.0, epochs.cut), (history.len() as u64, cut), "seed {seed}");
        }
    }
}
