//! Parts of the store on their own: the directory against a map, and how a large view is freed.
//! Not for what readers see.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Random, TestStore, cut, keep_epochs, put};
use crate::store::directory::Directory;

#[test]
fn the_directory_leads_where_a_map_does() {
    Random::each(0..6, |random| {
        // Given a directory, and old copies of it that stay in use.
        let mut old = Vec::new();
        let mut directory = Arc::new(Directory::new(0));
        let mut model = BTreeMap::from([(0, 0)]);
        for round in 0..60_000 {
            // When entries are added and removed, more of the one, then of the other,
            let start = if random.below(3) == 0 { round } else { 1 + random.below(20_000) };
            let removes = random.below(10) < if round / 10_000 % 2 == 0 { 2 } else { 8 };
            let next = model.range(start..).next().map(|(start, _)| *start);
            let last = model.last_key_value().map(|(start, _)| *start);
            match next {
                Some(start) if removes && start > 0 && next != last => {
                    Directory::remove(&mut directory, &start);
                    let next = model.range(start + 1..).next().map(|(start, _)| *start);
                    let heir = next.and_then(|next| model.remove(&next)).expect("it was not the last");
                    model.insert(start, heir);
                }
                _ if start > 0 && !model.contains_key(&start) => {
                    Directory::insert(&mut directory, start, round);
                    model.insert(start, round);
                }
                _ => {}
            }
            // Then every key leads to the entry that starts at or before it.
            let key = random.below(21_000);
            assert_eq!(Some(directory.find(&key)), model.range(..=key).next_back().map(|(_, entry)| entry));
            let below = model.range(..key).next_back().or(model.first_key_value());
            assert_eq!(Some(directory.last(Bound::Excluded(&key))), below.map(|(_, entry)| entry));
            if round % 5_000 == 0 {
                old.push((Arc::clone(&directory), model.clone()));
            }
        }
        // And every old copy is as it was.
        for (directory, model) in old {
            let entries = directory.entries().into_iter().map(|(start, entry)| (start.unwrap_or(0), entry));
            assert_eq!(entries.collect::<BTreeMap<_, _>>(), model);
        }
        assert_eq!(Some(directory.first()), model.first_key_value().map(|(_, entry)| entry));
    });
}

#[test]
fn a_large_view_is_freed_on_a_small_stack() {
    // Given a list of thousands of chunks, and a scan that holds on to chunks long merged away.
    let store = TestStore::new(keep_epochs(1));
    let rows = 400_000;
    store.epoch(1, (0..rows).map(|key| put(key, key)).collect());
    assert!(store.rows.stats().chunks > 6_000);
    let mut scan = store.rows.range(64.., 1);
    assert!(scan.next().is_some());
    // When most of them are merged away one after another.
    store.epoch(2, (0..rows * 3 / 4).map(cut).collect());
    for epoch in 3..6_000 {
        store.epoch(epoch, Vec::new());
    }
    assert!(store.rows.stats().chunks < 2_500);
    // Then neither the scan's end nor the view's overflows a thread's small stack.
    let drops = |name: &str| std::thread::Builder::new().name(name.to_owned()).stack_size(32 << 10);
    std::thread::scope(|scope| {
        drops("scan").spawn_scoped(scope, || drop(scan)).expect("a thread starts");
    });
    drops("view").spawn(move || drop(store)).expect("a thread starts").join().expect("no overflow");
}
