//! What is done to tables now and then: small files are merged, files that no version needs are deleted. The rows stay.
//! What the exporter does of this by itself, after a commit and when it is opened, follows from the log and the limits, so
//! that tables that are written again become the same.

use super::Exporter;
use super::commit::{MERGED, may_be_committed};
use super::gaps::{Gap, gaps};
use crate::Error;
use crate::delta::action::{Action, Add};
use crate::delta::{About, ReadStats, Table};
use crate::schema::Date;
use dataflows::contract::time::Timestamp;
use std::collections::BTreeMap;

/// A file below that is small: readers want fewer and larger ones.
pub const SMALL_FILE_BYTES: i64 = 16 << 20;
/// No merged file gets more rows than that, since they are in memory together.
pub const MERGED_ROWS_MAX: i64 = 1 << 20;
/// Nor is it made of more bytes.
pub const MERGED_BYTES_MAX: i64 = SMALL_FILE_BYTES;

/// How a table stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Its name.
    pub table: String,
    /// The newest epoch that changed it.
    pub epoch: u64,
    /// The version of its log.
    pub version: u64,
    /// The number of its files.
    pub files: usize,
    /// How many of them `compact` might merge.
    pub small_files: usize,
    /// The number of its rows, by its log.
    pub rows: i64,
    /// The bytes of its files.
    pub bytes: i64,
    /// The epochs that it lacks.
    pub gaps: Vec<Gap>,
}

/// How many files all tables have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// All.
    pub count: usize,
    /// Those that `compact` might merge: the small ones, but not those of current rows.
    pub small: usize,
    /// The bytes of all files.
    pub bytes: i64,
    /// The bytes of files that were replaced and are deleted later.
    pub replaced_bytes: i64,
}

/// How many rows the log says that a file has.
pub(super) fn rows_of(add: &Add) -> Option<i64> {
    let stats: ReadStats = serde_json::from_str(add.stats.as_deref()?).ok()?;
    Some(stats.num_records)
}

/// The partition of a file.
fn day(add: &Add) -> Option<Date> {
    let day = add.partition_values.get("date")?.as_ref()?;
    Timestamp::parse(&format!("{day}T00:00:00Z")).ok().map(Date::of)
}

/// The small files of each partition.
fn small_files(table: &Table) -> BTreeMap<Date, Vec<&Add>> {
    let mut by_day: BTreeMap<Date, Vec<&Add>> = BTreeMap::new();
    for add in table.state().adds.values().filter(|add| add.size < SMALL_FILE_BYTES) {
        if let Some(day) = day(add) {
            by_day.entry(day).or_default().push(add);
        }
    }
    by_day
}

/// The small files of each partition that are merged: at least two together, in the order of their names.
fn groups(table: &Table) -> Vec<(Date, Vec<Add>)> {
    let mut groups = Vec::new();
    for (day, adds) in small_files(table) {
        let (mut group, mut rows, mut bytes) = (Vec::new(), 0, 0);
        for add in adds {
            let Some(more) = rows_of(add) else { continue };
            if rows + more > MERGED_ROWS_MAX || bytes + add.size > MERGED_BYTES_MAX {
                groups.push((day, std::mem::take(&mut group)));
                (rows, bytes) = (0, 0);
            }
            group.push(add.clone());
            (rows, bytes) = (rows + more, bytes + add.size);
        }
        groups.push((day, group));
    }
    groups.retain(|(_, group)| group.len() > 1);
    groups
}

/// Merges the small files of each partition of a table, with one commit; says how many files became fewer.
fn compact(table: &mut Table) -> Result<usize, Error> {
    let (epoch, now_ms) = (table.epoch(), table.now_ms());
    let (mut fewer, mut actions) = (0, Vec::<Action>::new());
    for (n, (day, group)) in groups(table).into_iter().enumerate() {
        let mut rows = Vec::new();
        for add in &group {
            rows.extend(table.read_rows(&add.path)?);
        }
        // Not in the form of an export's names: an export deletes of those what it did not commit.
        let name = format!("{}-{MERGED}-{:012}-{n:04}", table.schema().table, table.version() + 1);
        actions.extend(group.iter().map(|add| Action::from(add.removed(now_ms, false))));
        actions.push(table.write_rows(&name, Some(day), &mut rows, now_ms, false)?.into());
        fewer += group.len() - 1;
    }
    if fewer > 0 {
        table.commit(About { operation: "OPTIMIZE", epoch, now_ms }, actions)?;
    }
    Ok(fewer)
}

/// By how many files a table might have fewer, if all small ones of a partition became one.
fn surplus(table: &Table) -> usize {
    small_files(table).values().map(|adds| adds.len() - 1).sum()
}

/// Deletes the files of a table that no version needs which is younger than `age_ms`, or as old; says how many.
fn vacuum(table: &Table, age_ms: i64) -> Result<usize, Error> {
    let (begin, old_ms) = (format!("{}-", table.schema().table), table.now_ms().saturating_sub(age_ms));
    let mut deleted = 0;
    for path in table.data_files()? {
        let is_ours = path.rsplit('/').next().is_some_and(|name| name.starts_with(&begin));
        // A removal that the log has forgotten is older than any that it knows.
        let removed_ms = table.state().removes.get(&path).map(|remove| remove.deletion_timestamp.unwrap_or(i64::MIN));
        let is_others = table.is_shared() && may_be_committed(table, &path);
        let is_old = removed_ms.is_none_or(|at| at <= old_ms);
        if is_ours && is_old && !is_others && !table.state().adds.contains_key(&path) {
            table.delete_file(&path)?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

impl Exporter {
    /// How every table stands.
    pub fn standings(&self) -> Vec<TableStatus> {
        let standing = |table: &Table| {
            let adds = || table.state().adds.values();
            TableStatus {
                table: table.schema().table.clone(),
                epoch: table.epoch().0,
                version: table.version(),
                files: adds().count(),
                small_files: adds().filter(|add| add.size < SMALL_FILE_BYTES).count(),
                rows: adds().filter_map(rows_of).sum(),
                bytes: adds().map(|add| add.size).sum(),
                gaps: gaps(table),
            }
        };
        self.tables().map(standing).collect()
    }

    /// How many files all tables have.
    pub fn files(&self) -> FileCounts {
        let mut files = FileCounts::default();
        for table in self.tables() {
            for add in table.state().adds.values() {
                files.count += 1;
                files.small += usize::from(table.schema().is_dated && add.size < SMALL_FILE_BYTES);
                files.bytes += add.size;
            }
            files.replaced_bytes += table.replaced_bytes();
        }
        files
    }

    /// Merges the small files of each day of facts and changes; says how many files became fewer. Who reads a folder
    /// without its log sees rows twice from then on, until `vacuum`.
    pub fn compact(&mut self) -> Result<usize, Error> {
        self.tables_mut().filter(|table| table.schema().is_dated).map(compact).sum()
    }

    /// Does what is due after a commit: merges small files where there are too many, and deletes replaced files that are
    /// old enough.
    pub(super) fn tidy(&mut self) -> Result<(), Error> {
        let (now_ms, files_max) = (self.cut.1, self.config.compact_files);
        for table in self.tables_mut() {
            if files_max > 0 && table.schema().is_dated && surplus(table) > files_max {
                compact(table)?;
            }
            table.delete_replaced(now_ms.unwrap_or(i64::MIN).max(table.now_ms()))?;
        }
        Ok(())
    }

    /// Deletes files that no version needs which is younger than `age_ms` of the epochs' time; says how many. Files that no
    /// commit names are deleted too.
    pub fn vacuum(&mut self, age_ms: i64) -> Result<usize, Error> {
        self.tables().map(|table| vacuum(table, age_ms)).sum()
    }
}
