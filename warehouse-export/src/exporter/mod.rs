//! The exporter: takes whole epochs in order, cuts them into files where the log says so, and commits. Opened again after
//! any crash or error, it continues where the tables end. Not for reading the log.
//!
//! A cut is at the first epoch whose `now` crosses a multiple of `commit_s`, or with which the records since the last cut
//! pass `commit_rows`, `commit_bytes` or `commit_partitions`. So cuts are a function of the log, as the names and the bytes of files are.

mod commit;
mod config;
mod gaps;
mod maintenance;
mod origin;
mod progress;
#[cfg(test)]
mod tests;
mod verify;
mod view;

use crate::Error;
use crate::delta::{About, Table, millis};
use crate::input::{EpochInput, EventInput};
use crate::schema::{Date, Row};
use crate::table_store::TableStore;
use crate::tables::{Event, FACTS, Fact};
use commit::{commit_rows, may_be_committed};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use progress::Progress;
use std::collections::BTreeMap;
use std::sync::Arc;
use view::ViewTables;

pub use commit::CommitSummary;
pub use config::Config;
pub use gaps::Gap;
pub use maintenance::{FileCounts, TableStatus};
pub use verify::{Problem, RowsOfView};

/// A table of facts, and the rows that wait for the next cut.
struct FactTable {
    fact: &'static Fact,
    table: Table,
    rows: BTreeMap<Date, Vec<Row>>,
}

/// The exporter.
pub struct Exporter {
    place: Arc<dyn TableStore>,
    config: Config,
    facts: Vec<FactTable>,
    views: BTreeMap<View, ViewTables>,
    /// The newest epoch that all tables hold, and the milliseconds of its `now`; epoch 0 before the first.
    cut: (Epoch, Option<i64>),
    /// The same of the newest epoch that was taken.
    taken: (Epoch, Option<i64>),
    /// How many records were taken since the cut, and their bytes.
    size: (u64, u64),
    /// The id of the log that the tables are made of; none until it was told.
    log_id: Option<String>,
}

impl Exporter {
    /// Opens the tables, and makes those that are not there.
    pub fn open(place: Arc<dyn TableStore>, config: Config) -> Result<Exporter, Error> {
        place.clear_staging().map_err(|source| Error::Io {
            doing: "clearing",
            file: place.describe("_staging"),
            source,
        })?;
        let mut facts = Vec::with_capacity(FACTS.len());
        for fact in FACTS {
            let table = Table::open(Arc::clone(&place), fact.schema(), config.kept(false))?;
            facts.push(FactTable { fact, table, rows: BTreeMap::new() });
        }
        let mut views = BTreeMap::new();
        for view in View::ALL.iter().copied() {
            views.insert(view, ViewTables::open(&place, view, &config)?);
        }
        let cut = (Epoch(0), None);
        let mut exporter = Exporter { place, config, facts, views, cut, taken: cut, size: (0, 0), log_id: None };
        exporter.delete_uncommitted()?;
        let held = exporter.held();
        if let Some(progress) = Progress::read(&*exporter.place)? {
            if progress.covers(&held) {
                exporter.cut = (progress.epoch, Some(progress.now_ms));
                exporter.taken = exporter.cut;
            }
            exporter.log_id = progress.log_id;
        }
        // The process that committed last may have died before.
        exporter.tidy()?;
        Ok(exporter)
    }

    fn write_progress(&self, epoch: Epoch, now_ms: i64) -> Result<(), Error> {
        let progress = Progress { epoch, now_ms, tables: self.held(), log_id: self.log_id.clone() };
        progress.write(&*self.place)
    }

    /// Every table.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        let facts = self.facts.iter().map(|fact| &fact.table);
        facts.chain(self.views.values().flat_map(ViewTables::tables))
    }

    fn tables_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        let facts = self.facts.iter_mut().map(|fact| &mut fact.table);
        facts.chain(self.views.values_mut().flat_map(ViewTables::tables_mut))
    }

    /// The newest epoch that all tables hold; 0 before the first.
    pub fn committed(&self) -> Epoch {
        self.cut.0
    }

    /// The epoch that is to be taken next.
    pub fn next(&self) -> Epoch {
        self.taken.0.next()
    }

    /// How far each table is by its own log.
    fn held(&self) -> BTreeMap<String, Epoch> {
        self.tables().map(|table| (table.schema().table.clone(), table.epoch())).collect()
    }

    /// Deletes files that an attempt wrote and did not commit: should files be cut otherwise now, they would stay, and
    /// who reads the folder without the log would see their rows twice. Where others write too, they may be theirs.
    fn delete_uncommitted(&self) -> Result<(), Error> {
        self.tables().filter(|table| !table.is_shared()).try_for_each(|table| {
            for path in table.data_files()? {
                if may_be_committed(table, &path) && !table.state().adds.contains_key(&path) {
                    table.delete_file(&path)?;
                }
            }
            Ok(())
        })
    }

    /// Takes an epoch; one that is held is passed by. Commits if it ends at a cut. After an error the exporter is opened
    /// again.
    pub fn take(&mut self, input: &EpochInput) -> Result<Option<CommitSummary>, Error> {
        let expected = self.next();
        if input.epoch < expected {
            return Ok(None);
        }
        if input.epoch > expected {
            return Err(Error::Gap { expected, found: input.epoch });
        }
        for event in &input.events {
            self.take_event(input, event)?;
        }
        for change in &input.changes {
            let tables = self.views.get_mut(&change.view).expect("every view has its tables");
            tables.take(input, change)?;
        }
        let (records, bytes) = input.size();
        self.size = (self.size.0 + records, self.size.1 + bytes);
        let now_ms = millis(input.now);
        let period = |ms: i64| ms.div_euclid(i64::from(self.config.commit_s.max(1)) * 1000);
        let crosses = self.taken.1.is_some_and(|before| period(before) < period(now_ms));
        self.taken = (input.epoch, Some(now_ms));
        let partitions: usize = self.facts.iter().map(|fact| fact.rows.len()).sum();
        let is_full = self.size.0 > self.config.commit_rows
            || self.size.1 > self.config.commit_bytes
            || partitions > self.config.commit_partitions;
        if crosses || is_full { self.commit(now_ms).map(Some) } else { Ok(None) }
    }

    fn take_event(&mut self, input: &EpochInput, event: &EventInput) -> Result<(), Error> {
        let EventInput { n, name, key, data } = event;
        let wrong = |why: String| Error::Input { record: format!("event {name} {n}"), epoch: input.epoch, why };
        let data = str::from_utf8(data).map_err(|error| wrong(error.to_string()))?;
        let event = Event { epoch: input.epoch, n: *n, name, key, data };
        let mut rows = Vec::new();
        for FactTable { fact, table, rows: waiting } in &mut self.facts {
            if table.epoch() < input.epoch {
                (fact.rows)(&event, &mut rows).map_err(|error| wrong(error.to_string()))?;
                for (occurred_at, row) in rows.drain(..) {
                    waiting.entry(Date::partition(occurred_at, input.now)).or_default().push(row);
                }
            }
        }
        Ok(())
    }

    /// Commits everything that was taken.
    fn commit(&mut self, now_ms: i64) -> Result<CommitSummary, Error> {
        let (after, epoch) = (self.cut.0, self.taken.0);
        let about = About { operation: "WRITE", epoch, now_ms };
        let mut committed = CommitSummary { epoch, ..CommitSummary::default() };
        for FactTable { fact: _, table, rows } in &mut self.facts {
            if !rows.is_empty() {
                let after = after.max(table.epoch());
                commit_rows(table, after, about, std::mem::take(rows), &mut committed)?;
                committed.tables += 1;
            }
        }
        for tables in self.views.values_mut() {
            if tables.is_waiting() {
                tables.commit(after, about, self.config.current_rows.max(1), &mut committed)?;
                committed.tables += 2;
            }
        }
        self.write_progress(epoch, now_ms)?;
        self.cut = (epoch, Some(now_ms));
        self.size = (0, 0);
        self.tidy()?;
        Ok(committed)
    }
}
