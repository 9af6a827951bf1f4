//! The two tables of a view. `<view>_current` is a list of files, each with its own range of keys, so that the row before
//! a change is found by reading one file, and nothing is held in memory between commits. `<view>_changes` is always
//! committed first: the rows before its changes are in the other table only until that one continues.

use super::commit::{CommitSummary, commit_rows, file_name};
use super::config::{CURRENT_FILES, CURRENT_ROWS_MAX, Config};
use super::gaps::lack;
use crate::Error;
use crate::delta::action::{Action, Add};
use crate::delta::{About, ReadStats, Table, millis};
use crate::input::{ChangeInput, EpochInput};
use crate::schema::{Cell, Date, Row};
use crate::table_store::TableStore;
use crate::tables::{row, schemas};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
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
    changes: Table,
    current: Table,
    /// By key, in the order of epochs.
    waiting: BTreeMap<SmolStr, Vec<Change>>,
}

/// A file of the current rows.
struct Range {
    least: SmolStr,
    path: String,
    rows: usize,
}

/// What a commit is made of.
#[derive(Default)]
struct Work {
    changes: BTreeMap<Date, Vec<Row>>,
    current: Vec<Action>,
    files: usize,
    /// How many rows a file may have.
    rows_max: usize,
    /// The rows of a file that are too few for one, and the place of that file: they are written with the next file's.
    carried: Option<(usize, BTreeMap<SmolStr, Row>)>,
}

/// A row of the changes: key, diff and epoch, and what the row's own columns are.
fn changed(row: &Row, diff: i64, epoch: Epoch) -> Row {
    let numbers = [Cell::Number(diff), Cell::Number(i64::try_from(epoch.0).unwrap_or(i64::MAX))];
    row[..1].iter().cloned().chain(numbers).chain(row[1..].iter().cloned()).collect()
}

impl ViewTables {
    /// Opens the tables of a view, or makes them.
    pub fn open(place: &Arc<dyn TableStore>, view: View, config: &Config) -> Result<ViewTables, Error> {
        let (changes, current) = schemas(view);
        let changes = Table::open(Arc::clone(place), changes, config.kept(false))?;
        let current = Table::open(Arc::clone(place), current, config.kept(true))?;
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

    /// The same, to be tidied.
    pub fn tables_mut(&mut self) -> [&mut Table; 2] {
        [&mut self.changes, &mut self.current]
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

    /// Makes the rows those of a state, and notes the epochs before it that nobody has any more.
    pub fn resume(&mut self, view: View, next: Epoch, state: &EpochInput, rows_max: usize) -> Result<(), Error> {
        if self.current.epoch() >= state.epoch {
            return Ok(());
        }
        let after = Epoch(next.0.saturating_sub(1));
        lack(&mut self.changes, next, state.epoch)?;
        lack(&mut self.current, next, state.epoch)?;
        self.waiting.clear();
        for change in state.changes.iter().filter(|change| change.view == view) {
            self.take(state, change)?;
        }
        let mut gone = Vec::new();
        for path in self.current.state().adds.keys() {
            let keys = self.current.read_rows(path)?.into_iter().filter_map(|row| row.into_iter().next());
            gone.extend(keys.filter_map(|key| match key {
                Cell::Text(key) => (!self.waiting.contains_key(&key)).then_some(key),
                Cell::Null | Cell::Number(_) => None,
            }));
        }
        for key in gone {
            self.take(state, &ChangeInput { view, key, value: None })?;
        }
        let about = About { operation: "WRITE", epoch: state.epoch, now_ms: millis(state.now) };
        self.commit(after, about, rows_max, &mut CommitSummary::default())
    }

    /// The files of the current rows, in the order of their keys.
    fn ranges(&self) -> Result<Vec<Range>, Error> {
        let of = |path: &String, add: &Add| {
            let stats: ReadStats = serde_json::from_str(add.stats.as_deref()?).ok()?;
            let least = SmolStr::from(stats.min_values.get("key")?.as_str()?);
            Some(Range { least, path: path.clone(), rows: usize::try_from(stats.num_records).ok()? })
        };
        let table = &self.current.schema().table;
        let range = |(path, add): (&String, &Add)| {
            let damaged =
                || Error::Damaged { file: format!("{table}/{path}"), why: "its range of keys is not known".to_owned() };
            of(path, add).ok_or_else(damaged)
        };
        let mut ranges = self.current.state().adds.iter().map(range).collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable_by(|a, b| a.least.cmp(&b.least));
        Ok(ranges)
    }

    /// Commits what waits to both tables, and counts what that takes.
    pub fn commit(
        &mut self,
        after: Epoch,
        about: About,
        rows_max: usize,
        committed: &mut CommitSummary,
    ) -> Result<(), Error> {
        let ranges = self.ranges()?;
        // The file of a key is the last that begins at it or before it; the first takes what is before all.
        let mut by_file: BTreeMap<usize, BTreeMap<SmolStr, Vec<Change>>> = BTreeMap::new();
        for (key, changes) in std::mem::take(&mut self.waiting) {
            let at = ranges.partition_point(|range| range.least <= key).saturating_sub(1);
            by_file.entry(at).or_default().insert(key, changes);
        }
        let rows: usize = ranges.iter().map(|range| range.rows).sum();
        let rows_max = (rows / CURRENT_FILES).clamp(rows_max, CURRENT_ROWS_MAX.max(rows_max));
        let mut work = Work { rows_max, ..Work::default() };
        for (at, changes) in by_file {
            if work.carried.as_ref().is_some_and(|(before, _)| before + 1 != at) {
                self.write(about, &mut work, committed)?;
            }
            if let Some(rows) = self.rewrite(ranges.get(at), changes, about, &mut work)? {
                let mut all = work.carried.take().map(|(_, rows)| rows).unwrap_or_default();
                all.extend(rows);
                let is_few = all.len() < work.rows_max / 4;
                work.carried = Some((at, all));
                if is_few {
                    continue;
                }
            }
            self.write(about, &mut work, committed)?;
        }
        self.write(about, &mut work, committed)?;
        if self.changes.epoch() < about.epoch {
            let after = after.max(self.changes.epoch());
            commit_rows(&mut self.changes, after, about, work.changes, committed)?;
        }
        self.current.commit(about, work.current)
    }

    /// Applies changes to one file, and tells what they changed; gives its rows, if they are others now.
    fn rewrite(
        &self,
        file: Option<&Range>,
        changes: BTreeMap<SmolStr, Vec<Change>>,
        about: About,
        work: &mut Work,
    ) -> Result<Option<BTreeMap<SmolStr, Row>>, Error> {
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
            return Ok(None);
        }
        if let Some(add) = file.and_then(|file| self.current.state().adds.get(&file.path)) {
            work.current.push(add.removed(about.now_ms, true).into());
        }
        Ok(Some(rows))
    }

    /// Writes the rows that are ready, as equal files.
    fn write(&self, about: About, work: &mut Work, committed: &mut CommitSummary) -> Result<(), Error> {
        let Some((_, rows)) = work.carried.take() else { return Ok(()) };
        let mut rows: Vec<Row> = rows.into_values().collect();
        let files = rows.len().div_ceil(work.rows_max).max(1);
        let file_rows = rows.len().div_ceil(files).max(1);
        for rows in rows.chunks_mut(file_rows) {
            let name = format!("{}-{:04}", file_name(&self.current, self.current.epoch(), about.epoch), work.files);
            work.files += 1;
            let add = self.current.write_rows(&name, None, rows, about.now_ms, true)?;
            // Only rows of facts and changes are counted.
            committed.count(0, &add);
            work.current.push(add.into());
        }
        Ok(())
    }
}
