//! The parts that tests share: a log that is held in memory and replayed in any way, a sink that keeps everything, and a node
//! that is a process of its own.

mod node;
mod replay;
pub mod views;

pub use node::Node;
pub use replay::{SealedLog, Way, run, run_from};

use std::io::Write;
use std::path::PathBuf;

/// The folder with the data to test against; says why a test is skipped without one, or fails where none may be.
pub fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("TRADEWIND_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        let why = "TRADEWIND_TEST_DATA does not name the folder with the data";
        assert!(std::env::var_os("TRADEWIND_TEST_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
        skipped(why);
    }
    folder
}

/// Says that something is not tested, and why.
pub fn skipped(why: &str) {
    // Written past the test harness, which keeps what passing tests print to itself.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
}

/// The value of a variable that is set.
fn number(given: Result<String, std::env::VarError>) -> Option<u64> {
    given.ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{text:?} is no whole number")))
}

/// The number of times as much a test does that could do any amount, as `TRADEWIND_TEST_TIMES` says.
pub fn times() -> u64 {
    number(std::env::var("TRADEWIND_TEST_TIMES")).unwrap_or(1)
}

/// The seeds of a random test: the one in `TRADEWIND_TEST_SEED`, to run one again, or `count` from `first`, times [`times`].
pub fn seeds(first: u64, count: u64) -> Vec<u64> {
    match number(std::env::var("TRADEWIND_TEST_SEED")) {
        Some(seed) => vec![seed],
        None => (first..first + count * times()).collect(),
    }
}

/// Runs a test for each seed, and names the seed that fails with the command that runs it again.
pub fn for_each_seed(test: &str, seeds: Vec<u64>, run: impl Fn(u64)) {
    for seed in seeds {
        let named = SeedReport { test, seed };
        run(seed);
        std::mem::forget(named);
    }
}

/// Says on the way out of a panic which seed it was.
struct SeedReport<'a> {
    test: &'a str,
    seed: u64,
}

impl Drop for SeedReport<'_> {
    fn drop(&mut self) {
        let SeedReport { test, seed } = self;
        println!("seed {seed} fails; again: TRADEWIND_TEST_SEED={seed} cargo test --test tradewind-tests {test}");
    }
}
