//! The exporter against a shop made from a seed: every row once, whatever crashed; the same bytes whenever written again.

use super::{Config, Exporter};
use crate::Error;
use crate::delta::CHECKPOINT_COMMITS;
use crate::input::{ChangeInput, EpochInput, EventInput};
use crate::schema::{Cell, Row};
use crate::table_store::TableStore;
use crate::tables::{FACTS, row};
use crate::testing::concurrent_writer::ConcurrentWriter;
use crate::testing::flaky::{Death, Flaky};
use crate::testing::home::{Home, Where};
use crate::testing::readers;
use crate::testing::shop::{Numbers, Shop};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use serde_json::json;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const CONFIG: Config = Config {
    commit_s: 30,
    commit_rows: 40,
    commit_bytes: 1 << 20,
    commit_partitions: 1_000,
    current_rows: 7,
    compact_files: 0,
    grace_current_s: 3_600,
    grace_s: 604_800,
    log_days: 30,
};

/// The same, and much is merged and deleted.
const TIDY: Config = Config { compact_files: 3, grace_current_s: 30, grace_s: 60, log_days: 0, ..CONFIG };

pub(super) fn epochs(seed: u64, count: usize) -> (Shop, Vec<EpochInput>) {
    let mut shop = Shop::new(seed);
    let epochs = (0..count).map(|_| shop.next()).collect();
    (shop, epochs)
}

pub(super) const PLACES: [Where; 2] = [Where::Folder, Where::Objects];

/// Takes what the tables do not hold, up to the end or to the first error.
pub(super) fn export(place: Arc<dyn TableStore>, config: Config, epochs: &[EpochInput]) -> Result<Exporter, Error> {
    let mut exporter = Exporter::open(place, config)?;
    let after = exporter.committed().0 as usize;
    for input in &epochs[after..] {
        exporter.take(input)?;
    }
    Ok(exporter)
}

/// The rows of a table by its log.
pub(super) fn rows_of(exporter: &Exporter, name: &str) -> Vec<Row> {
    let table = exporter.tables().find(|table| table.schema().table == name).unwrap();
    let mut rows: Vec<Row> = table.state().adds.keys().flat_map(|path| table.read_rows(path).unwrap()).collect();
    rows.sort();
    rows
}

/// What the tables must hold, written again from the input alone.
fn assert_holds_all(exporter: &Exporter, epochs: &[EpochInput], name: &str) {
    let last = exporter.committed();
    let committed = || epochs.iter().filter(|input| input.epoch <= last);
    for fact in FACTS {
        let mut expected = Vec::new();
        for input in committed() {
            for event in &input.events {
                let data = str::from_utf8(&event.data).unwrap();
                let event =
                    crate::tables::Event { epoch: input.epoch, n: event.n, name: &event.name, key: &event.key, data };
                (fact.rows)(&event, &mut expected).unwrap();
            }
        }
        let mut expected: Vec<Row> = expected.into_iter().map(|(_, row)| row).collect();
        expected.sort();
        assert_eq!(rows_of(exporter, fact.name), expected, "{name}: {}", fact.name);
    }
    for view in [View::Orders, View::Stock] {
        let (mut now, mut sums) = (BTreeMap::new(), BTreeMap::<Row, i64>::new());
        for change in committed().flat_map(|input| &input.changes).filter(|change| change.view == view) {
            match &change.value {
                Some(value) => now.insert(change.key.clone(), row(view, &change.key, value).unwrap()),
                None => now.remove(&change.key),
            };
        }
        let expected: Vec<Row> = now.into_values().collect();
        assert_eq!(rows_of(exporter, &format!("{}_current", view.name())), expected, "{name}: {}", view.name());
        for mut row in rows_of(exporter, &format!("{}_changes", view.name())) {
            let Cell::Number(diff) = row.remove(1) else { panic!("{name}: a change has a diff") };
            row.remove(1);
            *sums.entry(row).or_default() += diff;
        }
        sums.retain(|_, sum| *sum != 0);
        let expected: BTreeMap<Row, i64> = expected.into_iter().map(|row| (row, 1)).collect();
        assert_eq!(sums, expected, "{name}: the changes of {} add up to its rows", view.name());
    }
}

#[test]
fn every_row_stands_once_in_the_table_where_it_belongs() {
    // Given a shop, when its epochs are exported, then the tables hold what the input says, and more than one file each.
    for at in PLACES {
        let home = Home::new(at);
        let (shop, epochs) = epochs(11, 300);
        let exporter = export(home.place(), Config { commit_s: 10, ..CONFIG }, &epochs).unwrap();
        assert_holds_all(&exporter, &epochs, "plain");
        assert!(!shop.rows.is_empty() && exporter.committed() > Epoch(280), "{:?}", exporter.committed());
        let table = |name: &str| exporter.tables().find(|table| table.schema().table == name).unwrap();
        let files = |name: &str| table(name).state().adds.len();
        assert!(files("stock_movements") > 5 && files("orders_current") > 5 && files("orders_changes") > 5);
        assert!(exporter.tables().any(|table| table.version() > 50), "a checkpoint was written");
    }
}

#[test]
fn opened_again_it_goes_on_and_writes_the_same_bytes() {
    // Given tables written in one go, and others written by a process that was opened again after every epoch.
    let homes =
        [Home::new(Where::Folder), Home::new(Where::Folder), Home::new(Where::Objects), Home::new(Where::Objects)];
    let (_, epochs) = epochs(12, 60);
    for (n, home) in homes.iter().enumerate() {
        for end in if n % 2 == 0 { epochs.len() } else { 1 }..=epochs.len() {
            export(home.place(), TIDY, &epochs[..end]).unwrap();
        }
    }
    // Then every file has the same bytes, wherever it is: data, commits, checkpoints.
    let [first, others @ ..] = homes;
    let exporter = Exporter::open(first.place(), TIDY).unwrap();
    let (table, files) = (exporter.tables().find(|table| table.schema().table == "stock_current"), first.files());
    assert!(table.unwrap().state().removes.keys().any(|path| !files.contains_key(&format!("stock_current/{path}"))));
    assert!(files.keys().any(|path| path.starts_with("events/date=2026-01-02/events-merged-")));
    let first = first.files();
    assert!(others.iter().all(|home| home.files() == first));
}

#[test]
fn a_crash_at_any_step_leaves_no_gap_and_no_overlap() {
    // Given the bytes of a run that never stopped.
    let home = Home::new(Where::Folder);
    let (_, epochs) = epochs(13, 60);
    export(home.place(), TIDY, &epochs).unwrap();
    let whole = home.files();
    let seed = std::env::var("TRADEWIND_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(14);
    let mut numbers = Numbers(seed);
    for (at, death) in PLACES.into_iter().flat_map(|at| Death::ALL.map(|death| (at, death))) {
        // When the process dies at a step, and again some steps after each start, until it comes through.
        let home = Home::new(at);
        let mut deaths = 0;
        loop {
            // An object takes one step where a file takes two.
            let steps = numbers.below(if at == Where::Folder { 90 } else { 45 }) as usize;
            let place = Arc::new(Flaky::new(&home, steps, death));
            let died = match export(place, TIDY, &epochs) {
                Ok(_) => break,
                Err(error) => error,
            };
            assert!(matches!(died, Error::Io { .. }), "seed {seed}: {died}");
            deaths += 1;
            assert!(deaths < 2_000, "seed {seed}: it comes through");
        }
        // Then the files are those of the run that never stopped.
        let again = home.files();
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&again), names(&whole), "seed {seed}, {at:?}, {death:?}, {deaths} deaths");
        assert!(again == whole, "seed {seed}, {at:?}, {death:?}: other bytes");
        assert!(deaths > 3, "seed {seed}, {at:?}, {death:?}: it died {deaths} times");
    }
}

#[test]
fn every_single_step_of_a_commit_may_be_the_last() {
    // Given new tables, when the process dies at each step of their first commits in turn, then it ends as if it had not.
    let (_, epochs) = epochs(15, 10);
    for at in PLACES {
        let (empty, home) = (Home::new(at), Home::new(at));
        Exporter::open(empty.place(), CONFIG).unwrap();
        let empty = empty.files();
        export(home.place(), CONFIG, &epochs).unwrap();
        let whole = home.files();
        // What is all or nothing is not done when it dies in its midst, and done when it dies in that of the next step.
        for step in 0.. {
            let home = Home::new(at);
            empty.iter().for_each(|(path, bytes)| home.place().put(path, bytes).unwrap());
            let came_through = export(Arc::new(Flaky::new(&home, step, Death::Midst)), CONFIG, &epochs).is_ok();
            export(home.place(), CONFIG, &epochs).unwrap();
            assert!(home.files() == whole, "{at:?}: at step {step}");
            if came_through {
                assert!(step > 10, "{at:?}: there were {step} steps");
                break;
            }
        }
    }
}

#[test]
fn other_limits_after_a_crash_leave_every_row_once() {
    // Given a crash between the tables of a commit, when files are cut otherwise from then on.
    let (_, epochs) = epochs(16, 80);
    for (at, steps) in PLACES.into_iter().flat_map(|at| (60..150).step_by(13).map(move |steps| (at, steps))) {
        let home = Home::new(at);
        let place = Arc::new(Flaky::new(&home, steps, Death::After));
        export(place, CONFIG, &epochs).err().unwrap();
        let config = Config { commit_s: 45, commit_rows: 70, ..CONFIG };
        let exporter = export(home.place(), config, &epochs).unwrap();
        // Then each row is there once by the log, and by the folder if nobody else may have written there.
        assert_holds_all(&exporter, &epochs, &format!("{at:?}, {steps} steps"));
        for table in exporter.tables().filter(|table| table.schema().is_dated && at == Where::Folder) {
            let mut found = table.data_files().unwrap();
            found.sort();
            assert_eq!(found, table.state().adds.keys().cloned().collect::<Vec<_>>(), "{steps} steps");
        }
    }
}

#[test]
fn two_writers_of_the_same_tables_hear_of_each_other_and_tear_nothing() {
    // Given an exporter, and another one that writes, merges and deletes what it takes for unneeded right before the
    // first one's commits.
    let (_, epochs) = epochs(23, 120);
    let home = Home::new(Where::Objects);
    let (place, others) = (home.place(), epochs.clone());
    let numbers = std::sync::Mutex::new(Numbers(24));
    let meddle = move || {
        let mut numbers = numbers.lock().unwrap();
        if numbers.below(12) > 0 {
            return;
        }
        let config = Config { commit_s: 1 + numbers.below(60) as u32, ..CONFIG };
        let mut other = Exporter::open(Arc::clone(&place), config).unwrap();
        let after = other.committed().0 as usize;
        others[after..].iter().find(|input| other.take(input).unwrap().is_some());
        other.compact().unwrap();
        other.vacuum(-1).unwrap();
    };
    let place = Arc::new(ConcurrentWriter { place: home.place(), meddle: Box::new(meddle) });
    let (mut raced, mut lost) = (0, 0);
    // When it is opened again after every error.
    loop {
        match export(Arc::clone(&place) as Arc<dyn TableStore>, CONFIG, &epochs) {
            Ok(_) => break,
            Err(Error::Raced { .. }) => raced += 1,
            // The other one has deleted what was read before it was replaced.
            Err(Error::Io { doing: "reading", .. }) => lost += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(raced + lost < 1_000, "it comes through");
        // Then the tables are whole whenever they are looked at.
        assert_eq!(Exporter::open(home.place(), CONFIG).unwrap().verify(), [], "after {raced} races and {lost} losses");
    }
    let exporter = export(home.place(), CONFIG, &epochs).unwrap();
    assert_holds_all(&exporter, &epochs, "two writers");
    assert!(raced > 5, "there were {raced} races");
}

#[test]
fn a_table_whose_folder_was_removed_is_written_anew() {
    for at in PLACES {
        let home = Home::new(at);
        let (_, epochs) = epochs(17, 60);
        export(home.place(), CONFIG, &epochs).unwrap();
        let whole = home.files();
        ["payments", "stock_changes", "stock_current"].iter().for_each(|table| home.remove(table));
        assert_eq!(Exporter::open(home.place(), CONFIG).unwrap().committed(), Epoch(0), "all is read again");
        export(home.place(), CONFIG, &epochs).unwrap();
        assert!(home.files() == whole);
        // One table of a view alone cannot be made without the other.
        home.remove("stock_changes");
        assert!(matches!(Exporter::open(home.place(), CONFIG), Err(Error::Pair { .. })));
    }
}

#[test]
fn what_is_not_the_next_epoch_is_refused_and_what_is_held_passed_by() {
    let home = Home::new(Where::Folder);
    let (_, epochs) = epochs(18, 5);
    let mut exporter = Exporter::open(home.place(), CONFIG).unwrap();
    let gap = exporter.take(&epochs[1]).err().unwrap();
    assert_eq!(gap.to_string(), "the tables go on at epoch 1, and the input has 2");
    exporter.take(&epochs[0]).unwrap();
    assert_eq!(exporter.take(&epochs[0]).unwrap(), None);
    assert_eq!(exporter.next(), Epoch(2));
}

#[test]
fn a_record_that_is_not_of_its_shape_stops_the_export_by_name() {
    let home = Home::new(Where::Folder);
    let (_, mut epochs) = epochs(19, 30);
    let event = epochs.iter_mut().find_map(|input| input.events.first_mut()).unwrap();
    event.data = bytes::Bytes::from_static(br#"{"cause":7}"#);
    let error = export(home.place(), CONFIG, &epochs).err().unwrap().to_string();
    assert!(error.starts_with("event ") && error.contains(" 1 of epoch "), "{error}");
}

#[test]
fn readers_outside_see_the_same_rows() {
    if let Some(why) = readers::missing() {
        println!("SKIPPED: no Delta readers: {why}");
        return;
    }
    // Given tables with a checkpoint in their logs.
    let home = Home::new(Where::Folder);
    let root = home.path().unwrap();
    let (_, epochs) = epochs(20, 300);
    let exporter = export(home.place(), Config { commit_s: 10, ..CONFIG }, &epochs).unwrap();
    assert_holds_all(&exporter, &epochs, "before the readers");
    println!("{}", readers::compare(root, &exporter).unwrap());
    // When the commits before it are gone, then it speaks for them, to us and to others.
    let log = root.join("events/_delta_log");
    let events = exporter.tables().find(|table| table.schema().table == "events").unwrap();
    let checkpointed = events.version() - events.version() % CHECKPOINT_COMMITS;
    assert!(log.join(format!("{checkpointed:020}.checkpoint.parquet")).exists());
    for version in 0..checkpointed {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let exporter = Exporter::open(home.place(), CONFIG).unwrap();
    println!("{}", readers::compare(root, &exporter).unwrap());
}

#[test]
fn merged_files_hold_the_same_rows_and_what_is_not_needed_is_deleted() {
    for at in PLACES {
        // Given tables of many small files.
        let home = Home::new(at);
        let (_, epochs) = epochs(21, 120);
        let mut exporter = export(home.place(), CONFIG, &epochs[..100]).unwrap();
        assert_eq!(exporter.verify(), []);
        let count = |exporter: &Exporter| exporter.standings().iter().map(|standing| standing.files).sum::<usize>();
        let before = count(&exporter);
        // When they are merged, then a day has one file, and the rows are the same, for us and for others.
        let fewer = exporter.compact().unwrap();
        assert!(fewer > 10 && count(&exporter) == before - fewer, "{before} files, {fewer} fewer");
        assert_eq!(exporter.compact().unwrap(), 0);
        assert_eq!(exporter.verify(), []);
        assert_holds_all(&exporter, &epochs, "merged");
        // When what is no longer needed is deleted, then only what is young stays, and then nothing of it.
        let week = 7 * 86_400_000;
        let orphans = home.files().keys().filter(|path| path.contains(".parquet")).count() - count(&exporter);
        assert_eq!(exporter.vacuum(week).unwrap(), 0);
        assert_eq!(exporter.vacuum(-1).unwrap(), orphans);
        // Then it continues, opened again.
        drop(exporter);
        let exporter = export(home.place(), CONFIG, &epochs).unwrap();
        assert_holds_all(&exporter, &epochs, "after it");
        assert_eq!(exporter.verify(), []);
        if let Some(root) = home.path().filter(|_| readers::missing().is_none()) {
            readers::compare(root, &exporter).unwrap();
        }
    }
}

#[test]
fn a_lost_file_and_a_lost_row_are_found_by_name() {
    for at in PLACES {
        let home = Home::new(at);
        let (_, epochs) = epochs(22, 60);
        let exporter = export(home.place(), CONFIG, &epochs).unwrap();
        let lost = |name: &str| {
            let table = exporter.tables().find(|table| table.schema().table == name).unwrap();
            let path = table.state().adds.keys().next().unwrap().clone();
            home.place().delete(&format!("{name}/{path}")).unwrap();
            path
        };
        let (payments, stock) = (lost("payments"), lost("stock_changes"));
        let problems = exporter.verify();
        let of = |table: &str, part: &str| problems.iter().any(|p| p.table == table && p.why.contains(part));
        assert!(of("stock_changes", &stock) && of("stock_current", "not the sum of the changes"), "{problems:?}");
        assert!(of("payments", "not what the events make") && of("payments", &payments), "{problems:?}");
        assert_eq!(problems.len(), 4, "{problems:?}");
    }
}

/// Epochs of adjustments of a cent, one a day back in time, `days` of them.
fn adjustments_back_in_time(days: u64, an_epoch: u64) -> Vec<EpochInput> {
    let now = |epoch: u64| Timestamp::from_micros(1_780_000_000_000_000 + epoch as i64);
    let event = |epoch: u64, n: u64, day: u64| {
        let occurred_at = Timestamp::from_micros(now(epoch).micros() - day as i64 * 86_400_000_000);
        let data = json!({"cause": "c", "at": now(epoch), "occurred_at": occurred_at, "adjustment": {
            "adjustment_id": format!("a-{day}"), "customer_id": null, "currency": "GBP", "country": "GB",
            "amount": {"amount": "0.01", "currency": "GBP"}, "occurred_at": occurred_at}});
        EventInput { n, name: "AdjustmentRecorded".into(), key: "a".into(), data: data.to_string().into() }
    };
    let epoch = |epoch: u64| {
        let days = (epoch - 1) * an_epoch..(epoch * an_epoch).min(days);
        let events = days.enumerate().map(|(n, day)| event(epoch, n as u64 + 1, day)).collect();
        EpochInput { epoch: Epoch(epoch), now: now(epoch), events, changes: Vec::new() }
    };
    (1..=days.div_ceil(an_epoch)).map(epoch).collect()
}

#[test]
fn business_times_of_any_day_make_few_partitions_and_few_files_at_once() {
    // Given adjustments of 3,000 days, when they are exported, then days are partitions for 400 days, and months before.
    let home = Home::new(Where::Objects);
    let epochs = adjustments_back_in_time(3_000, 100);
    let config = Config { commit_rows: 1_000_000, commit_bytes: 1 << 30, commit_partitions: 300, ..CONFIG };
    let mut exporter = Exporter::open(home.place(), config).unwrap();
    let mut commits = 0;
    for input in &epochs {
        let files = exporter.files().count;
        if exporter.take(input).unwrap().is_some() {
            commits += 1;
            // The limit, and what one epoch adds to it: a file of each of two tables for each of its days.
            assert!(exporter.files().count - files <= 300 + 200, "epoch {}", input.epoch);
        }
    }
    let end = EpochInput { epoch: exporter.next(), now: epochs[0].now.plus_s(60), events: vec![], changes: vec![] };
    exporter.take(&end).unwrap().unwrap();
    assert!(commits >= 2, "{commits} commits");
    let table = exporter.tables().find(|table| table.schema().table == "adjustments").unwrap();
    let partitions: BTreeSet<_> = table.state().adds.values().map(|add| add.partition_values["date"].clone()).collect();
    let months = (3_000 - 400) / 30;
    assert!((401 + months..=403 + months).contains(&partitions.len()), "{} partitions", partitions.len());
}

#[test]
fn a_change_costs_the_file_of_its_key_and_not_the_table() {
    // Given a view of 600 rows, when one changes at a time, then a commit writes a file of few rows.
    let home = Home::new(Where::Objects);
    let row = |n: u64, on_hand: u64| {
        let key = SmolStr::from(format!("s-{n:04}"));
        let value = json!({"sku": key, "on_hand": on_hand, "reserved": 0, "available": on_hand, "locations": []});
        ChangeInput { view: View::Stock, key, value: Some(value.to_string().into()) }
    };
    let now = |epoch: u64| Timestamp::from_micros(1_780_000_000_000_000 + epoch as i64 * 1_000_000);
    let epoch = |epoch: u64, changes| EpochInput { epoch: Epoch(epoch), now: now(epoch), events: vec![], changes };
    let mut exporter = Exporter::open(home.place(), Config { commit_s: 1, current_rows: 20, ..CONFIG }).unwrap();
    exporter.take(&epoch(1, (0..600).map(|n| row(n, 1)).collect())).unwrap();
    let all = exporter.take(&epoch(2, Vec::new())).unwrap();
    let whole = all.unwrap_or_default().bytes.max(exporter.files().bytes as u64);
    for n in 3..30 {
        let committed = exporter.take(&epoch(n, vec![row(n * 17, n)])).unwrap().unwrap();
        assert!(committed.bytes * 5 < whole, "{} bytes of {whole}", committed.bytes);
        let table = exporter.tables().find(|table| table.schema().table == "stock_current").unwrap();
        let rows = table.state().adds.keys().map(|path| table.read_rows(path).unwrap().len());
        assert!(rows.clone().all(|rows| rows <= 20) && rows.sum::<usize>() == 600);
    }
    // When nearly all of them go, then what is left of neighbours is written together.
    let gone = |n| ChangeInput { value: None, ..row(n, 0) };
    exporter.take(&epoch(30, (0..600).filter(|n| n % 20 > 0).map(gone).collect())).unwrap();
    let table = exporter.tables().find(|table| table.schema().table == "stock_current").unwrap();
    assert!(table.state().adds.len() < 10, "{} files of 30 rows", table.state().adds.len());
    assert_eq!(exporter.verify(), []);
}
