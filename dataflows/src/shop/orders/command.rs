//! The commands that place and cancel orders.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::bounds::LINES_MAX;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Country, CurrencyCode, Id, List, Note, Price, Quantity, Time, Token, Word};
use crate::shop::payments::PaymentMethod;
use smol_str::SmolStr;

crate::object! {
    /// A line of an order as it is placed.
    pub struct PlaceLine {
        /// The SKU.
        pub sku: Id,
        /// The number of pieces.
        pub quantity: Quantity,
        /// The price of one piece; the catalogue's by default.
        pub unit_price: Option<Price>,
    }
}

crate::object! {
    /// The payment of an order.
    pub struct PlacePayment {
        /// The way of paying.
        pub method: Word<PaymentMethod>,
        /// The text that the gateway needs to take the payment.
        pub token: Option<Token>,
    }
}

crate::object! {
    /// Places an order: prices it, and reserves every line or none.
    pub struct PlaceOrder {
        /// The order's id, and the record's key; the command id by default.
        pub order_id: Option<Id>,
        /// The customer's id.
        pub customer_id: Option<Id>,
        /// The currency of all amounts.
        pub currency: CurrencyCode,
        /// The country of the customer.
        pub country: Country,
        /// The goods; the policy may allow fewer lines.
        pub lines: List<PlaceLine, LINES_MAX>,
        /// The payment.
        pub payment: PlacePayment,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for PlaceOrder {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/orders",
        summary: "Places an order",
        body_is_optional: false,
        creates: true,
        rejections: &[
            Code::AlreadyExists,
            Code::UnknownSku,
            Code::NotSold,
            Code::CurrencyMismatch,
            Code::Overflow,
            Code::OutOfStock,
            Code::TooLarge,
        ],
    };

    /// Empty only before [`Command::read`](crate::shop::command::Command::read) has filled it in.
    fn id(&self) -> &SmolStr {
        static NONE: SmolStr = SmolStr::new_static("");
        self.order_id.as_ref().unwrap_or(&NONE)
    }
}

crate::object! {
    /// Cancels an order; releases its stock and refunds what was paid.
    pub struct CancelOrder {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// The reason, in words.
        pub reason: Option<Note>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for CancelOrder {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/orders/{id}/cancellations",
        summary: "Cancels an order",
        body_is_optional: true,
        creates: false,
        rejections: &[Code::NotFound, Code::InvalidTransition, Code::Overflow, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }
}
