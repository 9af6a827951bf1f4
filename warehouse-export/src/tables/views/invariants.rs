//! The view `invariants`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::text("name", &["name"]),
    Column::long("checked", &["checked"]),
    Column::long("violations", &["violations"]),
    Column::text("first_violation", &["first_violation"]),
];
