//! The store against plain maps: random epochs, points and scans at every readable epoch.
//! Not for threads, nor for when history goes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::{Random, TestStore, keep_epochs};
use crate::store::{Change, Epoch, NotReadable, Pin, Rows};

type Model = BTreeMap<u64, u64>;

const WINDOW: usize = 24;
const EPOCHS: u64 = 400;

/// The keys and values of a scan.
fn plain<K>(rows: Rows<'_, K, super::Row>) -> Vec<(K, u64)>
where
    K: Ord + Clone,
{
    rows.map(|(key, row)| (key, row.value)).collect()
}

/// Changes of an epoch to a model, and the same for both views.
struct Batch {
    model: Model,
    rows: Vec<Change<u64, super::Row>>,
    by_value: Vec<Change<(u64, u64), super::Row>>,
}

impl Batch {
    fn new(model: &Model) -> Self {
        Self { model: model.clone(), rows: Vec::new(), by_value: Vec::new() }
    }

    fn change(&mut self, key: u64, value: Option<u64>) {
        let before = match value {
            Some(value) => self.model.insert(key, value),
            None => self.model.remove(&key),
        };
        let row = value.map(|value| Arc::new(super::Row { value }));
        if before != value {
            self.by_value.extend(before.map(|before| ((before, key), None)));
        }
        self.by_value.extend(value.map(|value| ((value, key), row.clone())));
        self.rows.push((key, row));
    }
}

/// One epoch: phases of growth, decay, heat on few keys, and appending alternate.
fn random_batch(random: &mut Random, epoch: Epoch, keys: u64, model: &Model) -> Batch {
    let mut batch = Batch::new(model);
    let changes = if random.below(10) == 0 { 0 } else { 1 + random.below(200) };
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..changes {
        let (key, removes_percent) = match epoch / 40 % 5 {
            0 => (random.below(keys), 10),
            1 => (random.below(keys), 85),
            2 => (random.below(5) * keys / 5, 20),
            3 => (keys + epoch * 1000 + random.below(1000), 0),
            _ => (model.iter().nth(random.below(300) as usize).map_or(0, |(key, _)| *key), 95),
        };
        if seen.insert(key) {
            let value = (random.below(100) >= removes_percent).then(|| random.below(50));
            batch.change(key, value);
        }
    }
    batch
}

fn random_bound(random: &mut Random, model: &Model, keys: u64) -> Bound<u64> {
    let end = model.last_key_value().map_or(keys, |(key, _)| key + 2);
    match random.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(random.below(end)),
        _ => Bound::Excluded(random.below(end)),
    }
}

/// Compares points and scans of both views, both ways, with the model of an epoch.
fn compare(random: &mut Random, store: &TestStore, at: Epoch, keys: u64, model: &Model) {
    for _ in 0..20 {
        let key = random.below(keys * 2);
        let value = store.rows.get(&key, at).map(|row| row.value);
        assert_eq!(value, model.get(&key).copied(), "key {key} at {at}");
    }
    let bounds = (random_bound(random, model, keys), random_bound(random, model, keys));
    let limit = if random.below(2) == 0 { usize::MAX } else { random.below(100) as usize };
    let within: Vec<_> =
        model.iter().map(|(key, value)| (*key, *value)).filter(|(key, _)| holds(bounds, *key)).collect();
    let up: Vec<_> = within.iter().copied().take(limit).collect();
    let down: Vec<_> = within.iter().rev().copied().take(limit).collect();
    assert_eq!(plain(store.rows.range(bounds, at).limit(limit)), up, "{bounds:?} at {at}");
    assert_eq!(plain(store.rows.range_rev(bounds, at).limit(limit)), down, "{bounds:?} at {at}, reverse");

    let value = random.below(50);
    let mut with_value: Vec<_> =
        model.iter().filter(|(_, found)| **found == value).map(|(key, value)| ((*value, *key), *value)).collect();
    assert_eq!(plain(store.by_value.range((value, 0)..(value + 1, 0), at)), with_value);
    with_value.reverse();
    assert_eq!(plain(store.by_value.range_rev((value, 0)..(value + 1, 0), at)), with_value);
}

fn holds(bounds: (Bound<u64>, Bound<u64>), key: u64) -> bool {
    std::ops::RangeBounds::contains(&bounds, &key)
}

#[test]
fn every_readable_epoch_equals_its_model() {
    Random::each(0..12, |random| {
        // Given a store with a short window, and readers that hold epochs far outside it.
        let store = TestStore::new(keep_epochs(WINDOW));
        let keys = *random.pick(&[50, 700, 5_000]);
        let mut window: VecDeque<(Epoch, Model)> = VecDeque::new();
        let mut held: Vec<(Pin<u64>, Model)> = Vec::new();
        let mut model = Model::new();
        for epoch in 1..=EPOCHS {
            // When an epoch is applied, and before it is published,
            let batch = random_batch(random, epoch, keys, &model);
            let undo_bytes = store.apply(epoch, batch.rows, batch.by_value);
            if let Some((at, model)) = window.back() {
                compare(random, &store, *at, keys, model);
            }
            store.publish(epoch, undo_bytes);
            model = batch.model;
            window.push_back((epoch, model.clone()));
            if window.len() > WINDOW {
                window.pop_front();
            }
            // Then every epoch in the window and every held one reads as it was.
            let floor = window[0].0;
            assert_eq!((store.clock.oldest_readable(), store.clock.latest()), (Some(floor), Some(epoch)));
            let (at, model) = &window[random.below(window.len() as u64) as usize];
            let pin = store.clock.pin(*at, store.now_ms).expect("it is in the window");
            assert_eq!((**pin.info(), pin.is_valid()), (at * 10, true));
            compare(random, &store, pin.epoch(), keys, model);
            compare(random, &store, epoch, keys, &window[window.len() - 1].1);
            for (pin, model) in &held {
                compare(random, &store, pin.epoch(), keys, model);
                assert!(pin.is_valid());
            }
            if random.below(20) == 0 {
                held.push((pin, model.clone()));
            }
            if held.len() > 3 || random.below(60) == 0 && !held.is_empty() {
                held.swap_remove(random.below(held.len() as u64) as usize);
            }
            if floor > 1 {
                let forgotten = store.clock.pin(floor - 1, store.now_ms).map(|pin| pin.epoch());
                assert_eq!(forgotten, Err(NotReadable::Forgotten { floor }));
            }
            store.rows.check();
            store.by_value.check();
        }
    });
}

#[test]
fn keys_are_looked_up_as_they_are_borrowed() {
    // Given rows by name, enough for several chunks.
    let clock = crate::store::EpochWindow::new(keep_epochs(2));
    let view = crate::store::View::<String, u64>::new(|_| 8);
    let name = |n: u64| format!("name {n:04}");
    let mut changes = (0..500).map(|n| (name(n), Some(Arc::new(n)))).collect();
    // When they are published.
    let undo_bytes = view.apply(clock.step(1), &mut changes);
    clock.publish(crate::store::PublishedEpoch { epoch: 1, info: (), undo_bytes, now_ms: 0 });
    // Then a borrowed name finds them.
    assert_eq!(view.get("name 0321", 1).as_deref(), Some(&321));
    assert_eq!(view.get("name", 1), None);
    assert!(changes.is_empty() && changes.capacity() >= 500);
}
