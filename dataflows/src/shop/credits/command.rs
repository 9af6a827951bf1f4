//! The command of a credit without an order.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::bounds::LINES_MAX;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Country, CurrencyCode, Id, List, Price, Quantity, Text, Time, Yes};
use smol_str::SmolStr;

crate::object! {
    /// A line of a credit.
    pub struct CreditLineInput {
        /// The SKU.
        pub sku: Id,
        /// The number of pieces.
        pub quantity: Quantity,
        /// The price of one piece.
        pub unit_price: Price,
    }
}

crate::object! {
    /// A credit note without an order.
    pub struct RecordCredit {
        /// The credit's id, and the record's key.
        pub credit_id: Id,
        /// The customer's id.
        pub customer_id: Option<Id>,
        /// The currency of all amounts.
        pub currency: CurrencyCode,
        /// The country of the customer.
        pub country: Country,
        /// The goods; the policy may allow fewer lines.
        pub lines: List<CreditLineInput, LINES_MAX>,
        /// True if the goods come back into stock, at `main`.
        pub restock: Yes,
        /// The caller's own reference.
        pub reference: Option<Text>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for RecordCredit {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Credit,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/credits",
        summary: "Records a credit note",
        body_is_optional: false,
        creates: true,
        rejections: &[
            Code::AlreadyExists,
            Code::UnknownSku,
            Code::NotSold,
            Code::CurrencyMismatch,
            Code::Overflow,
            Code::TooLarge,
        ],
    };

    fn id(&self) -> &SmolStr {
        &self.credit_id
    }
}
