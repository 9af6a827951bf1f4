//! The command that takes goods back.

use crate::contract::code::Code;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
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

impl CommandSpec for ReturnItems {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "return_id",
        method: RouteMethod::Post,
        path: "/api/v1/orders/{id}/returns",
        summary: "Takes goods of an order back",
        body_is_optional: false,
        creates: true,
        rejections: &[
            Code::NotFound,
            Code::AlreadyExists,
            Code::InvalidTransition,
            Code::OverReturn,
            Code::Overflow,
            Code::TooLarge,
        ],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }

    fn part(&self) -> Option<&SmolStr> {
        Some(&self.return_id)
    }
}

crate::strict_object! { ReturnLine, ReturnItems }
