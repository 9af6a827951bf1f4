//! The view `products`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("product_id", &["product_id"]),
    Column::text("title", &["title"]),
    Column::text("description", &["description"]),
    Column::text("brand", &["brand"]),
    Column::json("category", &["category"]),
    Column::json("attributes", &["attributes"]),
    Column::boolean("archived", &["archived"]),
    Column::json("variants", &["variants"]),
];
