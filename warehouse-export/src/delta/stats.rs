//! What the Delta log says of a data file, so that readers can pass it by: rows, least and greatest values, nulls. What
//! cannot be said exactly is not said.

use crate::schema::{Cell, Kind, Row, Schema};
use dataflows::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// As many columns as Delta's own writers look at.
const COLUMNS_MAX: usize = 32;
/// A longer text is no bound: bounds are to be short, and a shortened one is easily wrong.
const TEXT_BYTES_MAX: usize = 64;
/// Decimals up to here are exact also for readers that take them as floating point numbers.
const DECIMAL_MAX: u64 = 1 << 50;

/// The statistics of a file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// How many rows.
    pub num_records: i64,
    min_values: BTreeMap<&'static str, Box<RawValue>>,
    max_values: BTreeMap<&'static str, Box<RawValue>>,
    null_count: Map<String, Value>,
}

/// What is read back of a file's statistics.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReadStats {
    /// How many rows.
    pub num_records: i64,
    /// The least values.
    pub min_values: Map<String, Value>,
    /// The greatest values.
    pub max_values: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Least,
    Greatest,
}

fn bound(kind: Kind, cell: &Cell, is_whole: bool, which: Bound) -> Option<Box<RawValue>> {
    let text = match (kind, cell) {
        (_, Cell::Null) | (Kind::Boolean, _) => return None,
        (_, Cell::Text(text)) if is_whole || text.len() <= TEXT_BYTES_MAX => json!(text.as_str()).to_string(),
        (_, Cell::Text(_)) => return None,
        (Kind::Decimal, Cell::Number(number)) => {
            if number.unsigned_abs() > DECIMAL_MAX {
                return None;
            }
            let (whole, part) = (number.unsigned_abs() / 10_000, number.unsigned_abs() % 10_000);
            format!("{}{whole}.{part:04}", if *number < 0 { "-" } else { "" })
        }
        (Kind::Timestamp, Cell::Number(micros)) => {
            // Readers expect milliseconds: away from what lies between.
            let millis = if which == Bound::Least { micros.div_euclid(1000) } else { (micros + 999).div_euclid(1000) };
            let at = Timestamp::from_micros(millis * 1000).to_string();
            let seconds = at.trim_end_matches('Z').split('.').next().unwrap_or_default();
            json!(format!("{seconds}.{:03}Z", millis.rem_euclid(1000))).to_string()
        }
        (Kind::Long | Kind::Integer | Kind::Text, Cell::Number(number)) => number.to_string(),
    };
    RawValue::from_string(text).ok()
}

impl Stats {
    /// The statistics of these rows. The first column by which a table without dates is sorted always has its bounds: its
    /// files are found by them.
    pub fn of(schema: &Schema, rows: &[Row]) -> Stats {
        let mut stats = Stats {
            num_records: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            min_values: BTreeMap::new(),
            max_values: BTreeMap::new(),
            null_count: Map::new(),
        };
        for (at, column) in schema.columns.iter().enumerate().take(COLUMNS_MAX) {
            let cells = || rows.iter().map(|row| &row[at]).filter(|cell| **cell != Cell::Null);
            let is_whole = !schema.is_dated && schema.sort.first() == Some(&at);
            stats.null_count.insert(column.name.to_owned(), json!(rows.len() - cells().count()));
            let find = |cell: Option<&Cell>, which| cell.and_then(|cell| bound(column.kind, cell, is_whole, which));
            if let Some(least) = find(cells().min(), Bound::Least) {
                stats.min_values.insert(column.name, least);
            }
            if let Some(greatest) = find(cells().max(), Bound::Greatest) {
                stats.max_values.insert(column.name, greatest);
            }
        }
        stats
    }

    /// As the log has it.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("it has only texts and numbers")
    }
}
