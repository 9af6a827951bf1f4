//! The view `policy`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::long("payment_timeout_s", &["payment_timeout_s"]),
    Column::long("payment_timeout_external_s", &["payment_timeout_external_s"]),
    Column::long("id_memory_s", &["id_memory_s"]),
    Column::long("order_lines_max", &["order_lines_max"]),
    Column::long("dead_letters_per_min", &["dead_letters_per_min"]),
];
