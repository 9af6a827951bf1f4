//! `events`: every event as it was published.

use super::{Event, Fact};
use crate::schema::{Cell, Column, Kind, Row};
use dataflows::contract::time::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;

const COLUMNS: &[Column] = &[
    Column::new("epoch", Kind::Long),
    Column::new("n", Kind::Long),
    Column::new("type", Kind::Text),
    Column::id("key"),
    Column::id("cause"),
    Column::new("at", Kind::Timestamp),
    Column::new("occurred_at", Kind::Timestamp),
    Column::new("data", Kind::Text),
];

/// The table.
pub const TABLE: Fact = Fact { name: "events", columns: COLUMNS, sort: &["key", "epoch", "n"], rows };

#[derive(Deserialize)]
struct Data {
    cause: SmolStr,
    at: Timestamp,
    occurred_at: Timestamp,
}

fn rows(event: &Event<'_>, rows: &mut Vec<(Timestamp, Row)>) -> Result<(), serde_json::Error> {
    let Data { cause, at, occurred_at } = serde_json::from_str(event.data)?;
    let [epoch, n] = event.place();
    let row = vec![
        epoch,
        n,
        Cell::text(event.name),
        Cell::text(event.key),
        Cell::Text(cause),
        Cell::time(at),
        Cell::time(occurred_at),
        Cell::text(event.data),
    ];
    rows.push((occurred_at, row));
    Ok(())
}
