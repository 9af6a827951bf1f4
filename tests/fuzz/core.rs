//! Mutated commands as records of a sealed log, into the core: outcomes, invariants, restarts, any number of workers.

use super::{Shot, mutation, share, shots};
use crate::model::workload::Random;
use crate::restore::StoredTables;
use crate::rule_s::record_of;
use crate::support::views::Views;
use crate::support::{SealedLog, Way, for_each_seed, run, run_from, seeds};
use bytes::Bytes;
use dataflows::contract::changes::Changes;
use dataflows::contract::input::Input;
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use ingest::log::Record;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The number of commands of all are of one seed: its world is small, so that commands meet.
const A_SEED: usize = 2_000;
/// The share of all commands, per mille.
const SHARE: usize = 700;
/// The number of a hundred records have something wrong around their data.
const WRONG_RECORD_PERCENT: u64 = 10;

/// The records of a seed in sealed epochs.
fn log(seed: u64) -> Arc<SealedLog> {
    let (mut log, mut random) = (SealedLog::default(), Random::new(seed ^ 0xf022));
    for (number, (now, shots)) in shots(seed, A_SEED).into_iter().enumerate() {
        let placed = shots.into_iter().map(|Shot { record, data }| {
            let (origin, sound) = record_of(&record);
            let mut sent = Record { value: Some(Bytes::from(data)), ..sound };
            if number > 0 && random.percent(WRONG_RECORD_PERCENT) {
                mutation::record(&mut random, &mut sent);
            }
            (origin, sent)
        });
        log.seal(Timestamp::from_micros(now), placed.collect());
    }
    Arc::new(log)
}

/// Each record is a command with an outcome, an observation, or a dead letter with a reason.
fn assert_answered(log: &SealedLog, left: &[Arc<Changes>], seed: u64) {
    let mut remembered = BTreeSet::new();
    let (mut decided, mut dead) = (0, 0);
    for ((_, inputs), changes) in log.epochs.iter().zip(left) {
        let changed = &changes.rows.operations;
        remembered.extend(changed.iter().filter(|change| change.after.is_some()).map(|change| change.key_text()));
        let letters: BTreeSet<_> = changes.dead_letters.iter().map(|letter| letter.origin).collect();
        let mut uncounted = 0;
        for input in inputs {
            let origin = input.origin();
            match input {
                Input::Command(envelope) => {
                    let id = &envelope.command_id;
                    assert!(remembered.contains(id), "seed {seed}: {id} at {origin} has no outcome");
                    decided += 1;
                }
                Input::Dead(_) => {
                    uncounted += usize::from(!letters.contains(&origin));
                    dead += 1;
                }
                Input::Observation(_) => {}
            }
        }
        // Beyond the quota of its topic a letter is only counted.
        let epoch = changes.epoch();
        assert_eq!(uncounted, changes.quota.dropped.len(), "seed {seed}: records of epoch {epoch} left no letter");
        for change in changed.iter().filter(|change| change.after.is_none()) {
            remembered.remove(&change.key_text());
        }
        for problem in changed.iter().filter_map(|change| change.after.as_deref()).flat_map(|row| row.errors()) {
            let pointer = &problem.pointer;
            assert!(pointer.is_empty() || pointer.starts_with('/'), "seed {seed}: {pointer:?} is no pointer");
            assert!(!problem.detail.is_empty(), "seed {seed}: the error at {pointer:?} says nothing");
        }
    }
    // Neither kind is only a few: the faults are of both sorts.
    assert!(decided * 5 > A_SEED && dead * 20 > A_SEED, "seed {seed}: {decided} decided, {dead} dead");
}

#[test]
fn mutated_commands_are_answered_and_replayed_alike() {
    let count = share(SHARE).div_ceil(A_SEED) as u64;
    for_each_seed("mutated_commands_are_answered_and_replayed_alike", seeds(7_000, count), |seed| {
        let log = log(seed);
        let way = |workers| Way { workers, stride: 7, in_flight: 64 };
        let left = run(&log, way(1));
        assert_eq!(left.len(), log.epochs.len(), "seed {seed}: every epoch is decided");
        assert_answered(&log, &left, seed);
        let (mut views, mut kept) = (Views::default(), StoredTables::default());
        let middle = left.len() / 2;
        let mut base = None;
        for (number, changes) in left.iter().enumerate() {
            views.apply(changes);
            if number <= middle {
                kept.apply(changes);
            }
            if number == middle {
                base = Some(kept.load(&changes.record));
            }
            for (name, check) in views.json(View::Invariants) {
                assert_eq!(check["violations"], 0, "seed {seed}, epoch {}, {name}: {check}", changes.epoch());
            }
        }
        for view in View::ALL {
            let told = left.last().map(|last| last.standings.of(*view).digest);
            assert_eq!(told, Some(views.digest(*view)), "seed {seed}: the digest of {}", view.name());
        }
        assert!(run(&log, way(4)) == left, "seed {seed}: four workers make something else of it");
        for workers in [1, 4] {
            let after = run_from(&log, base.clone(), way(workers));
            assert!(after[1..] == left[middle + 1..], "seed {seed}: {workers} workers after a restart");
        }
    });
}
