//! The command of money without goods.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Country, CurrencyCode, Id, SignedAmount, Text, Time};
use smol_str::SmolStr;

crate::object! {
    /// Money without goods.
    pub struct RecordAdjustment {
        /// The adjustment's id, and the record's key.
        pub adjustment_id: Id,
        /// The customer's id.
        pub customer_id: Option<Id>,
        /// The currency of all amounts.
        pub currency: CurrencyCode,
        /// The country of the customer.
        pub country: Country,
        /// The amount, in the adjustment's currency.
        pub amount: SignedAmount,
        /// The caller's own reference.
        pub reference: Option<Text>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for RecordAdjustment {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Adjustment,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/adjustments",
        summary: "Records money without goods",
        body_is_optional: false,
        creates: true,
        rejections: &[Code::AlreadyExists, Code::CurrencyMismatch, Code::Overflow],
    };

    fn id(&self) -> &SmolStr {
        &self.adjustment_id
    }
}
