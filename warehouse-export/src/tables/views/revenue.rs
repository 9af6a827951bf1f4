//! The view `revenue`: periods of all three lengths, each split by category and not (`category` null).

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::text("period", &["period"]),
    Column::text("currency", &["currency"]),
    Column::text("country", &["country"]),
    Column::text("category", &["category"]),
    Column::money("gross", &["gross", "amount"]),
    Column::money("returned", &["returned", "amount"]),
    Column::money("adjusted", &["adjusted", "amount"]),
    Column::money("net", &["net", "amount"]),
    Column::long("orders", &["orders"]),
    Column::long("units", &["units"]),
    Column::long("units_returned", &["units_returned"]),
];
