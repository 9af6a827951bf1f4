//! The commands that place and cancel orders.

use crate::contract::code::Code;
use crate::contract::money::MoneyInput;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::payments::PaymentMethod;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A line of an order as it is placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PlaceLine {
    /// What.
    pub sku: SmolStr,
    /// How many.
    pub quantity: i64,
    /// At what price; the catalogue's by default.
    pub unit_price: Option<MoneyInput>,
}

/// How an order is to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PlacePayment {
    /// By which way.
    pub method: PaymentMethod,
    /// What the gateway needs.
    pub token: Option<SmolStr>,
}

/// Places an order: prices it, and reserves every line or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PlaceOrder {
    /// The order's id, and the record's key; the command id by default.
    pub order_id: Option<SmolStr>,
    /// Who buys.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: SmolStr,
    /// From which country.
    pub country: SmolStr,
    /// What; at least one line.
    pub lines: Vec<PlaceLine>,
    /// How it is paid.
    pub payment: PlacePayment,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
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

/// Cancels an order; releases its stock and refunds what was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct CancelOrder {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
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

crate::strict_object! { PlaceLine, PlacePayment, PlaceOrder, CancelOrder }
