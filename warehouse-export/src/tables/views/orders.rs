//! The view `orders`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("order_id", &["order_id"]),
    Column::text("status", &["status"]),
    Column::text("code", &["code"]),
    Column::id("customer_id", &["customer_id"]),
    Column::text("country", &["country"]),
    Column::text("currency", &["currency"]),
    Column::json("lines", &["lines"]),
    Column::money("total", &["total", "amount"]),
    Column::money("captured", &["captured", "amount"]),
    Column::money("refunded", &["refunded", "amount"]),
    Column::id("payment_id", &["payment", "payment_id"]),
    Column::text("payment_method", &["payment", "method"]),
    Column::text("payment_status", &["payment", "status"]),
    Column::text("carrier", &["shipment", "carrier"]),
    Column::text("tracking", &["shipment", "tracking"]),
    Column::text("shipment_status", &["shipment", "status"]),
    Column::json("history", &["history"]),
    Column::time("placed_at", &["placed_at"]),
];
