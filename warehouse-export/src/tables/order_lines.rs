//! `order_lines`: the lines of an order, once it is paid, in the day in which it was placed: as revenue counts it. Not what
//! became of the order afterwards.

use super::{Document, Event, Fact, Line, line_columns, lines};
use crate::schema::{Column, Row};
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

const COLUMNS: &[Column] = &line_columns("order_id");

/// The table.
pub const TABLE: Fact = Fact { name: "order_lines", columns: COLUMNS, sort: &["order_id", "line"], rows };

#[derive(Deserialize)]
struct Data {
    order: Order,
    from: Option<SmolStr>,
}

#[derive(Deserialize)]
struct Order {
    order_id: SmolStr,
    status: SmolStr,
    customer_id: Option<SmolStr>,
    country: SmolStr,
    currency: SmolStr,
    lines: Vec<Line>,
    placed_at: Timestamp,
}

fn rows(event: &Event<'_>, rows: &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error> {
    // An order is paid at once, or out of waiting for its payment, and never again.
    if !matches!(event.name, "OrderCreated" | "OrderUpdated") {
        return Ok(());
    }
    let Data { order, from } = serde_json::from_str(event.data)?;
    let Order { order_id, status, customer_id, country, currency, lines: of_order, placed_at } = order;
    if status == "paid" && from.is_none_or(|from| from == "pending_payment") {
        let document = Document { id: order_id, currency, country, customer_id, occurred_at: placed_at };
        lines(event, &document, of_order, rows);
    }
    Ok(())
}
