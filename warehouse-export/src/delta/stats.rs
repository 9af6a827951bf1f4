//! What the Delta log says of a data file, so that readers can pass it by: rows, least and greatest values, nulls, of every
//! column. Readers take a column without bounds, beside columns with them, for one of nulls. So what cannot be said
//! exactly is said wider: the least value lower, the greatest higher.

use crate::schema::{Cell, Kind, Row, Schema};
use dataflows::contract::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Bounds of longer texts are cut to this.
const TEXT_BYTES_MAX: usize = 64;
/// Ten-thousandths up to here are exact also for readers that take decimals as floating point numbers. Beyond, whole units
/// are.
const DECIMAL_EXACT_MAX: u64 = 1 << 50;
const DECIMAL_UNIT: i64 = 10_000;
/// The greatest value of a `decimal(18,4)`.
const DECIMAL_MAX: i64 = 999_999_999_999_999_999;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Least,
    Greatest,
}

/// A text that is not greater than every text that begins so, or not less.
fn text_bound(text: &str, which: Bound) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let mut cut = text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
    if which == Bound::Least {
        return cut;
    }
    // The next character after the last one that has one; texts are in the order of their characters.
    while let Some(last) = cut.pop() {
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            cut.push(next);
            return cut;
        }
    }
    text.to_owned()
}

fn decimal_bound(number: i64, which: Bound) -> String {
    let number = match which {
        _ if number.unsigned_abs() <= DECIMAL_EXACT_MAX => number,
        Bound::Least => (number.div_euclid(DECIMAL_UNIT)).saturating_mul(DECIMAL_UNIT).max(-DECIMAL_MAX),
        Bound::Greatest => {
            let units = number.div_euclid(DECIMAL_UNIT) + i64::from(number.rem_euclid(DECIMAL_UNIT) > 0);
            units.saturating_mul(DECIMAL_UNIT).min(DECIMAL_MAX)
        }
    };
    let (whole, part) = (number.unsigned_abs() / 10_000, number.unsigned_abs() % 10_000);
    format!("{}{whole}.{part:04}", if number < 0 { "-" } else { "" })
}

fn time_bound(micros: i64, which: Bound) -> String {
    // Readers expect milliseconds: away from what lies between.
    let millis =
        if which == Bound::Least { micros.div_euclid(1000) } else { micros.saturating_add(999).div_euclid(1000) };
    let at = Timestamp::from_micros(millis.saturating_mul(1000)).to_string();
    let seconds = at.trim_end_matches('Z').split('.').next().unwrap_or_default();
    format!("{seconds}.{:03}Z", millis.rem_euclid(1000))
}

/// A bound as the log has it; none of no value.
fn bound(kind: Kind, cell: &Cell, is_whole: bool, which: Bound) -> Option<Box<RawValue>> {
    let text = match (kind, cell) {
        (_, Cell::Null) => return None,
        (_, Cell::Text(text)) if is_whole => json!(text.as_str()).to_string(),
        (_, Cell::Text(text)) => json!(text_bound(text, which)).to_string(),
        (Kind::Boolean, Cell::Number(number)) => (*number != 0).to_string(),
        (Kind::Decimal, Cell::Number(number)) => decimal_bound(*number, which),
        (Kind::Timestamp, Cell::Number(micros)) => json!(time_bound(*micros, which)).to_string(),
        (Kind::Long | Kind::Integer | Kind::Text, Cell::Number(number)) => number.to_string(),
    };
    RawValue::from_string(text).ok()
}

impl Stats {
    /// The statistics of these rows. The first column by which a table without dates is sorted has its least value whole:
    /// its files are found by it.
    pub fn of(schema: &Schema, rows: &[Row]) -> Stats {
        let mut stats = Stats {
            num_records: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            min_values: BTreeMap::new(),
            max_values: BTreeMap::new(),
            null_count: Map::new(),
        };
        for (at, column) in schema.columns.iter().enumerate() {
            let cells = || rows.iter().map(|row| &row[at]).filter(|cell| **cell != Cell::Null);
            let is_whole = !schema.is_dated && schema.sort.first() == Some(&at);
            stats.null_count.insert(column.name.to_owned(), json!(rows.len() - cells().count()));
            if let Some(least) = cells().min().and_then(|cell| bound(column.kind, cell, is_whole, Bound::Least)) {
                stats.min_values.insert(column.name, least);
            }
            if let Some(greatest) = cells().max().and_then(|cell| bound(column.kind, cell, false, Bound::Greatest)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Column;

    #[test]
    fn a_text_that_is_cut_is_still_a_bound() {
        let long = |end: &str| format!("{}{end}", "a".repeat(63));
        let texts = [
            long("bc"),
            long("\u{e9}\u{e9}"),
            long("\u{d7ff}x"),
            long("\u{10ffff}x"),
            format!("{}z", "\u{10ffff}".repeat(16)),
            "\u{10ffff}".repeat(40),
            "\u{e000}".repeat(40),
        ];
        for text in texts {
            let (least, greatest) = (text_bound(&text, Bound::Least), text_bound(&text, Bound::Greatest));
            assert!(least < text && least.len() <= TEXT_BYTES_MAX, "{text}: {least}");
            assert!(greatest >= text, "{text}: {greatest}");
            // Whatever else begins like it lies between them too.
            assert!(greatest == text || greatest > format!("{least}\u{10ffff}\u{10ffff}"), "{text}: {greatest}");
        }
        assert_eq!(text_bound("short", Bound::Greatest), "short");
    }

    #[test]
    fn money_beyond_what_a_float_holds_has_bounds_in_whole_units() {
        let both = |number| [Bound::Least, Bound::Greatest].map(|which| decimal_bound(number, which));
        assert_eq!(both(-12_345), ["-1.2345", "-1.2345"]);
        assert_eq!(both(123_456_789_012_345_678), ["12345678901234.0000", "12345678901235.0000"]);
        assert_eq!(both(-123_456_789_012_345_678), ["-12345678901235.0000", "-12345678901234.0000"]);
        assert_eq!(both(DECIMAL_MAX)[1], "99999999999999.9999");
        assert_eq!(both(-DECIMAL_MAX)[0], "-99999999999999.9999");
    }

    #[test]
    fn every_column_has_its_bounds_and_its_nulls() {
        let columns = [
            Column::id("key"),
            Column::new("is", Kind::Boolean),
            Column::new("at", Kind::Timestamp),
            Column::new("none", Kind::Long),
        ];
        let rows = [
            vec![Cell::text("k".repeat(70)), Cell::Number(0), Cell::Number(1_001), Cell::Null],
            vec![Cell::text("l".repeat(70)), Cell::Number(0), Cell::Null, Cell::Null],
        ];
        let stats = |is_dated| -> Value {
            let schema = Schema::new("t", columns.to_vec(), is_dated, &["key"]);
            serde_json::from_str(&Stats::of(&schema, &rows).json()).unwrap()
        };
        let expected = json!({
            "numRecords": 2,
            "minValues": {"key": "k".repeat(64), "is": false, "at": "1970-01-01T00:00:00.001Z"},
            "maxValues": {"key": format!("{}m", "l".repeat(63)), "is": false, "at": "1970-01-01T00:00:00.002Z"},
            "nullCount": {"key": 0, "is": 0, "at": 1, "none": 2},
        });
        assert_eq!(stats(true), expected);
        assert_eq!(stats(false)["minValues"]["key"], "k".repeat(70));
    }
}
