//! The view `stock`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("sku", &["sku"]),
    Column::long("on_hand", &["on_hand"]),
    Column::long("reserved", &["reserved"]),
    Column::long("available", &["available"]),
    Column::json("locations", &["locations"]),
];
