//! `payments`: money of orders that was asked for, came, failed to come, or went back.

use super::{Event, Fact, Money};
use crate::schema::{Cell, Column, Kind, Row};
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

const COLUMNS: &[Column] = &[
    Column::id("order_id"),
    Column::id("payment_id"),
    Column::id("refund_id"),
    Column::new("kind", Kind::Text),
    Column::new("amount", Kind::Decimal),
    Column::new("currency", Kind::Text),
    Column::new("reason", Kind::Text),
    Column::new("occurred_at", Kind::Timestamp),
    Column::new("epoch", Kind::Long),
    Column::new("n", Kind::Long),
];

/// The table.
pub const TABLE: Fact = Fact { name: "payments", columns: COLUMNS, sort: &["order_id", "epoch", "n"], rows };

#[derive(Deserialize)]
struct Data {
    order_id: SmolStr,
    payment_id: SmolStr,
    refund_id: Option<SmolStr>,
    amount: Money,
    reason: Option<SmolStr>,
    occurred_at: Timestamp,
}

fn rows(event: &Event<'_>, rows: &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error> {
    if !matches!(event.name, "PaymentRequested" | "PaymentProcessed" | "PaymentFailed" | "RefundIssued") {
        return Ok(());
    }
    let Data { order_id, payment_id, refund_id, amount, reason, occurred_at } = serde_json::from_str(event.data)?;
    let [epoch, n] = event.place();
    let row = vec![
        Cell::Text(order_id),
        Cell::Text(payment_id),
        Cell::optional(refund_id),
        Cell::text(event.name),
        Cell::money(amount.amount.0),
        Cell::Text(amount.currency),
        Cell::optional(reason),
        Cell::time(occurred_at),
        epoch,
        n,
    ];
    rows.push((occurred_at, row));
    Ok(())
}
