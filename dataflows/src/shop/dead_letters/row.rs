//! The number of records of a topic that could not be read in a minute, by which a flood of them is thinned out: beyond
//! the policy's number only every hundredth keeps its bytes. Not for why they could not be read.

use crate::contract::input::{DeadLetter, DeadLetterCode};
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::engine::encoding::encode_struct;
use crate::shop::footprint::Footprint;
use std::collections::BTreeMap;

/// Of those beyond the number of a minute, one in so many keeps its bytes, by its offset.
const SAMPLED: u64 = 100;

/// The dead letters of a topic in a minute of the epochs' clock. Not a view's row, but in every checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterCount {
    /// The topic.
    pub topic: Topic,
    /// The minute since 1970.
    pub minute: i64,
    /// The number of them so far.
    pub count: u64,
}

/// The changes of the quota in an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterQuota {
    /// The counts that changed, as they are now.
    pub counts: Vec<LetterCount>,
    /// The codes of those that are only counted, since their bytes are not kept.
    pub dropped: Vec<DeadLetterCode>,
}

/// The counts of every topic.
#[derive(Debug, Default)]
pub struct LetterCounts(BTreeMap<Topic, LetterCount>);

impl LetterCounts {
    /// As they were kept.
    pub fn of(counts: &[LetterCount]) -> LetterCounts {
        LetterCounts(counts.iter().map(|count| (count.topic, *count)).collect())
    }

    /// Counts the dead letters of an epoch, and drops those beyond the quota; up to `per_minute` of a topic are kept.
    pub fn take(&mut self, now: Timestamp, per_minute: i64, letters: &mut Vec<DeadLetter>) -> LetterQuota {
        let (minute, per_minute) = (now.minute(), u64::try_from(per_minute).unwrap_or(0));
        // Workers hand them over in any order.
        letters.sort_unstable_by_key(|letter| letter.origin);
        let mut changed = BTreeMap::new();
        let mut dropped = Vec::new();
        letters.retain(|letter| {
            let topic = letter.origin.topic;
            let of_topic = self.0.entry(topic).or_insert(LetterCount { topic, minute, count: 0 });
            if of_topic.minute != minute {
                (of_topic.minute, of_topic.count) = (minute, 0);
            }
            of_topic.count += 1;
            changed.insert(topic, *of_topic);
            let is_kept = of_topic.count <= per_minute || letter.origin.offset.is_multiple_of(SAMPLED);
            if !is_kept {
                dropped.push(letter.code);
            }
            is_kept
        });
        dropped.sort_unstable();
        LetterQuota { counts: changed.into_values().collect(), dropped }
    }
}

encode_struct! {
    LetterCount { topic, minute, count }
}

impl Footprint for LetterCount {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Footprint for LetterQuota {
    fn heap_bytes(&self) -> usize {
        let LetterQuota { counts, dropped } = self;
        size_of_val(counts.as_slice()) + size_of_val(dropped.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::input::RawRecord;
    use crate::contract::topic::Origin;
    use std::sync::Arc;

    fn letters(topic: Topic, offsets: std::ops::Range<u64>) -> Vec<DeadLetter> {
        let letter = |offset| DeadLetter {
            origin: Origin { topic, partition: 0, offset },
            code: DeadLetterCode::Unreadable,
            detail: String::new(),
            record: Arc::new(RawRecord::default()),
        };
        offsets.rev().map(letter).collect()
    }

    fn offsets(letters: &[DeadLetter]) -> Vec<u64> {
        letters.iter().map(|letter| letter.origin.offset).collect()
    }

    #[test]
    fn beyond_the_number_of_a_minute_every_hundredth_keeps_its_bytes() {
        let mut counts = LetterCounts::default();
        let minute = |at: i64| Timestamp::from_micros(at * 60_000_000);
        let mut first = letters(Topic::Orders, 0..3);
        assert_eq!(counts.take(minute(5), 5, &mut first).dropped, []);
        let mut flood = letters(Topic::Orders, 3..350);
        let mut other = letters(Topic::Stock, 7..9);
        flood.append(&mut other);
        let quota = counts.take(minute(5), 5, &mut flood);
        assert_eq!(offsets(&flood), [7, 8, 3, 4, 100, 200, 300], "two of stock, and of orders up to five and samples");
        assert_eq!((quota.dropped.len(), quota.counts.len()), (342, 2));
        // A state that was kept resumes where it was.
        let mut counts = LetterCounts::of(&quota.counts);
        let mut more = letters(Topic::Orders, 350..352);
        assert_eq!(counts.take(minute(5), 5, &mut more).dropped.len(), 2);
        let mut next = letters(Topic::Orders, 352..354);
        let quota = counts.take(minute(6), 5, &mut next);
        assert_eq!((offsets(&next), quota.counts[0].count), (vec![352, 353], 2));
    }
}
