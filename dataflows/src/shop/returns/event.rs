//! What events say of goods that came back.

use crate::contract::money::Money;
use serde::Serialize;
use smol_str::SmolStr;

/// Goods that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Return {
    /// The return's id.
    pub return_id: SmolStr,
    /// What, by line.
    pub lines: Vec<ReturnedLine>,
    /// The money given back.
    pub refund: Money,
    /// Whether the goods came back into stock.
    pub restock: bool,
}

/// A line of a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReturnedLine {
    /// The order's line.
    pub line: u32,
    /// How many.
    pub quantity: i64,
    /// The money given back for it.
    pub amount: Money,
}
