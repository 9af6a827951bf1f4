//! Tables of another log, whole and single ones; and tables that continue after epochs that no log has any more.

use crate::exporter::Gap;
use crate::exporter::tests::{CONFIG, PLACES, epochs, export, rows_of};
use crate::exporter::{Exporter, Problem};
use crate::input::{ChangeInput, EpochInput};
use crate::table_store::TableStore;
use crate::tables::{FACTS, row};
use crate::testing::flaky::{Death, Flaky};
use crate::testing::home::{Home, Where};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use std::collections::BTreeMap;
use std::sync::Arc;

const ONE: &str = "00112233445566aa";
const OTHER: &str = "ffeeddccbbaa9988";

#[test]
fn tables_of_another_log_are_refused_by_name() {
    for at in PLACES {
        let home = Home::new(at);
        let (_, epochs) = epochs(25, 60);
        let mut exporter = Exporter::open(home.place(), CONFIG).unwrap();
        exporter.identify(ONE).unwrap();
        for input in &epochs {
            exporter.take(input).unwrap();
        }
        drop(exporter);
        let files = home.files();
        let mut exporter = Exporter::open(home.place(), CONFIG).unwrap();
        exporter.identify(ONE).unwrap();
        let error = Exporter::open(home.place(), CONFIG).unwrap().identify(OTHER).err().unwrap().to_string();
        assert!(error.contains("made of the log 00112233445566aa, and this log is ffeeddccbbaa9988"), "{error}");
        assert!(home.files() == files);
        // Also where nothing but the tables themselves says it.
        home.place().delete("_progress.json").unwrap();
        let exporter = Exporter::open(home.place(), CONFIG).unwrap();
        assert_eq!(exporter.log_id().as_deref(), Some(ONE));
        drop(exporter);
        assert!(Exporter::open(home.place(), CONFIG).unwrap().identify(OTHER).is_err());
    }
}

#[test]
fn a_single_table_of_another_log_is_refused_by_its_name() {
    for at in PLACES {
        let homes = [Home::new(at), Home::new(at)];
        for (home, (id, seed)) in homes.iter().zip([(ONE, 26), (OTHER, 27)]) {
            let mut exporter = Exporter::open(home.place(), CONFIG).unwrap();
            exporter.identify(id).unwrap();
            drop(exporter);
            export(home.place(), CONFIG, &epochs(seed, 60).1).unwrap();
        }
        let [ours, theirs] = homes;
        ours.remove("payments");
        for (path, bytes) in theirs.files().iter().filter(|(path, _)| path.starts_with("payments/")) {
            ours.place().put(path, bytes).unwrap();
        }
        let error = Exporter::open(ours.place(), CONFIG).unwrap().identify(ONE).err().unwrap().to_string();
        assert!(error.contains("payments are made of the log ffeeddccbbaa9988"), "{error}");
    }
}

/// Every row of every view after these epochs, as an epoch without events.
fn state(epochs: &[EpochInput]) -> EpochInput {
    let mut rows = BTreeMap::new();
    for ChangeInput { view, key, value } in epochs.iter().flat_map(|input| &input.changes) {
        match value {
            Some(value) => rows.insert((*view, key.clone()), value.clone()),
            None => rows.remove(&(*view, key.clone())),
        };
    }
    let changes = rows.into_iter().map(|((view, key), value)| ChangeInput { view, key, value: Some(value) }).collect();
    let EpochInput { epoch, now, events: _, changes: _ } = epochs.last().unwrap();
    EpochInput { epoch: *epoch, now: *now, events: Vec::new(), changes }
}

/// Continues at epoch 101 with the rows of epoch 120, and takes what is there of it.
fn resume(place: Arc<dyn TableStore>, epochs: &[EpochInput]) -> Result<Exporter, crate::Error> {
    let mut exporter = Exporter::open(place, CONFIG)?;
    if exporter.next() < Epoch(101) {
        exporter.resume(Epoch(101), epochs[100].now, &state(&epochs[..120]))?;
    }
    let after = exporter.committed().0 as usize;
    for input in &epochs[after..] {
        exporter.take(input)?;
    }
    Ok(exporter)
}

#[test]
fn what_nobody_has_any_more_is_a_gap_and_all_else_is_there() {
    let (_, epochs) = epochs(28, 200);
    for at in PLACES {
        // Given tables up to some epoch, and none; when they continue at epoch 101.
        for until in [60, 0] {
            let home = Home::new(at);
            let exporter = export(home.place(), CONFIG, &epochs[..until]).unwrap();
            let from = exporter.committed().next().0;
            drop(exporter);
            let exporter = resume(home.place(), &epochs).unwrap();
            // Then each table says what it lacks, and nothing else is wrong.
            let last = exporter.committed();
            assert!(last > Epoch(120));
            let gaps =
                |table: &str| exporter.standings().into_iter().find(|standing| standing.table == table).unwrap().gaps;
            assert_eq!(gaps("payments"), [Gap { from, to: 100 }]);
            assert_eq!(gaps("stock_current"), [Gap { from, to: 120 }]);
            let problems = exporter.verify();
            assert!(problems.len() == exporter.tables().count(), "{problems:?}");
            let why = format!("it lacks the epochs {from} to 100, which nobody had any more when it was written");
            assert!(problems.contains(&Problem { table: "events".to_owned(), why }), "{problems:?}");
            let mut expected: Vec<_> = state(&epochs[..last.0 as usize]).changes;
            expected.retain(|change| change.view == View::Stock);
            let expected = expected.iter().map(|change| row(View::Stock, &change.key, change.value.as_ref().unwrap()));
            assert_eq!(rows_of(&exporter, "stock_current"), expected.map(Result::unwrap).collect::<Vec<_>>());
            // Facts are those of all other epochs.
            let held = |epoch: u64| epoch < from || epoch > 100;
            let events = epochs.iter().filter(|input| held(input.epoch.0) && input.epoch <= last);
            let events: usize = events.map(|input| input.events.len()).sum();
            assert_eq!(rows_of(&exporter, "events").len(), events);
        }
    }
}

#[test]
fn a_death_while_a_gap_is_noted_changes_nothing_in_the_end() {
    let (_, epochs) = epochs(29, 150);
    let rows = |home: &Home| {
        let exporter = Exporter::open(home.place(), CONFIG).unwrap();
        let views = [View::Orders, View::Stock]
            .iter()
            .flat_map(|view| ["current", "changes"].map(|which| format!("{}_{which}", view.name())));
        let tables: Vec<String> = FACTS.iter().map(|fact| fact.name.to_owned()).chain(views).collect();
        let gaps: Vec<Vec<Gap>> = exporter.standings().into_iter().map(|standing| standing.gaps).collect();
        (tables.iter().map(|table| rows_of(&exporter, table)).collect::<Vec<_>>(), gaps)
    };
    let start = || {
        let home = Home::new(Where::Folder);
        export(home.place(), CONFIG, &epochs[..40]).unwrap();
        home
    };
    let whole = start();
    resume(whole.place(), &epochs).unwrap();
    let whole = rows(&whole);
    for death in [Death::Before, Death::Midst, Death::After] {
        for steps in (0..160).step_by(40) {
            let home = start();
            let flaky: Arc<dyn TableStore> = Arc::new(Flaky::new(&home, steps, death));
            let died = resume(flaky, &epochs).is_err();
            resume(home.place(), &epochs).unwrap();
            assert!(rows(&home) == whole, "{death:?} after {steps} steps, {died}");
        }
    }
}
