//! An earlier snapshot of the ends than the last, when an epoch would hold too much: a function of offsets. Not for
//! asking the brokers.
//!
//! Kafka does not order records of different partitions. But of two records that a consistent snapshot
//! may part, the one of the earlier topic is never the one to leave out (see `offsets`). So a cut takes up the earlier
//! topics whole before it takes anything of the next: what it leaves out of a topic, it leaves out of all later ones.

use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Topic, TopicPartition};

/// The places of command topics.
pub fn commands(cut: &Cut) -> impl Iterator<Item = (TopicPartition, u64)> {
    cut.iter().filter(|(at, _)| at.topic != Topic::Epochs)
}

/// The number of command records between the two, if offsets had no holes.
pub fn distance(from: &Cut, to: &Cut) -> u64 {
    commands(to).map(|(at, end)| end.saturating_sub(from.get(at).unwrap_or(0))).sum()
}

/// The later place of each partition of either.
pub fn later(one: &Cut, other: &Cut) -> Cut {
    let mut later = one.clone();
    for (at, next) in other.iter().filter(|(at, next)| one.get(*at).unwrap_or(0) <= *next) {
        later.set(at, next);
    }
    later
}

/// A snapshot between `from` and `ends` that is at most `records_max` records, and at least one, from the first.
pub fn split(from: &Cut, ends: &Cut, records_max: u64) -> Cut {
    let mut cut = from.clone();
    let mut left = records_max.max(1);
    for topic in Topic::COVERED {
        let parts: Vec<(TopicPartition, u64, u64)> = ends
            .iter()
            .filter(|(at, _)| at.topic == topic)
            .map(|(at, end)| (at, from.get(at).unwrap_or(0), end))
            .filter(|(_, begin, end)| begin < end)
            .collect();
        let total: u64 = parts.iter().map(|(_, begin, end)| end - begin).sum();
        let taken = total.min(left);
        share(parts, taken, &mut cut);
        left -= taken;
        if left == 0 {
            break;
        }
    }
    cut
}

/// Takes that many out of the parts, of each the same number, or all that it has.
fn share(mut parts: Vec<(TopicPartition, u64, u64)>, mut taken: u64, cut: &mut Cut) {
    // The small ones first: what they do not need is for the others.
    parts.sort_by_key(|(_, begin, end)| end - begin);
    for (left, (at, begin, end)) in (1..=parts.len() as u64).rev().zip(parts) {
        let count = taken.div_ceil(left).min(end - begin);
        taken -= count;
        cut.set(at, begin + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn cut(places: &[(Topic, u32, u64)]) -> Cut {
        let mut cut = Cut::default();
        places.iter().for_each(|(topic, partition, next)| cut.set(TopicPartition::new(*topic, *partition), *next));
        cut
    }

    #[test]
    fn earlier_topics_are_taken_whole_before_later_ones() {
        use Topic::{Orders, Policy, Stock};
        let from = cut(&[(Policy, 0, 1), (Stock, 0, 5), (Orders, 0, 0), (Orders, 1, 0)]);
        let ends = cut(&[(Policy, 0, 3), (Stock, 0, 9), (Stock, 1, 2), (Orders, 0, 30), (Orders, 1, 10)]);
        let first = split(&from, &ends, 5);
        assert_eq!(first, cut(&[(Policy, 0, 3), (Stock, 0, 6), (Stock, 1, 2), (Orders, 0, 0), (Orders, 1, 0)]));
        let second = split(&first, &ends, 7);
        assert_eq!(second, cut(&[(Policy, 0, 3), (Stock, 0, 9), (Stock, 1, 2), (Orders, 0, 2), (Orders, 1, 2)]));
    }

    #[test]
    fn any_split_goes_on_as_far_as_asked_and_parts_only_one_topic() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let (mut from, mut ends) = (Cut::default(), Cut::default());
            for topic in Topic::ALL {
                for partition in 0..3 {
                    let at = TopicPartition::new(topic, partition);
                    let begin = random.below(5) as u64;
                    from.set(at, begin);
                    ends.set(at, begin + random.below(30) as u64);
                }
            }
            while distance(&from, &ends) > 0 {
                let records_max = random.below(20) as u64;
                let next = split(&from, &ends, records_max);
                let expected = distance(&from, &ends).min(records_max.max(1));
                assert_eq!(distance(&from, &next), expected, "seed {seed}");
                assert!(next.iter().all(|(at, next)| from.get(at) <= Some(next)), "seed {seed}: never back");
                let is_whole = |topic| next.iter().all(|(at, next)| at.topic != topic || ends.get(at) == Some(next));
                let is_begun = |topic| next.iter().any(|(at, next)| at.topic == topic && from.get(at) != Some(next));
                for (number, topic) in Topic::COVERED.into_iter().enumerate() {
                    let earlier = Topic::COVERED[..number].iter();
                    assert!(!is_begun(topic) || earlier.copied().all(is_whole), "seed {seed}: {topic:?}");
                }
                assert_eq!(next.0[&Topic::Epochs], from.0[&Topic::Epochs], "seed {seed}");
                from = next;
            }
        }
    }
}
