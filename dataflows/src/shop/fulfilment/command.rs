//! The commands of a shipment.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Id, Note, Text, Time, Yes};
use smol_str::SmolStr;

crate::object! {
    /// Ships a paid order: its reserved goods leave the stock.
    pub struct ShipOrder {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// The carrier.
        pub carrier: Option<Text>,
        /// The number that the carrier knows the shipment by.
        pub tracking: Option<Text>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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

crate::object! {
    /// Says that a shipped order arrived.
    pub struct DeliverOrder {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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

crate::object! {
    /// Says that a paid or shipped order cannot be delivered: it is cancelled.
    pub struct RecordShipmentFailure {
        /// The order's id, and the record's key.
        pub order_id: Id,
        /// The reason, in words.
        pub reason: Option<Note>,
        /// True if the goods come back into stock.
        pub restock: Yes,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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
