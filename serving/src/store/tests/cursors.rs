//! Scans that stay open while the store keeps running: chunks split, merge and vanish under them.
//! Not for threads.

use super::{Random, Row, TestStore, cut, keep_epochs, put};
use crate::store::Rows;

type Pairs = Vec<(u64, u64)>;

fn some(rows: &mut Rows<'_, u64, Row>, count: u64) -> Pairs {
    rows.take(count as usize).map(|(key, row)| (key, row.value)).collect()
}

#[test]
fn an_open_scan_goes_on_in_its_epoch() {
    Random::each(0..8, |random| {
        // Given a store, a pin of its first epoch, and a scan each way that has begun.
        let store = TestStore::new(keep_epochs(4));
        let keys = 3_000;
        let model: Pairs = (0..keys).filter(|_| random.below(2) == 0).map(|key| (key, key)).collect();
        store.epoch(1, model.iter().map(|(key, value)| put(*key, *value)).collect());
        let pin = store.clock.pin_latest(0).expect("an epoch is published");
        let (mut up, mut down) = (store.rows.range(.., 1), store.rows.range_rev(.., 1));
        let (mut ups, mut downs) = (some(&mut up, 10), some(&mut down, 10));
        // When all rows go, come back denser, and go again while the scans creep on.
        for epoch in 2..200 {
            let batch = (0..150).map(|_| random.below(keys)).collect::<std::collections::BTreeSet<_>>();
            let change = |key| if epoch / 50 % 2 == 0 { cut(key) } else { put(key, epoch) };
            store.epoch(epoch, batch.into_iter().map(change).collect());
            ups.append(&mut { some(&mut up, random.below(15)) });
            downs.append(&mut { some(&mut down, random.below(15)) });
        }
        ups.append(&mut some(&mut up, keys));
        downs.append(&mut some(&mut down, keys));
        // Then both saw the first epoch.
        downs.reverse();
        assert!(pin.is_valid());
        assert_eq!(ups, model);
        assert_eq!(downs, model);
        store.rows.check();
    });
}

#[test]
fn an_open_scan_survives_the_merge_of_all_chunks() {
    // Given rows enough for many chunks and a scan each way in the middle of them.
    let store = TestStore::new(keep_epochs(1));
    let rows = 20_000;
    store.epoch(1, (0..rows).map(|key| put(key, key)).collect());
    let chunks = store.rows.stats().chunks;
    let (mut up, mut down) = (store.rows.range(.., 1), store.rows.range_rev(.., 1));
    assert_eq!(some(&mut up, 1), [(0, 0)]);
    assert_eq!(some(&mut down, 1), [(rows - 1, rows - 1)]);
    // When all rows are removed, nothing holds them, and the sweep has gone round.
    store.epoch(2, (0..rows).map(cut).collect());
    for epoch in 3..500 {
        store.epoch(epoch, Vec::new());
    }
    // Then the chunks are gone, and the scans, now without a pin, end nevertheless.
    assert!(chunks > 300 && store.rows.stats().chunks < 5, "{:?}", store.rows.stats());
    assert!(up.count() <= 64 && down.count() <= 64);
    store.rows.check();
}

#[test]
fn bounds_that_cross_hold_nothing() {
    // Given a few rows.
    let store = TestStore::new(keep_epochs(1));
    store.epoch(1, (0..200).map(|key| put(key, key)).collect());
    // When bounds cross, or meet without including.
    let (low, high) = (std::ops::Bound::Excluded(7), std::ops::Bound::Excluded(150));
    // Then there is nothing between them, either way.
    for bounds in [(high, low), (low, low)] {
        assert_eq!(store.rows.range(bounds, 1).count(), 0);
        assert_eq!(store.rows.range_rev(bounds, 1).count(), 0);
    }
    assert_eq!(store.rows.range(.., 1).limit(0).count(), 0);
}
