//! Commits of rows, and the names of the files that they add.

use crate::Error;
use crate::delta::action::{Action, Add};
use crate::delta::{About, Table};
use crate::schema::{Date, Row};
use dataflows::contract::epoch::Epoch;
use std::collections::BTreeMap;

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitSummary {
    /// The newest epoch that all tables hold.
    pub epoch: Epoch,
    /// How many tables got something.
    pub tables: usize,
    /// How many rows were added to facts and changes.
    pub rows: u64,
    /// How many bytes of data files were written.
    pub bytes: u64,
}

impl CommitSummary {
    pub(super) fn count(&mut self, rows: usize, add: &Add) {
        self.rows += rows as u64;
        self.bytes += u64::try_from(add.size).unwrap_or(0);
    }
}

/// The range of epochs of a commit, as it stands in the names of its files.
pub fn file_name(table: &Table, after: Epoch, last: Epoch) -> String {
    format!("{}-{:012}-{:012}", table.schema().table, after.next().0, last.0)
}

/// Whether a file that the table has not may be in one of its next versions, by its name. One that may not stays out for
/// ever: its writer knows an older version, and its next commit will find the name taken.
pub fn may_be_committed(table: &Table, path: &str) -> bool {
    let name = path.rsplit('/').next().and_then(|name| name.strip_prefix(&table.schema().table)?.strip_prefix('-'));
    let mut parts = name.into_iter().flat_map(|name| name.split('-'));
    let (first, last) = (parts.next(), parts.next().and_then(|last| last.trim_end_matches(".parquet").parse().ok()));
    last.is_some_and(|last| if first == Some(MERGED) { last > table.version() } else { Epoch(last) > table.epoch() })
}

/// Writes rows as a file a partition, and commits them.
pub fn commit_rows(
    table: &mut Table,
    after: Epoch,
    about: About,
    days: BTreeMap<Date, Vec<Row>>,
    committed: &mut CommitSummary,
) -> Result<(), Error> {
    let name = file_name(table, after, about.epoch);
    let mut actions = Vec::new();
    for (date, mut rows) in days {
        let add: Add = table.write_rows(&name, Some(date), &mut rows, about.now_ms, true)?;
        committed.count(rows.len(), &add);
        actions.push(Action::from(add));
    }
    table.commit(about, actions)
}

/// What the names of merged files have instead of their first epoch; the version that adds them comes next.
pub const MERGED: &str = "merged";
