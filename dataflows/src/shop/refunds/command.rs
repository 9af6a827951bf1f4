//! The command that pays money back without goods.

use crate::contract::code::Code;
use crate::contract::money::MoneyInput;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Pays money of an order back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct IssueRefund {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// The refund's id within the order.
    pub refund_id: SmolStr,
    /// How much, at most what is left.
    pub amount: MoneyInput,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for IssueRefund {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "refund_id",
        method: RouteMethod::Post,
        path: "/api/v1/orders/{id}/refunds",
        summary: "Pays money of an order back",
        body_is_optional: false,
        creates: true,
        rejections: &[
            Code::NotFound,
            Code::AlreadyExists,
            Code::CurrencyMismatch,
            Code::OverRefund,
            Code::Overflow,
            Code::TooLarge,
        ],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }

    fn part(&self) -> Option<&SmolStr> {
        Some(&self.refund_id)
    }
}

crate::strict_object! { IssueRefund }
