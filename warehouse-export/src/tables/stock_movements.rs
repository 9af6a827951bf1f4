//! `stock_movements`: changes of the stock on hand, a row a line and location of the causing document, so that running
//! balances can be rebuilt by (occurred_at, reference, line). Not reservations.

use super::{Event, Fact};
use crate::schema::{Cell, Column, Kind, Row};
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

const COLUMNS: &[Column] = &[
    Column::id("sku"),
    Column::new("location", Kind::Text),
    Column::new("quantity", Kind::Long),
    Column::new("reason", Kind::Text),
    Column::id("reference"),
    Column::new("line", Kind::Integer),
    Column::new("occurred_at", Kind::Timestamp),
    Column::new("epoch", Kind::Long),
    Column::new("n", Kind::Long),
];

/// The table.
pub const TABLE: Fact =
    Fact { name: "stock_movements", columns: COLUMNS, sort: &["sku", "occurred_at", "epoch", "n"], rows };

#[derive(Deserialize)]
struct Data {
    sku: SmolStr,
    location: SmolStr,
    quantity: i64,
    reason: SmolStr,
    reference: Option<SmolStr>,
    line: Option<i64>,
    occurred_at: Timestamp,
}

fn rows(event: &Event<'_>, rows: &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error> {
    if event.name != "StockUpdated" {
        return Ok(());
    }
    let Data { sku, location, quantity, reason, reference, line, occurred_at } = serde_json::from_str(event.data)?;
    let [epoch, n] = event.place();
    let row = vec![
        Cell::Text(sku),
        Cell::Text(location),
        Cell::Number(quantity),
        Cell::Text(reason),
        Cell::optional(reference),
        line.map_or(Cell::Null, Cell::Number),
        Cell::time(occurred_at),
        epoch,
        n,
    ];
    rows.push((occurred_at, row));
    Ok(())
}
