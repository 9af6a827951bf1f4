//! The command that takes goods back.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::bounds::{LARGEST, LINES_MAX};
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Id, List, Number, Quantity, Time, Yes};
use smol_str::SmolStr;

crate::object! {
    /// An entry of a return.
    pub struct ReturnLine {
        /// The order's line, from 1.
        pub line: Number<1, LARGEST>,
        /// The number of pieces.
        pub quantity: Quantity,
    }
}

crate::object! {
    /// Takes goods of a shipped order back, at the line's price.
    pub struct ReturnItems {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// The return's id within the order.
        pub return_id: Id,
        /// The pieces that come back.
        pub lines: List<ReturnLine, LINES_MAX>,
        /// True if the goods come back into stock.
        pub restock: Yes,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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
