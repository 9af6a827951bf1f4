//! The view `operations`.

use super::ViewColumn as Column;

/// The columns.
pub const COLUMNS: &[Column] = &[
    Column::id("command_id", &["command_id"]),
    Column::text("type", &["type"]),
    Column::text("status", &["status"]),
    Column::long("decided_epoch", &["epoch"]),
    Column::text("topic", &["origin", "topic"]),
    Column::long("partition", &["origin", "partition"]),
    Column::long("offset", &["origin", "offset"]),
    Column::json("ids", &["ids"]),
    Column::text("code", &["code"]),
    Column::json("errors", &["errors"]),
];
