//! `credit_lines`: the lines of credit notes without an order.

use super::{Document, Event, Fact, Line, line_columns, lines};
use crate::schema::{Column, Row};
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

const COLUMNS: &[Column] = &line_columns("credit_id");

/// The table.
pub const TABLE: Fact = Fact { name: "credit_lines", columns: COLUMNS, sort: &["credit_id", "line"], rows };

#[derive(Deserialize)]
struct Data {
    credit: Credit,
}

#[derive(Deserialize)]
struct Credit {
    credit_id: SmolStr,
    customer_id: Option<SmolStr>,
    currency: SmolStr,
    country: SmolStr,
    lines: Vec<Line>,
    occurred_at: Timestamp,
}

fn rows(event: &Event<'_>, rows: &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error> {
    if event.name != "CreditRecorded" {
        return Ok(());
    }
    let Data { credit } = serde_json::from_str(event.data)?;
    let Credit { credit_id, customer_id, currency, country, lines: of_credit, occurred_at } = credit;
    lines(event, &Document { id: credit_id, currency, country, customer_id, occurred_at }, of_credit, rows);
    Ok(())
}
