//! The history that is kept, for which readers, and that it goes again.
//! Not for what is read from it; `model.rs` compares that.

use std::sync::Arc;

use super::{ROW_BYTES, Random, Row, TestStore, cut, keep_epochs, put};
use crate::store::chunk::Undo;
use crate::store::{Change, HistoryLimits, NotReadable};

/// Distinct random keys with a new value each.
fn batch(random: &mut Random, keys: u64, changes: u64, value: u64) -> Vec<Change<u64, Row>> {
    let keys = (0..changes).map(|_| random.below(keys)).collect::<std::collections::BTreeSet<_>>();
    keys.into_iter().map(|key| put(key, value)).collect()
}

#[test]
fn a_held_pin_reads_the_same_after_ten_thousand_epochs() {
    Random::each(0..2, |random| {
        // Given an epoch that is pinned.
        let store = TestStore::new(keep_epochs(100));
        store.epoch(1, batch(random, 2_000, 1_000, 1));
        let pin = store.clock.pin_latest(0).expect("an epoch is published");
        let before: Vec<_> = store.rows.range(.., 1).collect();
        // When ten thousand later epochs change and remove its rows.
        for epoch in 2..=10_001 {
            let mut changes = batch(random, 2_000, 8, epoch);
            changes[0].1 = None;
            store.epoch(epoch, changes);
        }
        // Then it reads the same, row by row and either way.
        let mut after: Vec<_> = store.rows.range(.., pin.epoch()).collect();
        assert_eq!(before, after);
        assert!(before.iter().all(|(key, row)| store.rows.get(key, 1).as_ref() == Some(row)));
        after.reverse();
        assert_eq!(store.rows.range_rev(.., 1).collect::<Vec<_>>(), after);
        assert!(pin.is_valid());
        store.rows.check();
    });
}

#[test]
fn history_stays_in_bounds_and_a_debt_is_paid_in_small_parts() {
    Random::each(0..3, |random| {
        // Given a full window.
        let (window, changes) = (100, 50);
        let store = TestStore::new(keep_epochs(window));
        let mut last = 1;
        let mut run = |epochs: u64, random: &mut Random| {
            let mut most_pruned = 0;
            for _ in 0..epochs {
                let before = store.rows.stats().undo_entries;
                let batch = batch(random, 5_000, changes, last);
                let pushed = batch.len();
                store.epoch(last, batch);
                last += 1;
                most_pruned = most_pruned.max(before + pushed - store.rows.stats().undo_entries);
            }
            most_pruned
        };
        let steady = window * changes as usize * 5 / 4;
        run(1_000, random);
        assert!(store.rows.stats().undo_entries < steady);
        // When a reader holds an epoch for long and then lets go.
        let pin = store.clock.pin_latest(0).expect("an epoch is published");
        run(1_000, random);
        let held = store.rows.stats().undo_entries;
        assert!(held > 9 * steady / 2, "{held}");
        drop(pin);
        let most_pruned = run(400, random);
        // Then no epoch pays more than its share, and after some all is paid.
        assert!(most_pruned <= 64 + (3 + 32) * changes as usize, "{most_pruned}");
        assert!(store.rows.stats().undo_entries < steady, "{:?}", store.rows.stats());
        store.rows.check();
    });
}

#[test]
fn bytes_bound_the_window() {
    // Given a store that may keep the history of ten changed rows.
    let row_bytes = ROW_BYTES + size_of::<Undo<u64, Row>>();
    let store = TestStore::new(HistoryLimits { undo_bytes_max: 10 * row_bytes, ..keep_epochs(1_000) });
    store.epoch(1, (0..10).map(|key| put(key, 0)).collect());
    // When four rows change in each epoch.
    for epoch in 2..=10 {
        let undo_bytes = store.epoch(epoch, (0..4).map(|key| put(key, epoch)).collect());
        assert_eq!(undo_bytes, 4 * row_bytes);
    }
    // Then the last two can be undone and no more.
    assert_eq!((store.clock.oldest_readable(), store.clock.latest()), (Some(8), Some(10)));
    // When one epoch alone is beyond the bound.
    store.epoch(11, (0..10).map(|key| put(key, 11)).chain([put(11, 11)]).collect());
    // Then it is still readable itself, and alone.
    assert_eq!((store.clock.oldest_readable(), store.clock.latest()), (Some(11), Some(11)));
}

#[test]
fn age_bounds_the_window_and_what_pins_hold() {
    // Given an epoch every second, an age of ten for epochs and of thirty for pins.
    let limits = HistoryLimits { age_ms_max: 10_000, pin_age_ms_max: 30_000, ..keep_epochs(1_000) };
    let mut store = TestStore::new(limits);
    let mut run_to = |second: u64| {
        for epoch in store.now_ms / 1_000 + 1..=second {
            store.now_ms = epoch * 1_000;
            store.epoch(epoch, vec![put(epoch % 7, epoch)]);
        }
        store.clock.oldest_readable()
    };
    assert_eq!(run_to(5), Some(1));
    assert_eq!(run_to(20), Some(10));
    // When a reader never lets go of second 20.
    let clock = &store.clock;
    let pin = clock.pin_latest(20_000).expect("an epoch is published");
    let quick = clock.pin(15, 20_000).expect("it is in the window");
    drop(quick);
    let mut now_ms = 20_000;
    let mut run_to = |second: u64| {
        for epoch in now_ms / 1_000 + 1..=second {
            now_ms = epoch * 1_000;
            let undo_bytes = store.apply(epoch, vec![put(epoch % 7, epoch)], Vec::new());
            clock.publish(crate::store::PublishedEpoch { epoch, info: epoch * 10, undo_bytes, now_ms });
        }
    };
    // Then it reads on outside the window, where no other reader gets in,
    run_to(50);
    assert_eq!(clock.oldest_readable(), Some(40));
    assert_eq!(clock.pin(20, 50_000).map(|pin| pin.epoch()), Err(NotReadable::Forgotten { floor: 40 }));
    assert_eq!(clock.info(20), Err(NotReadable::Forgotten { floor: 40 }));
    assert_eq!(clock.info(45), Ok(Arc::new(450)));
    assert_eq!(clock.info(51), Err(NotReadable::Unknown { latest: Some(50) }));
    assert_eq!(store.rows.get(&6, pin.epoch()).map(|row| row.value), Some(20));
    assert!(pin.is_valid());
    // until it is too old, and its history goes.
    run_to(51);
    assert!(!pin.is_valid() && !pin.clone().is_valid());
    run_to(60);
    // (Ten can be undone. The sweep in epoch 60 still knew the floor of 59.)
    assert_eq!(store.rows.stats().undo_entries, 11);
}

#[test]
fn bytes_bound_what_pins_hold() {
    // Given a window of ten epochs, of which each changes a row, and pins that may hold twenty more.
    let row_bytes = ROW_BYTES + size_of::<Undo<u64, Row>>();
    let store = TestStore::new(HistoryLimits { pinned_bytes_max: 20 * row_bytes, ..keep_epochs(10) });
    store.epoch(1, vec![put(1, 1)]);
    let pin = store.clock.pin_latest(0).expect("an epoch is published");
    // When a reader never lets go,
    for epoch in 2..=30 {
        store.epoch(epoch, vec![put(1, epoch)]);
    }
    assert!(pin.is_valid());
    assert_eq!(store.rows.get(&1, pin.epoch()).map(|row| row.value), Some(1));
    // Then it is heeded up to the bound, and no longer, whatever it does.
    pin.renew(0);
    store.epoch(31, vec![put(1, 31)]);
    assert!(!pin.is_valid());
    for epoch in 32..=60 {
        store.epoch(epoch, vec![put(1, epoch)]);
    }
    assert!(store.rows.stats().undo_entries <= 11, "{:?}", store.rows.stats());
}

#[test]
fn nothing_is_kept_while_nobody_can_ask() {
    // Given a replay of some epochs that are not published.
    let store = TestStore::new(keep_epochs(10));
    assert!(store.clock.pin_latest(0).is_none());
    assert_eq!(store.clock.pin(1, 0).map(|pin| pin.epoch()), Err(NotReadable::Unknown { latest: None }));
    for epoch in 1..=50 {
        assert_eq!(store.apply(epoch, (0..100).map(|key| put(key, epoch)).collect(), Vec::new()), 0);
    }
    // When the last is published.
    store.publish(50, 0);
    // Then it alone is readable, and history begins after it.
    assert_eq!((store.clock.oldest_readable(), store.rows.stats().undo_entries), (Some(50), 0));
    let pin = store.clock.pin_latest(0).expect("an epoch is published");
    store.epoch(51, vec![cut(3)]);
    assert_eq!(store.rows.stats().undo_entries, 1);
    assert_eq!(store.rows.get(&3, 50).map(|row| row.value), Some(50));
    assert_eq!(store.rows.get(&3, 51), None);
    // When the store is emptied for another replay.
    store.clock.expire_all();
    // Then no reader is left in the dark, and the old history goes.
    assert!(!pin.is_valid() && store.clock.pin_latest(0).is_none() && store.clock.oldest_readable().is_none());
    assert_eq!(store.apply(52, vec![put(3, 52)], Vec::new()), 0);
    store.publish(52, 0);
    assert_eq!((store.clock.oldest_readable(), store.rows.stats().undo_entries), (Some(52), 0));
    store.rows.check();
}

#[test]
fn a_queue_gives_back_the_chunks_it_has_left() {
    // Given a queue: rows come at the end and go at the front.
    let store = TestStore::new(keep_epochs(10));
    let (per_epoch, waiting) = (100, 10_000_u64);
    let mut chunks_max = 0;
    for epoch in 1..=3_000 {
        let end: u64 = epoch * per_epoch;
        let gone = end.saturating_sub(waiting);
        // When three hundred thousand have passed.
        let left = gone.saturating_sub(per_epoch)..gone;
        store.epoch(epoch, (end..end + per_epoch).map(|key| put(key, epoch)).chain(left.map(cut)).collect());
        chunks_max = chunks_max.max(store.rows.stats().chunks);
    }
    // Then there never were more chunks than the waiting rows need, give or take a few.
    assert!(chunks_max < 2 * waiting as usize / 64, "{chunks_max}");
    store.rows.check();
}

#[test]
fn one_hot_key_does_not_slow_its_neighbours() {
    // Given rows of which one changes in every epoch.
    let store = TestStore::new(keep_epochs(5_000));
    store.epoch(1, (0..64).map(|key| put(key, 1)).collect());
    for epoch in 2..=4_000 {
        store.epoch(epoch, vec![put(31, epoch)]);
    }
    // When its history is long.
    assert_eq!(store.rows.stats().undo_entries, 3_999);
    // Then it is alone, with one chunk on each side.
    assert_eq!(store.rows.stats().chunks, 3);
    for at in [1, 2, 1_999, 4_000] {
        assert_eq!(store.rows.get(&31, at).map(|row| row.value), Some(at));
        assert_eq!(store.rows.get(&32, at).map(|row| row.value), Some(1));
    }
    store.rows.check();
}
