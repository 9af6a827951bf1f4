//! The commands of a shipment.

use crate::contract::code::Code;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::defaults::{null_is_true, yes};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Ships a paid order: its reserved goods leave the stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ShipOrder {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Who carries it.
    pub carrier: Option<SmolStr>,
    /// Under which number.
    pub tracking: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for ShipOrder {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/orders/{id}/shipments",
        summary: "Ships an order",
        body_is_optional: true,
        creates: true,
        rejections: &[Code::NotFound, Code::InvalidTransition, Code::InsufficientStock, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }
}

/// Says that a shipped order arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct DeliverOrder {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for DeliverOrder {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/orders/{id}/deliveries",
        summary: "Says that an order arrived",
        body_is_optional: true,
        creates: false,
        rejections: &[Code::NotFound, Code::InvalidTransition, Code::Overflow, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }
}

/// Says that a paid or shipped order cannot be delivered: it is cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RecordShipmentFailure {
    /// The order's id, and the record's key.
    pub order_id: SmolStr,
    /// Why.
    pub reason: Option<SmolStr>,
    /// Whether the goods come back into stock.
    #[serde(default = "yes", deserialize_with = "null_is_true")]
    pub restock: bool,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for RecordShipmentFailure {
    const DESCRIPTION: Description = Description {
        topic: Topic::Orders,
        resource: Resource::Order,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/orders/{id}/shipment-failures",
        summary: "Says that an order cannot be delivered",
        body_is_optional: true,
        creates: false,
        rejections: &[Code::NotFound, Code::InvalidTransition, Code::Overflow, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.order_id
    }
}

crate::strict_object! { ShipOrder, DeliverOrder, RecordShipmentFailure }
