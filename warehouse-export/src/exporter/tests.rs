//! The exporter against a shop made from a seed: every row once, whatever crashed; the same bytes whenever written again.

use super::{Config, Exporter};
use crate::Error;
use crate::delta::CHECKPOINT_COMMITS;
use crate::input::EpochInput;
use crate::place::{Folder, Place};
use crate::schema::{Cell, Row};
use crate::tables::{FACTS, row};
use crate::testing::flaky::{Death, Flaky};
use crate::testing::readers;
use crate::testing::shop::{Numbers, Shop};
use dataflows::epoch::Epoch;
use dataflows::rows::View;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CONFIG: Config = Config { commit_s: 30, commit_rows: 40, commit_bytes: 1 << 20, current_rows_max: 7 };

fn epochs(seed: u64, count: usize) -> (Shop, Vec<EpochInput>) {
    let mut shop = Shop::new(seed);
    let epochs = (0..count).map(|_| shop.next()).collect();
    (shop, epochs)
}

fn folder(path: &Path) -> Arc<dyn Place> {
    Arc::new(Folder::new(path))
}

/// Takes what the tables do not hold, up to the end or to the first error.
fn export(place: Arc<dyn Place>, config: Config, epochs: &[EpochInput]) -> Result<Exporter, Error> {
    let mut exporter = Exporter::open(place, config)?;
    let after = exporter.committed().0 as usize;
    for input in &epochs[after..] {
        exporter.take(input)?;
    }
    Ok(exporter)
}

/// Every file of the folder with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The rows of a table by its log.
fn rows_of(exporter: &Exporter, name: &str) -> Vec<Row> {
    let table = exporter.tables().find(|table| table.schema().table == name).unwrap();
    let mut rows: Vec<Row> = table.state().adds.keys().flat_map(|path| table.read_rows(path).unwrap()).collect();
    rows.sort();
    rows
}

/// What the tables must hold, written anew from the input alone.
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
    let home = tempfile::tempdir().unwrap();
    let (shop, epochs) = epochs(11, 300);
    let exporter = export(folder(home.path()), Config { commit_s: 10, ..CONFIG }, &epochs).unwrap();
    assert_holds_all(&exporter, &epochs, "plain");
    assert!(!shop.rows.is_empty() && exporter.committed() > Epoch(280), "{:?}", exporter.committed());
    let files = |name: &str| exporter.tables().find(|table| table.schema().table == name).unwrap().state().adds.len();
    assert!(files("stock_movements") > 5 && files("orders_current") > 5 && files("orders_changes") > 5);
    assert!(exporter.tables().any(|table| table.version() > 50), "a checkpoint was written");
}

#[test]
fn opened_again_it_goes_on_and_writes_the_same_bytes() {
    // Given tables written in one go, and others written by a process that was opened again after every epoch.
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, epochs) = epochs(12, 60);
    export(folder(one.path()), CONFIG, &epochs).unwrap();
    for end in 1..=epochs.len() {
        export(folder(many.path()), CONFIG, &epochs[..end]).unwrap();
    }
    // Then every file has the same bytes: data, commits, checkpoints.
    assert_eq!(files(one.path()), files(many.path()));
}

#[test]
fn a_crash_at_any_step_leaves_no_gap_and_no_overlap() {
    // Given the bytes of a run that never stopped.
    let home = tempfile::tempdir().unwrap();
    let (_, epochs) = epochs(13, 60);
    export(folder(home.path()), CONFIG, &epochs).unwrap();
    let whole = files(home.path());
    let seed = std::env::var("TRADEWIND_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(14);
    let mut numbers = Numbers(seed);
    for death in [Death::Before, Death::Midst, Death::After] {
        // When the process dies at a step, and again some steps after each start, until it comes through.
        let home = tempfile::tempdir().unwrap();
        let mut deaths = 0;
        loop {
            let steps = numbers.below(90) as usize;
            let place = Arc::new(Flaky::new(home.path(), steps, death));
            let died = match export(place, CONFIG, &epochs) {
                Ok(_) => break,
                Err(error) => error,
            };
            assert!(matches!(died, Error::Io { .. }), "seed {seed}: {died}");
            deaths += 1;
            assert!(deaths < 2_000, "seed {seed}: it comes through");
        }
        // Then the files are those of the run that never stopped.
        let again = files(home.path());
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&again), names(&whole), "seed {seed}, {death:?}, {deaths} deaths");
        assert!(again == whole, "seed {seed}, {death:?}: other bytes");
        assert!(deaths > 3, "seed {seed}, {death:?}: it died {deaths} times");
    }
}

#[test]
fn every_single_step_of_a_commit_may_be_the_last() {
    // Given new tables, when the process dies at each step of their first commits in turn, then it ends as if it had not.
    let (_, epochs) = epochs(15, 10);
    let (empty, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Exporter::open(folder(empty.path()), CONFIG).unwrap();
    export(folder(home.path()), CONFIG, &epochs).unwrap();
    let whole = files(home.path());
    // What is all or nothing is not done when it dies in its midst, and done when it dies in that of the next step.
    for step in 0.. {
        let home = tempfile::tempdir().unwrap();
        for (path, bytes) in files(empty.path()) {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let came_through = export(Arc::new(Flaky::new(home.path(), step, Death::Midst)), CONFIG, &epochs).is_ok();
        export(folder(home.path()), CONFIG, &epochs).unwrap();
        assert!(files(home.path()) == whole, "at step {step}");
        if came_through {
            assert!(step > 20, "there were {step} steps");
            break;
        }
    }
}

#[test]
fn other_limits_after_a_crash_leave_every_row_once() {
    // Given a crash between the tables of a commit, when files are cut otherwise from then on.
    let (_, epochs) = epochs(16, 80);
    for steps in (60..150).step_by(13) {
        let home = tempfile::tempdir().unwrap();
        let place = Arc::new(Flaky::new(home.path(), steps, Death::After));
        export(place, CONFIG, &epochs).err().unwrap();
        let config = Config { commit_s: 45, commit_rows: 70, ..CONFIG };
        let exporter = export(folder(home.path()), config, &epochs).unwrap();
        // Then each row is there once, by the log and by the folder.
        assert_holds_all(&exporter, &epochs, &format!("{steps} steps"));
        for table in exporter.tables().filter(|table| table.schema().is_dated) {
            let mut found = table.data_files().unwrap();
            found.sort();
            assert_eq!(found, table.state().adds.keys().cloned().collect::<Vec<_>>(), "{steps} steps");
        }
    }
}

#[test]
fn a_table_whose_folder_was_removed_is_written_anew() {
    let home = tempfile::tempdir().unwrap();
    let (_, epochs) = epochs(17, 60);
    export(folder(home.path()), CONFIG, &epochs).unwrap();
    let whole = files(home.path());
    for table in ["payments", "stock_changes", "stock_current"] {
        std::fs::remove_dir_all(home.path().join(table)).unwrap();
    }
    assert_eq!(Exporter::open(folder(home.path()), CONFIG).unwrap().committed(), Epoch(0), "all is read again");
    export(folder(home.path()), CONFIG, &epochs).unwrap();
    assert!(files(home.path()) == whole);
    // One table of a view alone cannot be made without the other.
    std::fs::remove_dir_all(home.path().join("stock_changes")).unwrap();
    assert!(matches!(Exporter::open(folder(home.path()), CONFIG), Err(Error::Pair { .. })));
}

#[test]
fn what_is_not_the_next_epoch_is_refused_and_what_is_held_passed_by() {
    let home = tempfile::tempdir().unwrap();
    let (_, epochs) = epochs(18, 5);
    let mut exporter = Exporter::open(folder(home.path()), CONFIG).unwrap();
    let gap = exporter.take(&epochs[1]).err().unwrap();
    assert_eq!(gap.to_string(), "the tables go on at epoch 1, and the input has 2");
    exporter.take(&epochs[0]).unwrap();
    assert_eq!(exporter.take(&epochs[0]).unwrap(), None);
    assert_eq!(exporter.next(), Epoch(2));
}

#[test]
fn a_record_that_is_not_of_its_shape_stops_the_export_by_name() {
    let home = tempfile::tempdir().unwrap();
    let (_, mut epochs) = epochs(19, 30);
    let event = epochs.iter_mut().find_map(|input| input.events.first_mut()).unwrap();
    event.data = bytes::Bytes::from_static(br#"{"cause":7}"#);
    let error = export(folder(home.path()), CONFIG, &epochs).err().unwrap().to_string();
    assert!(error.starts_with("event ") && error.contains(" 1 of epoch "), "{error}");
}

#[test]
fn readers_outside_see_the_same_rows() {
    if let Some(why) = readers::missing() {
        println!("SKIPPED: no Delta readers: {why}");
        return;
    }
    // Given tables with a checkpoint in their logs.
    let home = tempfile::tempdir().unwrap();
    let (_, epochs) = epochs(20, 300);
    let exporter = export(folder(home.path()), Config { commit_s: 10, ..CONFIG }, &epochs).unwrap();
    assert_holds_all(&exporter, &epochs, "before the readers");
    println!("{}", readers::compare(home.path(), &exporter).unwrap());
    // When the commits before it are gone, then it speaks for them, to us and to others.
    let log = home.path().join("events/_delta_log");
    let events = exporter.tables().find(|table| table.schema().table == "events").unwrap();
    let checkpointed = events.version() - events.version() % CHECKPOINT_COMMITS;
    assert!(log.join(format!("{checkpointed:020}.checkpoint.parquet")).exists());
    for version in 0..checkpointed {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let exporter = Exporter::open(folder(home.path()), CONFIG).unwrap();
    println!("{}", readers::compare(home.path(), &exporter).unwrap());
}

#[test]
fn merged_files_hold_the_same_rows_and_what_is_not_needed_is_deleted() {
    // Given tables of many small files.
    let home = tempfile::tempdir().unwrap();
    let (_, epochs) = epochs(21, 120);
    let mut exporter = export(folder(home.path()), CONFIG, &epochs[..100]).unwrap();
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
    let parquet = |home: &Path| files(home).keys().filter(|path| path.to_string_lossy().contains(".parquet")).count();
    let orphans = parquet(home.path()) - count(&exporter);
    assert_eq!(exporter.vacuum(week).unwrap(), 0);
    assert_eq!(exporter.vacuum(-1).unwrap(), orphans);
    // Then it goes on, opened again.
    drop(exporter);
    let exporter = export(folder(home.path()), CONFIG, &epochs).unwrap();
    assert_holds_all(&exporter, &epochs, "after it");
    assert_eq!(exporter.verify(), []);
    if readers::missing().is_none() {
        readers::compare(home.path(), &exporter).unwrap();
    }
}

#[test]
fn a_lost_file_and_a_lost_row_are_found_by_name() {
    let home = tempfile::tempdir().unwrap();
    let (_, epochs) = epochs(22, 60);
    let exporter = export(folder(home.path()), CONFIG, &epochs).unwrap();
    let lost = |name: &str| {
        let table = exporter.tables().find(|table| table.schema().table == name).unwrap();
        let path = table.state().adds.keys().next().unwrap().clone();
        std::fs::remove_file(home.path().join(name).join(&path)).unwrap();
        path
    };
    let (payments, stock) = (lost("payments"), lost("stock_changes"));
    let problems = exporter.verify();
    let of = |table: &str, part: &str| problems.iter().any(|p| p.table == table && p.why.contains(part));
    assert!(of("stock_changes", &stock) && of("stock_current", "not the sum of the changes"), "{problems:?}");
    assert!(of("payments", "not what the events make") && of("payments", &payments), "{problems:?}");
    assert_eq!(problems.len(), 4, "{problems:?}");
}
