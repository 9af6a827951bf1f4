//! Every table, a file each: which events become which rows, and what the columns of a view are.

mod adjustments;
mod credit_lines;
mod events;
mod order_lines;
mod payments;
mod stock_movements;
#[cfg(test)]
mod tests;
mod views;

use crate::schema::{Cell, Column, Row, Schema};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::money::Amount;
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

pub use views::{ViewColumn, row, schemas};

/// An event, as tables look at it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its place there.
    pub n: u64,
    /// What happened.
    pub name: &'a str,
    /// What it is about.
    pub key: &'a str,
    /// Its data, as JSON.
    pub data: &'a str,
}

/// Adds the rows that an event makes, each with its business time.
pub type RowsOf = fn(&Event<'_>, &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error>;

/// A table of facts: rows that are added and never change.
#[derive(Debug)]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// What its files are sorted by, within a day.
    pub sort: &'static [&'static str],
    /// The rows that an event adds, each with its business time.
    pub rows: RowsOf,
}

/// Every table of facts.
pub const FACTS: [&Fact; 6] = [
    &order_lines::TABLE,
    &credit_lines::TABLE,
    &adjustments::TABLE,
    &payments::TABLE,
    &stock_movements::TABLE,
    &events::TABLE,
];

impl Fact {
    /// What the table looks like.
    pub fn schema(&self) -> Schema {
        let Fact { name, columns, sort, rows: _ } = self;
        Schema::new(*name, columns.to_vec(), true, sort)
    }
}

impl Event<'_> {
    /// The columns that end every table of facts.
    fn place(&self) -> [Cell; 2] {
        [self.epoch.0, self.n].map(|number| Cell::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

/// Money in an event.
#[derive(Deserialize)]
struct Money {
    amount: Amount,
    currency: SmolStr,
}

/// A line of an order or a credit.
#[derive(Deserialize)]
struct Line {
    line: i64,
    sku: SmolStr,
    quantity: i64,
    unit_price: Money,
    amount: Money,
    category: SmolStr,
}

/// What an order's and a credit's lines share with their document.
struct Document {
    id: SmolStr,
    currency: SmolStr,
    country: SmolStr,
    customer_id: Option<SmolStr>,
    occurred_at: Timestamp,
}

/// The columns of a table of lines, after its document's id.
const LINE_COLUMNS: [Column; 13] = {
    use crate::schema::Kind::{Decimal, Integer, Long, Text, Timestamp};
    [
        Column::id("id"),
        Column::new("line", Integer),
        Column::id("sku"),
        Column::new("quantity", Long),
        Column::new("unit_price", Decimal),
        Column::new("amount", Decimal),
        Column::new("currency", Text),
        Column::new("country", Text),
        Column::new("category", Text),
        Column::id("customer_id"),
        Column::new("occurred_at", Timestamp),
        Column::new("epoch", Long),
        Column::new("n", Long),
    ]
};

/// The columns of a table of lines whose document's id has that name.
const fn line_columns(id: &'static str) -> [Column; 13] {
    let mut columns = LINE_COLUMNS;
    columns[0].name = id;
    columns
}

/// The rows of a document's lines.
fn lines(event: &Event<'_>, document: &Document, lines: Vec<Line>, rows: &mut Vec<(Timestamp, Row)>) {
    let Document { id, currency, country, customer_id, occurred_at } = document;
    for Line { line, sku, quantity, unit_price, amount, category } in lines {
        let [epoch, n] = event.place();
        let row = vec![
            Cell::Text(id.clone()),
            Cell::Number(line),
            Cell::Text(sku),
            Cell::Number(quantity),
            Cell::money(unit_price.amount.0),
            Cell::money(amount.amount.0),
            Cell::Text(currency.clone()),
            Cell::Text(country.clone()),
            Cell::Text(category),
            Cell::optional(customer_id.clone()),
            Cell::time(*occurred_at),
            epoch,
            n,
        ];
        rows.push((*occurred_at, row));
    }
}
