//! The view `credits`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("credit_id", &["credit_id"]),
    Column::id("customer_id", &["customer_id"]),
    Column::text("currency", &["currency"]),
    Column::text("country", &["country"]),
    Column::json("lines", &["lines"]),
    Column::money("total", &["total", "amount"]),
    Column::boolean("restock", &["restock"]),
    Column::text("reference", &["reference"]),
    Column::time("occurred_at", &["occurred_at"]),
    Column::long("decided_epoch", &["epoch"]),
];
