//! The two tables of a view. `<view>_current` is a list of files, each with its own range of keys, so that the row before
//! a change is found by reading one file, and nothing is held in memory between commits. `<view>_changes` is always
//! committed first: the rows before its changes are in the other table only until that one goes on.

use super::{commit_rows, file_name};
use crate::Error;
use crate::delta::action::{Action, Add};
use crate::delta::{About, ReadStats, Table};
use crate::input::{ChangeInput, EpochInput};
use crate::place::Place;
use crate::schema::{Cell, Date, Row};
use crate::tables::{row, schemas};
use dataflows::epoch::Epoch;
use dataflows::rows::View;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A change that waits for the next cut.
struct Change {
    epoch: Epoch,
    date: Date,
    after: Option<Row>,
}

/// The tables of a view.
pub struct ViewTables {
    pub(super) changes: Table,
    current: Table,
    /// By key, in the order of epochs.
    waiting: BTreeMap<SmolStr, Vec<Change>>,
}

/// A file of the current rows.
struct Range {
    least: SmolStr,
    path: String,
}

/// What a commit is made of.
#[derive(Default)]
struct Work {
    changes: BTreeMap<Date, Vec<Row>>,
    current: Vec<Action>,
    files: usize,
}

/// A row of the changes: key, diff and epoch, and what the row's own columns are.
fn changed(row: &Row, diff: i64, epoch: Epoch) -> Row {
    let numbers = [Cell::Number(diff), Cell::Number(i64::try_from(epoch.0).unwrap_or(i64::MAX))];
    row[..1].iter().cloned().chain(numbers).chain(row[1..].iter().cloned()).collect()
}

impl ViewTables {
    /// Opens the tables of a view, or makes them.
    pub fn open(place: &Arc<dyn Place>, view: View) -> Result<ViewTables, Error> {
        let (changes, current) = schemas(view);
        let changes = Table::open(Arc::clone(place), changes)?;
        let current = Table::open(Arc::clone(place), current)?;
        if changes.epoch() < current.epoch() {
            return Err(Error::Pair {
                changes: changes.schema().table.clone(),
                current: current.schema().table.clone(),
            });
        }
        Ok(ViewTables { changes, current, waiting: BTreeMap::new() })
    }

    /// Both tables.
    pub fn tables(&self) -> [&Table; 2] {
        [&self.changes, &self.current]
    }

    /// Whether something waits for the next cut.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes a change, unless both tables hold it.
    pub fn take(&mut self, input: &EpochInput, change: &ChangeInput) -> Result<(), Error> {
        let ChangeInput { view, key, value } = change;
        if input.epoch <= self.current.epoch() {
            return Ok(());
        }
        let after = value.as_ref().map(|value| row(*view, key, value)).transpose().map_err(|why| Error::Input {
            record: format!("the row {key} of the view {}", view.name()),
            epoch: input.epoch,
            why,
        })?;
        let change = Change { epoch: input.epoch, date: Date::of(input.now), after };
        self.waiting.entry(key.clone()).or_default().push(change);
        Ok(())
    }

    /// The files of the current rows, in the order of their keys.
    fn ranges(&self) -> Result<Vec<Range>, Error> {
        let of = |path: &String, stats: Option<&str>| {
            let stats: ReadStats = serde_json::from_str(stats?).ok()?;
            Some(Range { least: SmolStr::from(stats.min_values.get("key")?.as_str()?), path: path.clone() })
        };
        let table = &self.current.schema().table;
        let range = |(path, add): (&String, &Add)| {
            let damaged =
                || Error::Damaged { file: format!("{table}/{path}"), why: "its range of keys is not known".to_owned() };
            of(path, add.stats.as_deref()).ok_or_else(damaged)
        };
        let mut ranges = self.current.state().adds.iter().map(range).collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable_by(|a, b| a.least.cmp(&b.least));
        Ok(ranges)
    }

    /// Commits what waits to both tables; says how many rows the changes got.
    pub fn commit(&mut self, after: Epoch, about: About, rows_max: usize) -> Result<u64, Error> {
        let ranges = self.ranges()?;
        // The file of a key is the last that begins at it or before it; the first takes what is before all.
        let mut by_file: BTreeMap<usize, BTreeMap<SmolStr, Vec<Change>>> = BTreeMap::new();
        for (key, changes) in std::mem::take(&mut self.waiting) {
            let at = ranges.partition_point(|range| range.least <= key).saturating_sub(1);
            by_file.entry(at).or_default().insert(key, changes);
        }
        let mut work = Work::default();
        for (at, changes) in by_file {
            self.rewrite(ranges.get(at), changes, about, rows_max, &mut work)?;
        }
        let mut rows = 0;
        if self.changes.epoch() < about.epoch {
            let after = after.max(self.changes.epoch());
            rows = commit_rows(&mut self.changes, after, about, work.changes)?;
        }
        self.current.commit(about, work.current)?;
        Ok(rows)
    }

    /// Applies changes to one file, and tells what they changed.
    fn rewrite(
        &self,
        file: Option<&Range>,
        changes: BTreeMap<SmolStr, Vec<Change>>,
        about: About,
        rows_max: usize,
        work: &mut Work,
    ) -> Result<(), Error> {
        let mut rows: BTreeMap<SmolStr, Row> = BTreeMap::new();
        for row in file.map(|file| self.current.read_rows(&file.path)).transpose()?.unwrap_or_default() {
            if let Some(Cell::Text(key)) = row.first() {
                rows.insert(key.clone(), row);
            }
        }
        let mut is_changed = false;
        for (key, changes) in changes {
            let first = rows.get(&key).cloned();
            let mut before = first.clone();
            for Change { epoch, date, after } in changes {
                if after != before && epoch > self.changes.epoch() {
                    let out = work.changes.entry(date).or_default();
                    out.extend(before.iter().map(|row| changed(row, -1, epoch)));
                    out.extend(after.iter().map(|row| changed(row, 1, epoch)));
                }
                before = after;
            }
            is_changed |= before != first;
            match before {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        if !is_changed {
            return Ok(());
        }
        if let Some(add) = file.and_then(|file| self.current.state().adds.get(&file.path)) {
            work.current.push(add.removed(about.now_ms, true).into());
        }
        let mut rows: Vec<Row> = rows.into_values().collect();
        let files = rows.len().div_ceil(rows_max).max(1);
        let file_rows = rows.len().div_ceil(files).max(1);
        for rows in rows.chunks_mut(file_rows) {
            let name = format!("{}-{:04}", file_name(&self.current, self.current.epoch(), about.epoch), work.files);
            work.files += 1;
            work.current.push(self.current.write_rows(&name, None, rows, about.now_ms, true)?.into());
        }
        Ok(())
    }
}
