//! The command that pays money back without goods.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Amount, Id, Note, Time};
use smol_str::SmolStr;

crate::object! {
    /// Pays money of an order back.
    pub struct IssueRefund {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// The refund's id within the order.
        pub refund_id: Id,
        /// The amount, at most what is left of the order's money.
        pub amount: Amount,
        /// The reason, in words.
        pub reason: Option<Note>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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
