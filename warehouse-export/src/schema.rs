//! What columns a table has, and what a row is. Not for which tables there are: see `tables`.

use dataflows::contract::time::{Civil, Timestamp};
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::fmt;

/// What a column holds. Every one may be null, so that a table can get columns later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A signed whole number of 64 bits.
    Long,
    /// One of 32 bits.
    Integer,
    /// Money: `decimal(18,4)`.
    Decimal,
    /// A moment, in microseconds, UTC.
    Timestamp,
    /// Yes or no.
    Boolean,
}

impl Kind {
    /// Its name in a Delta schema.
    pub const fn delta_name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Long => "long",
            Kind::Integer => "integer",
            Kind::Decimal => "decimal(18,4)",
            Kind::Timestamp => "timestamp",
            Kind::Boolean => "boolean",
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it is looked up by value: it gets a bloom filter.
    pub is_id: bool,
}

impl Column {
    /// A column.
    pub const fn new(name: &'static str, kind: Kind) -> Column {
        Column { name, kind, is_id: false }
    }

    /// A column of ids.
    pub const fn id(name: &'static str) -> Column {
        Column { name, kind: Kind::Text, is_id: true }
    }
}

/// A value of a row. Everything but text is a whole number: of ten-thousandths, of microseconds, 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Text.
    Text(SmolStr),
    /// A number.
    Number(i64),
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<SmolStr>) -> Cell {
        Cell::Text(text.into())
    }

    /// Text that may be absent.
    pub fn optional(text: Option<SmolStr>) -> Cell {
        text.map_or(Cell::Null, Cell::Text)
    }

    /// A moment.
    pub fn time(at: Timestamp) -> Cell {
        Cell::Number(at.micros())
    }

    /// Money in ten-thousandths. An amount of more than 18 digits has no place in a `decimal(18,4)`, and none is better
    /// than a wrong one: it is null, and its exact text is in the table `events`.
    pub fn money(amount: impl Into<i128>) -> Cell {
        const DIGITS_18: i64 = 999_999_999_999_999_999;
        let amount = i64::try_from(amount.into()).ok();
        amount.filter(|amount| (-DIGITS_18..=DIGITS_18).contains(amount)).map_or(Cell::Null, Cell::Number)
    }
}

/// A row: a cell for each column.
pub type Row = Vec<Cell>;

const DAY_US: i64 = 86_400_000_000;
/// Rows of days that are longer ago are partitioned by month.
const BY_DAY_DAYS: i64 = 400;

/// A day in UTC, as the partition column `date` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The day of a moment.
    pub fn of(at: Timestamp) -> Date {
        let Civil { year, month, day, hour: _, minute: _, second: _, micro: _ } = at.civil();
        Date { year, month, day }
    }

    /// The partition of a row of that business time, which was decided at that time: the day, or, where that is long ago,
    /// the first of its month. So whatever business times a caller sends, the partitions of a table are few.
    pub fn partition(occurred_at: Timestamp, at: Timestamp) -> Date {
        let day = |at: Timestamp| at.micros().div_euclid(DAY_US);
        let date = Date::of(occurred_at);
        if day(at) - day(occurred_at) > BY_DAY_DAYS { Date { day: 1, ..date } } else { date }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What a table looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub table: String,
    /// Its columns, without the partition column.
    pub columns: Vec<Column>,
    /// Whether it is partitioned by `date`.
    pub is_dated: bool,
    /// The columns that its files are sorted by.
    pub sort: Vec<usize>,
}

/// The partition column.
pub const DATE: &str = "date";

impl Schema {
    /// A table; it is sorted by the columns that are named.
    pub fn new(table: impl Into<String>, columns: Vec<Column>, is_dated: bool, sort: &[&str]) -> Schema {
        let place =
            |name: &&str| columns.iter().position(|column| column.name == *name).expect("a column of the table");
        let sort = sort.iter().map(place).collect();
        Schema { table: table.into(), columns, is_dated, sort }
    }

    /// The schema as Delta has it.
    pub fn delta(&self) -> Value {
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
        let mut fields: Vec<Value> =
            self.columns.iter().map(|column| field(column.name, column.kind.delta_name())).collect();
        if self.is_dated {
            fields.push(field(DATE, "date"));
        }
        json!({"type": "struct", "fields": fields})
    }

    /// Puts rows in the order of the files.
    pub fn sort(&self, rows: &mut [Row]) {
        // Stable: rows that agree in all of these are in the order of the log.
        rows.sort_by(|a, b| {
            self.sort.iter().map(|at| a[*at].cmp(&b[*at])).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_long_ago_is_in_the_partition_of_its_month() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let partition = |occurred_at: &str| Date::partition(at(occurred_at), at("2026-11-22T10:00:00Z")).to_string();
        assert_eq!(partition("2026-11-22T10:04:00Z"), "2026-11-22");
        assert_eq!(partition("2025-10-18T00:00:00Z"), "2025-10-18", "400 days ago");
        assert_eq!(partition("2025-10-17T23:59:59Z"), "2025-10-01");
        assert_eq!(partition("0000-02-29T00:00:00Z"), "0000-02-01");
    }
}
