//! What is done to tables now and then: small files are merged, files that no version needs are deleted. The rows stay.

use super::{Exporter, may_be_committed};
use crate::Error;
use crate::delta::action::{Action, Add};
use crate::delta::{About, ReadStats, Table};
use crate::schema::Date;
use dataflows::time::Timestamp;
use std::collections::BTreeMap;

/// A file below that is small: readers want fewer and larger ones.
pub const SMALL_FILE_BYTES: i64 = 16 << 20;
/// No merged file gets more rows than that, since they are in memory together.
pub const MERGED_ROWS_MAX: i64 = 1 << 20;

/// What the names of merged files have instead of their first epoch; the version that adds them comes next.
pub(super) const MERGED: &str = "merged";

/// How a table stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub table: String,
    /// The newest epoch that changed it.
    pub epoch: u64,
    /// The version of its log.
    pub version: u64,
    /// How many files it has.
    pub files: usize,
    /// How many of them `compact` might merge.
    pub files_small: usize,
    /// How many rows, as its log says.
    pub rows: i64,
    /// How many bytes.
    pub bytes: i64,
}

/// How many files all tables have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// All.
    pub count: usize,
    /// Those that `compact` might merge: the small ones, but not those of current rows.
    pub small: usize,
    /// Their bytes.
    pub bytes: i64,
}

/// How many rows the log says that a file has.
pub(super) fn rows_of(add: &Add) -> Option<i64> {
    let stats: ReadStats = serde_json::from_str(add.stats.as_deref()?).ok()?;
    Some(stats.num_records)
}

/// The small files of each day that are merged: at least two together, in the order of their names.
fn groups(table: &Table) -> Vec<(Date, Vec<Add>)> {
    let mut by_day: BTreeMap<Date, Vec<Vec<Add>>> = BTreeMap::new();
    let mut rows: BTreeMap<Date, i64> = BTreeMap::new();
    for add in table.state().adds.values().filter(|add| add.size < SMALL_FILE_BYTES) {
        let day = add
            .partition_values
            .get("date")
            .and_then(|day| Timestamp::parse(&format!("{}T00:00:00Z", day.as_ref()?)).ok());
        let (Some(day), Some(more)) = (day.map(Date::of), rows_of(add)) else { continue };
        let (groups, rows) = (by_day.entry(day).or_default(), rows.entry(day).or_default());
        *rows += more;
        match groups.last_mut().filter(|_| *rows <= MERGED_ROWS_MAX) {
            Some(group) => group.push(add.clone()),
            None => {
                groups.push(vec![add.clone()]);
                *rows = more;
            }
        }
    }
    let groups = by_day.into_iter().flat_map(|(day, groups)| groups.into_iter().map(move |group| (day, group)));
    groups.filter(|(_, group)| group.len() > 1).collect()
}

/// Merges the small files of each day of a table; says how many files became fewer.
fn compact(table: &mut Table) -> Result<usize, Error> {
    let (epoch, now_ms) = (table.epoch(), table.now_ms());
    let mut fewer = 0;
    for (n, (day, group)) in groups(table).into_iter().enumerate() {
        let mut rows = Vec::new();
        for add in &group {
            rows.extend(table.read_rows(&add.path)?);
        }
        // Not in the form of an export's names: an export deletes of those what it did not commit.
        let name = format!("{}-{MERGED}-{:012}-{n:04}", table.schema().table, table.version() + 1);
        let mut actions: Vec<Action> = group.iter().map(|add| add.removed(now_ms, false).into()).collect();
        actions.push(table.write_rows(&name, Some(day), &mut rows, now_ms, false)?.into());
        table.commit(About { operation: "OPTIMIZE", epoch, now_ms }, actions)?;
        fewer += group.len() - 1;
    }
    Ok(fewer)
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
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |table: &Table| {
            let adds = || table.state().adds.values();
            Standing {
                table: table.schema().table.clone(),
                epoch: table.epoch().0,
                version: table.version(),
                files: adds().count(),
                files_small: adds().filter(|add| add.size < SMALL_FILE_BYTES).count(),
                rows: adds().filter_map(rows_of).sum(),
                bytes: adds().map(|add| add.size).sum(),
            }
        };
        self.tables().map(standing).collect()
    }

    /// How many files all tables have.
    pub fn files(&self) -> Files {
        let mut files = Files::default();
        for table in self.tables() {
            for add in table.state().adds.values() {
                files.count += 1;
                files.small += usize::from(table.schema().is_dated && add.size < SMALL_FILE_BYTES);
                files.bytes += add.size;
            }
        }
        files
    }

    /// Merges the small files of each day of facts and changes; says how many files became fewer. Who reads a folder
    /// without its log sees rows twice from then on, until `vacuum`.
    pub fn compact(&mut self) -> Result<usize, Error> {
        let facts = self.facts.iter_mut().map(|fact| &mut fact.table);
        let changes = self.views.values_mut().map(|view| &mut view.changes);
        facts.chain(changes).map(compact).sum()
    }

    /// Deletes files that no version needs which is younger than `age_ms` of the epochs' time; says how many. The log
    /// remembers removals for 7 days: a greater age is taken as that.
    pub fn vacuum(&mut self, age_ms: i64) -> Result<usize, Error> {
        self.tables().map(|table| vacuum(table, age_ms)).sum()
    }
}
