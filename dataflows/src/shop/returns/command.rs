//! The command that takes goods back.

use crate::contract::time::Timestamp;
use crate::shop::defaults::{null_is_true, yes};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// An entry of a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ReturnLine {
    /// The order's line, from 1.
    pub line: i64,
    /// How many.
    pub quantity: i64,
}

/// Takes goods of a shipped order back, at the line's price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ReturnItems {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// The return's id within the order.
    pub return_id: SmolStr,
    /// What comes back; at least one entry.
    pub lines: Vec<ReturnLine>,
    /// Whether the goods come back into stock.
    #[serde(default = "yes", deserialize_with = "null_is_true")]
    pub restock: bool,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

crate::strict_object! { ReturnLine, ReturnItems }
