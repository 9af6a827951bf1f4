//! The view `searches`: a day and a query, as people type it but in lower case.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::text("day", &["day"]),
    Column::text("query", &["query"]),
    Column::long("searches", &["searches"]),
    Column::long("without_results", &["without_results"]),
    Column::long("clicks", &["clicks"]),
    Column::long("searches_with_click", &["searches_with_click"]),
];
