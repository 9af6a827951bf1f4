//! Whether the tables agree with their logs and with each other: every file is there and whole, facts are what the events
//! make of them, and changes add up to the current rows. By sums of hashes, so a table of any size takes little memory.
//! Whether the current rows are those of the node's views is seen where somebody can give those.

use super::gaps::{Gap, gaps};
use super::maintenance::rows_of;
use super::{Exporter, FactTable};
use crate::Error;
use crate::delta::Table;
use crate::schema::{Cell, Row};
use crate::tables::{Event, row};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3;

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The table.
    pub table: String,
    /// What is wrong.
    pub why: String,
}

/// Rows, whatever their order: how many, and the sum of their hashes modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: i64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, row: &[Cell], times: i64) {
        let mut hash = Xxh3::new();
        for cell in row {
            match cell {
                Cell::Null => hash.update(&[0]),
                Cell::Text(text) => {
                    hash.update(&[1]);
                    hash.update(&(text.len() as u64).to_le_bytes());
                    hash.update(text.as_bytes());
                }
                Cell::Number(number) => {
                    hash.update(&[2]);
                    hash.update(&number.to_le_bytes());
                }
            }
        }
        self.rows += times;
        // Less one row is the same as more by its complement.
        self.hashes = self.hashes.wrapping_add(hash.digest128().wrapping_mul(i128::from(times) as u128));
    }
}

fn number(row: &Row, at: usize) -> Option<i64> {
    match row.get(at)? {
        Cell::Number(number) => Some(*number),
        Cell::Null | Cell::Text(_) => None,
    }
}

fn text(row: &Row, at: usize) -> Option<&str> {
    match row.get(at)? {
        Cell::Text(text) => Some(text),
        Cell::Null | Cell::Number(_) => None,
    }
}

/// Hands over every row of a table, and tells of files that are not as the log says.
fn each_row(table: &Table, problems: &mut Vec<Problem>, mut each: impl FnMut(&Row)) {
    for add in table.state().adds.values() {
        let why = match table.read_rows(&add.path) {
            Ok(rows) => {
                rows.iter().for_each(&mut each);
                let said = rows_of(add);
                let is_said = said.is_none_or(|said| said == rows.len() as i64);
                (!is_said).then(|| format!("{} has {} rows, and {said:?} in the log", add.path, rows.len()))
            }
            Err(error) => Some(with_sources(&error)),
        };
        problems.extend(why.map(|why| Problem { table: table.schema().table.clone(), why }));
    }
}

fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text += &format!(": {inner}");
        source = inner.source();
    }
    text
}

fn is_until(row: &Row, place: Option<usize>, last: Epoch) -> bool {
    let epoch = place.and_then(|at| number(row, at)).and_then(|epoch| u64::try_from(epoch).ok());
    epoch.is_some_and(|epoch| epoch <= last.0)
}

/// Hands over every row of a view, its key and its JSON, at the epoch that was committed last; or says why it cannot.
pub type RowsOfView<'a> = &'a mut dyn FnMut(View, &mut dyn FnMut(&SmolStr, &[u8])) -> Result<(), String>;

impl Exporter {
    /// Holds the current rows of every view against the view itself; gives what is wrong, or why that cannot be seen.
    pub fn verify_views(&self, rows: RowsOfView<'_>) -> Result<Vec<Problem>, String> {
        let mut problems = Vec::new();
        for (view, tables) in &self.views {
            let [_, current] = tables.tables();
            let table = current.schema().table.clone();
            if current.epoch() > self.cut.0 {
                return Err(format!("{table} is ahead of other tables until the next commit"));
            }
            let (mut expected, mut found, mut wrong) = (Sum::default(), Sum::default(), None);
            rows(*view, &mut |key, value| match row(*view, key, value) {
                Ok(row) => expected.add(&row, 1),
                Err(why) => wrong = Some(format!("the row {key} of the view cannot be read: {why}")),
            })?;
            // Files that cannot be read are told of by who reads all tables.
            each_row(current, &mut Vec::new(), |row| found.add(row, 1));
            if found != expected {
                let why =
                    format!("its rows are not those of the view at epoch {}: {found:?}, and {expected:?}", self.cut.0);
                problems.push(Problem { table: table.clone(), why });
            }
            problems.extend(wrong.map(|why| Problem { table, why }));
        }
        Ok(problems)
    }

    /// Reads every table; gives what is wrong.
    pub fn verify(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for table in self.tables() {
            problems.extend(gaps(table).into_iter().map(|Gap { from, to }| Problem {
                table: table.schema().table.clone(),
                why: format!("it lacks the epochs {from} to {to}, which nobody had any more when it was written"),
            }));
        }
        self.verify_facts(&mut problems);
        for view in self.views.values() {
            let [changes, current] = view.tables();
            let (mut of_changes, mut of_current) = (Sum::default(), Sum::default());
            each_row(changes, &mut problems, |row| {
                if is_until(row, Some(2), current.epoch()) {
                    let own: Row = row[..1].iter().chain(&row[3..]).cloned().collect();
                    of_changes.add(&own, number(row, 1).unwrap_or_default());
                }
            });
            each_row(current, &mut problems, |row| of_current.add(row, 1));
            if of_changes != of_current {
                let why = format!("its rows are not the sum of the changes: {of_current:?}, and {of_changes:?}");
                problems.push(Problem { table: current.schema().table.clone(), why });
            }
        }
        problems
    }

    fn verify_facts(&self, problems: &mut Vec<Problem>) {
        let last = self.cut.0;
        let mut expected: BTreeMap<&str, Sum> = BTreeMap::new();
        let events = self.facts.iter().find(|fact| fact.fact.name == "events");
        let Some(FactTable { fact: _, table: events, rows: _ }) = events else { return };
        let mut unread = Vec::new();
        each_row(events, problems, |row| {
            let (epoch, n) = (number(row, 0).unwrap_or_default(), number(row, 1).unwrap_or_default());
            let (name, key, data) = (text(row, 2), text(row, 3), text(row, 7));
            if !is_until(row, Some(0), last) {
                return;
            }
            let (Some(name), Some(key), Some(data)) = (name, key, data) else {
                unread.push(format!("event {epoch}-{n} lacks its type, key or data"));
                return;
            };
            let event = Event { epoch: Epoch(epoch as u64), n: n as u64, name, key, data };
            for FactTable { fact, table: _, rows: _ } in &self.facts {
                let mut rows: Vec<(Timestamp, Row)> = Vec::new();
                match (fact.rows)(&event, &mut rows) {
                    Ok(()) => rows.iter().for_each(|(_, row)| expected.entry(fact.name).or_default().add(row, 1)),
                    Err(error) => unread.push(format!("event {epoch}-{n}: {error}")),
                }
            }
        });
        problems.extend(unread.into_iter().map(|why| Problem { table: events.schema().table.clone(), why }));
        for FactTable { fact, table, rows: _ } in &self.facts {
            let at = table.schema().columns.iter().position(|column| column.name == "epoch");
            let mut found = Sum::default();
            // Its own files were told of above.
            let mut told = Vec::new();
            each_row(table, if fact.name == "events" { &mut told } else { problems }, |row| {
                if is_until(row, at, last) {
                    found.add(row, 1);
                }
            });
            let expected = expected.get(fact.name).copied().unwrap_or_default();
            if found != expected {
                let why = format!("its rows are not what the events make: {found:?}, and {expected:?}");
                problems.push(Problem { table: fact.name.to_owned(), why });
            }
        }
    }
}
