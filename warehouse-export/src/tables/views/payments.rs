//! The view `payments`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("payment_id", &["payment_id"]),
    Column::id("order_id", &["order_id"]),
    Column::text("method", &["method"]),
    Column::text("status", &["status"]),
    Column::money("amount", &["amount", "amount"]),
    Column::text("currency", &["amount", "currency"]),
    Column::text("token", &["token"]),
];
