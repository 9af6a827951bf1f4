//! Cuts of a backlog against what a cut promises.

use crate::log::journal::{Journal, JournalConfig};
use crate::log::{CutLimit, Log, Partitions, Record};
use crate::testing::contract_tests::{append, beginning};
use crate::testing::{Disk, Random};
use bytes::Bytes;
use dataflows::contract::epoch::Cut;
use dataflows::contract::topic::{Origin, Topic, TopicPartition};
use std::collections::BTreeMap;
use std::sync::Arc;

const ORDERS: TopicPartition = TopicPartition::new(Topic::Orders, 0);

fn journal(config: JournalConfig) -> Journal {
    Journal::open_on(Arc::new(Disk::default()), &Partitions::uniform(3), config).unwrap()
}

fn sized(bytes: usize) -> Record {
    Record { value: Some(Bytes::from(vec![b'x'; bytes])), ..Record::default() }
}

/// The journal's records, in its order.
type JournalContent = Vec<(Origin, u64)>;

fn fill(journal: &Journal, random: &mut Random, kept: &mut JournalContent) {
    // One partition has most of what waits.
    let flooded = TopicPartition::new(Topic::COVERED[random.below(5)], 0);
    for _ in 0..40 {
        let any = TopicPartition::new(Topic::COVERED[random.below(5)], random.below(3) as u32);
        let at = if random.below(3) == 0 { any } else { flooded };
        let records: Vec<_> = (0..=random.below(4))
            .map(|_| sized(if random.below(20) == 0 { 1_500 } else { random.below(60) }))
            .collect();
        let sizes: Vec<u64> = records.iter().map(|record| record.bytes() as u64).collect();
        let origins = append(journal, records.into_iter().map(|record| (at, record)).collect()).unwrap();
        kept.extend(origins.into_iter().zip(sizes));
        if random.below(4) == 0 {
            append(journal, vec![(TopicPartition::EPOCHS, sized(30))]).unwrap();
        }
    }
}

/// The records that a cut brings, by partition: how many, and their bytes.
fn brought(kept: &JournalContent, from: &Cut, to: &Cut) -> BTreeMap<TopicPartition, (u64, u64)> {
    let mut brought = BTreeMap::<_, (u64, u64)>::new();
    for (origin, size) in kept.iter().filter(|(origin, _)| to.covers(*origin) && !from.covers(*origin)) {
        let of = brought.entry(origin.topic_partition()).or_default();
        *of = (of.0 + 1, of.1 + size);
    }
    brought
}

fn check(kept: &JournalContent, from: &Cut, to: &Cut, limit: CutLimit, seed: u64) {
    assert!(from.without_epochs_iter().all(|(at, next)| to.get(at) >= Some(next)), "seed {seed}: never back");
    let mut left_out: Option<Topic> = None;
    for (origin, _) in kept {
        if to.covers(*origin) {
            let is_consistent = left_out.is_none_or(|topic| origin.topic <= topic);
            assert!(is_consistent, "seed {seed}: {origin:?} is in without what was before it in an earlier topic");
        } else {
            left_out = Some(left_out.map_or(origin.topic, |topic| topic.min(origin.topic)));
        }
    }
    let waiting: BTreeMap<TopicPartition, u64> =
        kept.iter().filter(|(origin, _)| !from.covers(*origin)).fold(BTreeMap::new(), |mut all, (origin, _)| {
            *all.entry(origin.topic_partition()).or_default() += 1;
            all
        });
    let brought = brought(kept, from, to);
    let (records, bytes) = brought.values().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    assert!(records > 0, "seed {seed}: every cut goes on");
    if left_out.is_none() {
        return;
    }
    let largest = kept.iter().map(|(_, size)| *size).max().unwrap();
    assert!(bytes <= limit.bytes_max + largest, "seed {seed}: {bytes} bytes");
    let count = waiting.len() as u64;
    assert!(records <= limit.records_max.max(count), "seed {seed}: {records} records");
    for (at, (records, bytes)) in brought {
        assert!(records <= (limit.records_max / count).max(1), "seed {seed}: {records} records of {at}");
        let share = (limit.bytes_max / count).max(1);
        assert!(bytes <= share || records == 1, "seed {seed}: {bytes} bytes of {at}, whose share is {share}");
    }
}

trait Inputs {
    fn without_epochs_iter(&self) -> impl Iterator<Item = (TopicPartition, u64)>;
}

impl Inputs for Cut {
    fn without_epochs_iter(&self) -> impl Iterator<Item = (TopicPartition, u64)> {
        self.iter().filter(|(at, _)| at.topic != Topic::Epochs)
    }
}

#[test]
fn every_cut_is_consistent_and_no_partition_gives_more_than_its_share() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let tight = JournalConfig { index_distance_bytes: 300, index_marks_max: 20, ..JournalConfig::default() };
        let journal = journal(if seed % 2 == 0 { tight } else { JournalConfig::default() });
        let (mut kept, mut from, mut cuts) = (JournalContent::new(), beginning(&journal), 0);
        fill(&journal, &mut random, &mut kept);
        while from.is_before(&journal.ends().unwrap().without_epochs()) {
            let limit =
                CutLimit { records_max: 1 + random.below(60) as u64, bytes_max: 100 + random.below(3_000) as u64 };
            let to = journal.cut_after(&from, limit).unwrap();
            check(&kept, &from, &to, limit, seed);
            (from, cuts) = (to, cuts + 1);
            if random.below(8) == 0 && cuts < 100 {
                fill(&journal, &mut random, &mut kept);
            }
        }
        assert!(cuts > 2, "seed {seed}: {cuts} cuts");
    }
}

#[test]
fn what_fits_is_cut_at_once() {
    let journal = journal(JournalConfig::default());
    append(&journal, vec![(ORDERS, sized(1_000)), (ORDERS, sized(1_000))]).unwrap();
    let limit = CutLimit { records_max: 2, bytes_max: 4 << 20 };
    assert_eq!(journal.cut_after(&Cut::default(), limit).unwrap(), journal.ends().unwrap());
}

#[test]
fn another_client_does_not_wait_for_a_flood() {
    let journal = journal(JournalConfig::default());
    let innocent = TopicPartition::new(Topic::Orders, 1);
    (0..50).for_each(|_| drop(append(&journal, vec![(ORDERS, sized(1_000)); 20]).unwrap()));
    append(&journal, vec![(innocent, sized(10))]).unwrap();
    let limit = CutLimit { records_max: 10_000, bytes_max: 200_000 };
    let cut = journal.cut_after(&Cut::default(), limit).unwrap();
    assert_eq!(cut.get(innocent), Some(1));
    assert!(cut.get(ORDERS).is_some_and(|next| (40..=100).contains(&next)), "{cut:?}");
}

#[test]
fn a_record_that_is_larger_than_an_epoch_is_one() {
    let journal = journal(JournalConfig::default());
    append(&journal, vec![(ORDERS, sized(5_000)), (ORDERS, sized(10))]).unwrap();
    let limit = CutLimit { records_max: 100, bytes_max: 1_000 };
    let first = journal.cut_after(&Cut::default(), limit).unwrap();
    assert_eq!(first.get(ORDERS), Some(1));
    assert_eq!(journal.cut_after(&first, limit).unwrap().get(ORDERS), Some(2));
}
