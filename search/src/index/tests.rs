//! The index against the products that it was fed: after any changes, after a power cut at any write, after a disk that
//! was full, from a checkpoint or from the start of the log, and in the wrong folder.

use super::batch::{Batch, BatchQueue};
use super::fake_disk::Twin;
use super::indexer::Indexer;
use super::open::{Mark, Open};
use super::snapshot_cache::SnapshotCache;
use super::storage::IndexStorage;
use super::{IndexSink, open, open_at};
use crate::Error;
use crate::config::Config;
use crate::document::Fields;
use crate::testing::{Random, Shop, for_each_seed, order, product};
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::Epoch;
use dataflows::ports::Sink;
use dataflows::ports::product_search::EpochUnavailable;
use dataflows::shop::catalogue::Product;
use dataflows::shop::orders::OrderStatus;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const IDS: u64 = 12;
const WAIT: Duration = Duration::from_secs(60);

/// An index that is written on the test's own thread.
struct Env {
    indexer: Indexer,
    shelf: Arc<SnapshotCache>,
    waiting: BatchQueue,
    resumed: Epoch,
}

impl Env {
    fn open(twin: &Twin, log_end: Epoch) -> Result<Env, Error> {
        Env::open_with(twin, log_end, Config { progress_ms: 0, ..Config::default() })
    }

    fn open_with(twin: &Twin, log_end: Epoch, config: Config) -> Result<Env, Error> {
        let fields = Fields::new();
        let (open, mark) = Open::at(twin, &fields, config.writer_bytes)?;
        let shelf = Arc::new(SnapshotCache::new(8, WAIT, config.older_bytes_max));
        let resumed = mark.as_ref().map_or(Epoch(0), |mark| mark.epoch);
        let is_ahead = resumed > log_end;
        let home: Box<dyn IndexStorage> = Box::new(twin.clone());
        let mut indexer = Indexer::new(config, home, fields, Arc::clone(&shelf), Some(open), mark);
        if is_ahead {
            indexer.forget();
        }
        let waiting = BatchQueue::new(if is_ahead { Epoch(0) } else { resumed }, 4, 2, usize::MAX);
        Ok(Env { indexer, shelf, waiting, resumed })
    }

    fn apply(&mut self, changes: &Changes) -> Result<(), Error> {
        self.waiting.add(changes);
        let batch = self.waiting.take().unwrap_or_default();
        self.take(batch)
    }

    fn take(&mut self, batch: Batch) -> Result<(), Error> {
        self.indexer.take(batch);
        self.indexer.write(false)
    }
}

/// The products of the newest snapshot: each once, or the test ends here.
fn held(shelf: &SnapshotCache, epoch: Epoch) -> BTreeMap<String, Product> {
    let (shelved, _) = shelf.newest(epoch, WAIT).unwrap();
    let snapshot = &shelved.snapshot;
    let mut held = BTreeMap::new();
    for (at, segment) in snapshot.segments.iter().enumerate() {
        for doc in segment.reader.doc_ids_alive() {
            let product = Product::clone(&snapshot.listed(at, doc).unwrap().product);
            let before = held.insert(product.product_id.to_string(), product);
            assert!(before.is_none(), "{before:?} is there twice");
        }
    }
    assert_eq!(snapshot.products, held.len() as u64);
    held
}

fn listed(shop: &Shop) -> BTreeMap<String, Product> {
    let rows = shop.products.values().filter(|row| !row.archived);
    rows.map(|row| (row.product_id.to_string(), Product::clone(row))).collect()
}

/// Epochs, with the shop after each.
fn epochs(seed: u64, count: usize) -> Vec<(Arc<Changes>, Shop)> {
    let (mut random, mut shop) = (Random(seed), Shop::default());
    (0..count).map(|_| (shop.next(&mut random, IDS), shop.clone())).collect()
}

#[test]
fn the_index_holds_what_the_catalogue_lists_at_every_epoch() {
    for_each_seed(4, |seed| {
        let mut env = Env::open(&Twin::sound(), Epoch(0)).unwrap();
        for (changes, shop) in epochs(seed, 60) {
            env.apply(&changes).unwrap();
            assert_eq!(held(&env.shelf, changes.epoch()), listed(&shop), "epoch {}", changes.epoch());
        }
    });
}

#[test]
fn a_power_cut_at_any_write_loses_and_doubles_nothing() {
    for_each_seed(2, |seed| {
        let epochs = epochs(seed, 6);
        let (last, shop) = epochs.last().unwrap();
        let mut cuts = 0;
        for writes in 0.. {
            let twin = Twin::with(writes);
            let written = run_until_cut(&twin, &epochs);
            if !twin.has_failed() {
                break;
            }
            cuts += 1;
            // Every second time the log was cut at a checkpoint, so the state comes first.
            let base = (writes % 2 == 1).then_some(3);
            let mut env = Env::open(&twin.restarted(), last.epoch()).unwrap();
            assert!(env.resumed >= written, "what was committed stays: {} after {written}", env.resumed);
            let from = base.map_or(0, |base: usize| base + 1);
            if let Some(base) = base {
                env.apply(&epochs[base].1.base()).unwrap();
            }
            for (changes, _) in &epochs[from..] {
                env.apply(changes).unwrap();
            }
            assert_eq!(held(&env.shelf, last.epoch()), listed(shop), "after {writes} writes");
        }
        assert!(cuts > 60, "only {cuts} writes were cut off");
    });
}

/// Runs until the first failure; returns the epoch that was committed last.
fn run_until_cut(twin: &Twin, epochs: &[(Arc<Changes>, Shop)]) -> Epoch {
    let mut written = Epoch(0);
    let Ok(mut env) = Env::open(twin, Epoch(0)) else { return written };
    for (changes, _) in epochs {
        if env.apply(changes).is_err() {
            return written;
        }
        written = changes.epoch();
    }
    written
}

#[test]
fn a_disk_that_was_full_is_written_when_it_has_room_again() {
    for_each_seed(2, |seed| {
        let epochs = epochs(seed, 12);
        for writes in (8..120).step_by(7) {
            let twin = Twin::with(writes);
            let Ok(mut env) = Env::open(&twin, Epoch(0)) else { continue };
            for (changes, shop) in &epochs {
                if env.apply(changes).is_err() {
                    env.indexer.close();
                    twin.heal();
                    env.indexer.write(false).unwrap();
                }
                assert_eq!(held(&env.shelf, changes.epoch()), listed(shop), "after {writes} writes");
            }
        }
    });
}

#[test]
fn a_restart_goes_on_from_the_epoch_of_the_last_commit() {
    let epochs = epochs(7, 20);
    let twin = Twin::sound();
    let (before, after) = epochs.split_at(10);
    let mut env = Env::open(&twin, Epoch(0)).unwrap();
    before.iter().for_each(|(changes, _)| env.apply(changes).unwrap());
    drop(env);

    let mut env = Env::open(&twin.restarted(), Epoch(10)).unwrap();
    assert_eq!(env.resumed, Epoch(10));
    for (changes, _) in &before[..9] {
        env.apply(changes).unwrap();
        assert!(env.shelf.newest(Epoch(0), Duration::ZERO).is_err(), "nothing is answered for older epochs");
    }
    env.apply(&before[9].0).unwrap();
    assert_eq!(held(&env.shelf, Epoch(10)), listed(&before[9].1));
    for (changes, shop) in after {
        env.apply(changes).unwrap();
        assert_eq!(held(&env.shelf, changes.epoch()), listed(shop));
    }
}

#[test]
fn an_index_of_another_log_is_made_anew() {
    let (ours, others) = (epochs(1, 10), epochs(2, 10));
    for others in [&others[..4], &others[..]] {
        let twin = Twin::sound();
        let mut env = Env::open(&twin, Epoch(0)).unwrap();
        others.iter().for_each(|(changes, _)| env.apply(changes).unwrap());
        drop(env);
        for (end, from) in [(10, 0), (6, 0), (10, 7)] {
            let mut env = Env::open(&twin.restarted(), Epoch(end)).unwrap();
            if from > 0 {
                env.apply(&ours[from - 1].1.base()).unwrap();
            }
            ours[from..].iter().for_each(|(changes, _)| env.apply(changes).unwrap());
            assert_eq!(held(&env.shelf, Epoch(10)), listed(&ours[9].1), "end {end}, from {from}");
        }
    }
}

#[test]
fn what_is_sold_counts_until_it_comes_back_also_after_a_restart() {
    use OrderStatus::{Cancelled, Paid, PartlyReturned, PendingPayment};
    let (mut shop, mut random) = (Shop::default(), Random(1));
    let products = (0..3).map(|id| Product { archived: false, ..product(&mut random, id) });
    let mut epochs = vec![shop.put(products.collect())];
    let placed = order("o1", PendingPayment, "sku-0-0", 100, 0);
    let paid = order("o1", Paid, "sku-0-0", 100, 0);
    epochs.push(shop.order(None, placed.clone()));
    epochs.push(shop.order(Some(placed), paid.clone()));
    epochs.push(shop.order(Some(paid), order("o1", PartlyReturned, "sku-0-0", 100, 97)));
    epochs.push(shop.order(None, order("o2", Paid, "sku-1-0", 7, 0)));
    let in_half = shop.clone();
    epochs.push(shop.order(Some(order("o2", Paid, "sku-1-0", 7, 0)), order("o2", Cancelled, "sku-1-0", 7, 0)));
    let sold = |shelf: &SnapshotCache, epoch| -> Vec<u64> {
        let (shelved, _) = shelf.newest(Epoch(epoch), WAIT).unwrap();
        let snapshot = &shelved.snapshot;
        let docs = snapshot
            .segments
            .iter()
            .enumerate()
            .flat_map(|(at, segment)| segment.reader.doc_ids_alive().map(move |doc| (at, doc)).collect::<Vec<_>>());
        let sold = docs.filter_map(|(at, doc)| snapshot.listed(at, doc));
        sold.map(|listed| (listed.product.product_id.clone(), listed.sold))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    };
    let expected = [[0, 0, 0], [0, 0, 0], [100, 0, 0], [3, 0, 0], [3, 7, 0], [3, 0, 0]];
    let twin = Twin::sound();
    let mut env = Env::open(&twin, Epoch(0)).unwrap();
    for (changes, expected) in epochs.iter().zip(expected) {
        env.apply(changes).unwrap();
        assert_eq!(sold(&env.shelf, changes.epoch().0), expected);
    }
    drop(env);
    let mut env = Env::open(&twin.restarted(), Epoch(6)).unwrap();
    env.apply(&in_half.base()).unwrap();
    env.apply(&epochs[5]).unwrap();
    assert_eq!((env.resumed, sold(&env.shelf, 6)), (Epoch(6), vec![3, 0, 0]));
}

#[test]
fn an_index_of_another_form_is_made_anew() {
    let (twin, fields) = (Twin::sound(), Fields::new());
    let (mut open, _) = Open::at(&twin, &fields, 32 << 20).unwrap();
    let mark = Mark::of(Epoch(5), 1);
    open.commit(&Mark { format: mark.format + 1, ..mark.clone() }).unwrap();
    drop(open);
    let (mut open, found) = Open::at(&twin, &fields, 32 << 20).unwrap();
    assert_eq!(found, None);
    open.commit(&mark).unwrap();
    drop(open);
    assert_eq!(Open::at(&twin, &fields, 32 << 20).unwrap().1, Some(mark));
}

#[test]
fn the_sink_feeds_the_thread_and_drops_when_all_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut shop, mut random) = (Shop::default(), Random(3));
    let config = Config { commit_changes_max: 3, commits_waiting_max: 2, ..Config::default() };
    let (mut sink, shelf): (IndexSink, _) = super::open(&config, folder.path(), Epoch(0)).unwrap();
    for _ in 0..200 {
        let changes = shop.next(&mut random, IDS);
        sink.apply(&changes);
        sink.apply(&changes);
    }
    assert_eq!(held(&shelf, Epoch(200)), listed(&shop));
    drop(sink);
    let standing = shelf.standing();
    assert_eq!((standing.epoch, standing.stalled), (Epoch(200), None));
    assert!(standing.bytes > 0 && standing.products == listed(&shop).len() as u64);
    let (_, mark) = Open::at(&super::Folder(folder.path().to_owned()), &Fields::new(), 32 << 20).unwrap();
    assert_eq!(mark.map(|mark| mark.epoch), Some(Epoch(200)));
}

#[test]
fn a_snapshot_that_a_next_page_wants_stays_and_others_do_not() {
    let twin = Twin::sound();
    let config = Config { older_max: 1, ..Config::default() };
    let (mut sink, shelf) = open_at(&config, Box::new(twin), Epoch(0)).unwrap();
    let (mut shop, mut random) = (Shop::default(), Random(1));
    let mut put = |epoch: u64| {
        sink.apply(&shop.put(vec![product(&mut random, epoch)]));
        shelf.newest(Epoch(epoch), WAIT).unwrap()
    };
    let (first, epoch) = put(1);
    assert_eq!(epoch, Epoch(1));
    put(2);
    assert_eq!(
        shelf.at(Epoch(1), WAIT).err(),
        Some(EpochUnavailable::Forgotten { newest: Epoch(2) }),
        "nobody wanted it"
    );
    drop(first);
    shelf.at(Epoch(2), WAIT).unwrap().keep_for_paging();
    put(3);
    assert!(shelf.at(Epoch(2), WAIT).is_ok());
    shelf.at(Epoch(3), WAIT).unwrap().keep_for_paging();
    put(4);
    assert_eq!(shelf.at(Epoch(2), WAIT).err(), Some(EpochUnavailable::Forgotten { newest: Epoch(4) }), "one is kept");
    assert!(shelf.at(Epoch(3), WAIT).is_ok());
    let short = Duration::from_millis(1);
    assert_eq!(shelf.at(Epoch(5), short).err(), Some(EpochUnavailable::NotYet { newest: Epoch(4) }));
}

#[test]
fn an_index_of_which_a_power_cut_left_a_part_is_made_anew() {
    let (mut shop, mut random) = (Shop::default(), Random(9));
    let epochs: Vec<_> = (0..6).map(|_| shop.put((0..3).map(|_| product(&mut random, 5)).take(1).collect())).collect();
    let written = tempfile::tempdir().unwrap();
    let fed = |folder: &std::path::Path, end| {
        let (mut sink, shelf): (IndexSink, _) = super::open(&Config::default(), folder, Epoch(end)).unwrap();
        epochs.iter().for_each(|changes| sink.apply(changes));
        held(&shelf, Epoch(6))
    };
    assert_eq!(fed(written.path(), 0), listed(&shop));
    let names: Vec<_> = std::fs::read_dir(written.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.clear(),
        |bytes| {
            let middle = bytes.len() / 2;
            bytes.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
        },
    ];
    for name in names.iter().filter(|name| !name.to_string_lossy().ends_with(".lock")) {
        for damage in damages {
            let folder = tempfile::tempdir().unwrap();
            for file in &names {
                std::fs::copy(written.path().join(file), folder.path().join(file)).unwrap();
            }
            let mut bytes = std::fs::read(folder.path().join(name)).unwrap();
            damage(&mut bytes);
            std::fs::write(folder.path().join(name), bytes).unwrap();
            assert_eq!(fed(folder.path(), 6), listed(&shop), "{name:?}");
        }
    }
}

#[test]
fn products_as_they_were_are_kept_for_next_pages_by_their_bytes() {
    let config = Config { progress_ms: 0, older_bytes_max: 50_000, ..Config::default() };
    let mut env = Env::open_with(&Twin::sound(), Epoch(0), config).unwrap();
    let (mut shop, mut rows) = (Shop::default(), Vec::new());
    for epoch in 1..=40 {
        let description = Some("x ".repeat(5_000 + epoch).into());
        let row = Product { description, archived: false, ..product(&mut Random(1), 1) };
        env.apply(&shop.put(vec![row])).unwrap();
        rows.push(Arc::downgrade(&shop.products["p1"]));
        // A next page of each is wanted.
        env.shelf.newest(Epoch(epoch as u64), WAIT).unwrap().0.keep_for_paging();
    }
    let kept = rows.iter().filter(|row| row.strong_count() > 0).count();
    // 50,000 bytes for next pages, as much again in segments, and the newest.
    assert!((5..=12).contains(&kept), "{kept} versions are kept");
    assert!(env.shelf.at(Epoch(38), Duration::ZERO).is_ok(), "the page before can be asked for");
    assert!(env.shelf.at(Epoch(20), Duration::ZERO).is_err());
    assert_eq!(held(&env.shelf, Epoch(40)), listed(&shop));
}

#[test]
fn an_index_that_cannot_be_opened_stands_still_and_is_made_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("search");
    // A file where the folder has to be.
    std::fs::write(&at, b"in the way").unwrap();
    let config = Config { progress_ms: 1, retry_ms: 1, ..Config::default() };
    let (mut sink, shelf) = open(&config, &at, Epoch(0)).unwrap();
    assert!(shelf.standing().stalled.is_some());
    let (mut random, mut shop) = (Random(3), Shop::default());
    (0..30).for_each(|_| sink.apply(&shop.next(&mut random, IDS)));
    assert!(shelf.newest(Epoch(1), Duration::from_millis(20)).is_err());
    std::fs::remove_file(&at).unwrap();
    assert_eq!(held(&shelf, Epoch(30)), listed(&shop));
    // The shelf has the epoch a moment before the thread reports that nothing is stalled.
    let until = Instant::now() + Duration::from_secs(60);
    while shelf.standing().stalled.is_some() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!(shelf.standing().stalled, None);
}
