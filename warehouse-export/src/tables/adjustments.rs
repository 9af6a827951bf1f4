//! `adjustments`: money without goods, signed.

use super::{Event, Fact, Money};
use crate::schema::{Cell, Column, Kind, Row};
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

const COLUMNS: &[Column] = &[
    Column::id("adjustment_id"),
    Column::new("amount", Kind::Decimal),
    Column::new("currency", Kind::Text),
    Column::new("country", Kind::Text),
    Column::id("customer_id"),
    Column::new("occurred_at", Kind::Timestamp),
    Column::new("epoch", Kind::Long),
    Column::new("n", Kind::Long),
];

/// The table.
pub const TABLE: Fact = Fact { name: "adjustments", columns: COLUMNS, sort: &["adjustment_id"], rows };

#[derive(Deserialize)]
struct Data {
    adjustment: Adjustment,
}

#[derive(Deserialize)]
struct Adjustment {
    adjustment_id: SmolStr,
    customer_id: Option<SmolStr>,
    country: SmolStr,
    amount: Money,
    occurred_at: Timestamp,
}

fn rows(event: &Event<'_>, rows: &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error> {
    if event.name != "AdjustmentRecorded" {
        return Ok(());
    }
    let Data { adjustment } = serde_json::from_str(event.data)?;
    let Adjustment { adjustment_id, customer_id, country, amount, occurred_at } = adjustment;
    let [epoch, n] = event.place();
    let row = vec![
        Cell::Text(adjustment_id),
        Cell::money(amount.amount.0),
        Cell::Text(amount.currency),
        Cell::Text(country),
        Cell::optional(customer_id),
        Cell::time(occurred_at),
        epoch,
        n,
    ];
    rows.push((occurred_at, row));
    Ok(())
}
