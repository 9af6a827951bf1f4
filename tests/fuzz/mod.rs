//! A structured fuzzer of commands: the workload's commands with something wrong in most of them, into the core, over
//! REST and as Kafka records. Whatever comes, nothing panics, each command has an outcome, a dead letter or a refusal with
//! a stable code and pointers, the books agree, and a replay and a restart make the same of it.
//! `mutation` says what is wrong with a command, `core` and `node` where it is sent.

mod core;
mod mutation;
mod node;

use crate::model::Record;
use crate::model::workload::{Random, Workload};

/// The number of commands there are, unless `TRADEWIND_TEST_FUZZ_COMMANDS` says how many.
const COMMANDS: usize = 20_000;

/// That many of a thousand of all commands.
fn share(per_mille: usize) -> usize {
    let given = std::env::var("TRADEWIND_TEST_FUZZ_COMMANDS").ok();
    let all = given.map_or(COMMANDS, |count| count.parse().expect("TRADEWIND_TEST_FUZZ_COMMANDS is a whole number"));
    (all * per_mille).div_ceil(1_000)
}

/// A command: what the workload made, and its data as it is sent.
struct Shot {
    record: Record,
    data: Vec<u8>,
}

/// The number of a hundred have something wrong in their data.
const WRONG_PERCENT: u64 = 60;

/// At least so many commands of this seed, by the epochs of the workload. The first epoch, which opens the shop, is as it
/// should be.
fn shots(seed: u64, count: usize) -> Vec<(i64, Vec<Shot>)> {
    let (mut workload, mut random) = (Workload::new(seed), Random::new(!seed));
    let (mut epochs, mut made) = (Vec::new(), 0);
    while made < count {
        let batch = workload.next_epoch();
        let is_first = epochs.is_empty();
        let shot = |record: Record| {
            let data = if !is_first && random.percent(WRONG_PERCENT) {
                mutation::data(&mut random, &record.data)
            } else {
                record.data.to_string().into_bytes()
            };
            Shot { record, data }
        };
        let shots: Vec<Shot> = batch.records.into_iter().map(shot).collect();
        made += shots.len();
        epochs.push((batch.now_micros, shots));
    }
    epochs
}
