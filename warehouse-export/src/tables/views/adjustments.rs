//! The view `adjustments`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("adjustment_id", &["adjustment_id"]),
    Column::id("customer_id", &["customer_id"]),
    Column::text("currency", &["currency"]),
    Column::text("country", &["country"]),
    Column::money("amount", &["amount", "amount"]),
    Column::text("reference", &["reference"]),
    Column::time("occurred_at", &["occurred_at"]),
    Column::long("decided_epoch", &["epoch"]),
];
