//! Readers beside a writer: every reader sees a whole epoch in all views, at points and in scans.
//! Not for single-threaded results; `model.rs` compares those.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Random, Row, TestStore, keep_epochs};
use crate::store::Change;

const ACCOUNTS: u64 = 2_000;
const TOTAL: u64 = ACCOUNTS * 10;
const EPOCHS: u64 = 4_000;

/// Moves money between accounts. An account without any is removed, so chunks come and go.
fn transfers(random: &mut Random, accounts: &mut BTreeMap<u64, u64>, drains: bool) -> Vec<u64> {
    let mut moved = Vec::new();
    for _ in 0..1 + random.below(40) {
        let from = random.below(ACCOUNTS);
        let to = if drains { random.below(ACCOUNTS / 50) * 50 } else { random.below(ACCOUNTS) };
        let amount = accounts.get(&from).map_or(0, |balance| (balance / 10).max(10).min(*balance));
        if amount > 0 && from != to {
            *accounts.entry(from).or_default() -= amount;
            *accounts.entry(to).or_default() += amount;
            moved.extend([from, to]);
        }
    }
    accounts.retain(|_, balance| *balance > 0);
    moved.sort_unstable();
    moved.dedup();
    moved
}

fn write(random: &mut Random, store: &TestStore) {
    let mut accounts: BTreeMap<u64, u64> = (0..ACCOUNTS).map(|account| (account, 10)).collect();
    for epoch in 1..=EPOCHS {
        let before = accounts.clone();
        let moved = match epoch {
            1 => (0..ACCOUNTS).collect(),
            _ => transfers(random, &mut accounts, epoch / 500 % 2 == 0),
        };
        let mut rows: Vec<Change<u64, Row>> = Vec::new();
        let mut by_value: Vec<Change<(u64, u64), Row>> = Vec::new();
        for account in moved {
            let row = accounts.get(&account).map(|value| Arc::new(Row { value: *value }));
            let now = row.as_ref().map(|row| row.value);
            let was = before.get(&account).copied().filter(|was| epoch > 1 && Some(*was) != now);
            by_value.extend(was.map(|was| ((was, account), None)));
            by_value.extend(now.map(|now| ((now, account), row.clone())));
            rows.push((account, row));
        }
        let undo_bytes = store.apply(epoch, rows, by_value);
        store.publish(epoch, undo_bytes);
    }
}

/// Reads one epoch in several ways and compares them with each other.
fn read(random: &mut Random, store: &TestStore) {
    let pin = match (store.clock.oldest_readable(), store.clock.latest()) {
        (Some(floor), Some(latest)) if random.below(2) == 0 => {
            // The floor may have moved on since.
            store.clock.pin(floor + random.below(latest - floor + 1), 0).ok()
        }
        _ => store.clock.pin_latest(0),
    };
    let Some(pin) = pin else { return };
    let at = pin.epoch();
    let up: Vec<_> = store.rows.range(.., at).map(|(key, row)| (key, row.value)).collect();
    let mut down: Vec<_> = store.rows.range_rev(.., at).map(|(key, row)| (key, row.value)).collect();
    down.reverse();
    let mut other: Vec<_> = store.by_value.range(.., at).map(|((_, key), row)| (key, row.value)).collect();
    other.sort_unstable();
    assert_eq!(up.iter().map(|(_, value)| value).sum::<u64>(), TOTAL, "at {at}");
    assert_eq!(up, down, "at {at}");
    assert_eq!(up, other, "at {at}");
    for _ in 0..50 {
        let account = random.below(ACCOUNTS);
        let expected = up.binary_search_by_key(&account, |(key, _)| *key).ok().map(|at| up[at].1);
        assert_eq!(store.rows.get(&account, at).map(|row| row.value), expected, "{account} at {at}");
    }
    assert_eq!((**pin.info(), pin.is_valid()), (at * 10, true));
}

#[test]
fn readers_see_whole_epochs() {
    Random::each(0..2, |random| {
        // Given two readers beside a writer.
        let store = TestStore::new(keep_epochs(300));
        let is_written = AtomicBool::new(false);
        let seed = random.seed;
        std::thread::scope(|scope| {
            let readers = [1, 2].map(|reader| {
                let (store, is_written) = (&store, &is_written);
                scope.spawn(move || {
                    let mut random = Random { seed, state: seed ^ (reader << 32) };
                    // When they read the newest and older epochs while it writes, and once after.
                    while !is_written.load(Ordering::Acquire) {
                        read(&mut random, store);
                    }
                    read(&mut random, store);
                })
            });
            write(random, &store);
            is_written.store(true, Ordering::Release);
            // Then each found every epoch whole.
            for reader in readers {
                reader.join().expect("a reader found a torn epoch");
            }
        });
        store.rows.check();
        store.by_value.check();
        assert!(store.rows.stats().rows > 0);
    });
}
