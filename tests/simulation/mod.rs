//! The whole node but its HTTP on one thread, with a seed that says what happens next: who moves, what fails, when the
//! machine stops and what its disk then has. What comes out must be what a node without faults makes of the same log.
//! Not for threads and processes: `process` has those.
//!
//! `world` is the machine and what outlives its stops, `node` what runs on it, `reference` the node that never stopped.

mod history;
mod node;
mod reference;
mod world;

use crate::support::{for_each_seed, seeds, times};
use ingest::testing::Stop;
use std::collections::BTreeMap;
use world::{Plan, World};

/// The number of seeds there are, if `TRADEWIND_TEST_SEEDS` does not say.
const SEEDS: u64 = 250;
/// In so many seeds everything has happened.
const SEEDS_WHOLE: u64 = 1_000;

fn seed_count() -> u64 {
    let given = std::env::var("TRADEWIND_TEST_SEEDS").ok();
    given.map_or(SEEDS, |count| count.parse().expect("TRADEWIND_TEST_SEEDS is a whole number"))
}

fn report(what: &str, counts: &BTreeMap<String, u64>) {
    println!("{what}");
    for (point, count) in counts {
        println!("{count:>10}  {point}");
    }
}

fn add(total: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (what, count) in more {
        *total.entry(what.clone()).or_default() += count;
    }
}

/// The events that every thousand seeds must have met; fewer may miss one.
const MUST_HAPPEN: &[&str] = &[
    "append acknowledged late",
    "append in doubt",
    "append refused",
    "append repeated",
    "clock stepped back an hour",
    "clock stepped forward an hour",
    "cut_after fails",
    "delete_before fails",
    "disk full",
    "ends fail",
    "epoch replayed",
    "log deleted at its front",
    "machine stopped",
    "power lost",
    "process killed",
    "process stopped",
    "read fails",
    "read gives nothing",
    "read gives one",
    "reader fails",
    "sink given an epoch twice",
    "sink slow",
    "start failed",
    "start from a checkpoint",
    "start from nothing",
    "starts fail",
];

#[test]
fn whatever_fails_the_outcome_is_that_of_the_node_that_never_stopped() {
    let mut total = BTreeMap::new();
    let all = seeds(1, seed_count());
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let runs = |thread: u64| {
        let mut counts = BTreeMap::new();
        let ours = all.iter().copied().filter(|seed| seed % threads == thread).collect();
        let kept = std::sync::Mutex::new(&mut counts);
        for_each_seed("simulation", ours, |seed| {
            let world = World::run(seed, Plan::Faults);
            add(&mut kept.lock().unwrap(), &world.counts());
        });
        counts
    };
    std::thread::scope(|scope| {
        let runs = &runs;
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || runs(thread))).collect();
        threads.into_iter().for_each(|thread| add(&mut total, &thread.join().unwrap()));
    });
    report(&format!("{} seeds", all.len()), &total);
    if all.len() as u64 >= SEEDS_WHOLE {
        let missing: Vec<_> = MUST_HAPPEN.iter().filter(|what| !total.contains_key(**what)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

/// At the first passing of each point, and as many more as `TRADEWIND_TEST_TIMES` says.
#[test]
fn a_stop_at_any_point_loses_nothing() {
    let seed = 7;
    let points = World::run(seed, Plan::Plain).counts();
    let points: BTreeMap<_, _> = points.into_iter().filter(|(point, _)| point.starts_with("disk ")).collect();
    let (mut stops, mut passed) = (0, BTreeMap::new());
    for (point, count) in &points {
        let name = point.strip_prefix("disk ").unwrap_or(point);
        for hit in 1..=times().min(*count) {
            println!("{name}, passing {hit}");
            let world = World::run(seed, Plan::Stop(Stop { point: name.to_owned(), hit }));
            assert_eq!(world.counts()["machine stopped"], 1, "{name}, passing {hit}");
            stops += 1;
            *passed.entry(point.clone()).or_insert(0) += 1;
        }
    }
    report(&format!("{stops} stops; at each point:"), &passed);
    assert_eq!(passed.len(), points.len(), "every point was stopped at");
    assert!(points.len() > 120, "{}", points.len());
}

#[test]
fn a_run_is_what_its_seed_says() {
    let counts = |seed| World::run(seed, Plan::Faults).counts();
    assert_eq!(counts(3), counts(3));
}
