//! The commands that move stock from outside.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Id, Location, Quantity, SignedQuantity, Text, Time, Word};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Why stock moves from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveReason {
    /// Goods came in.
    Received,
    /// A count was put right.
    Adjusted,
    /// Goods are lost.
    WrittenOff,
}

crate::object! {
    /// Changes the stock of a SKU at a location.
    pub struct MoveStock {
        /// The SKU, and the record's key.
        pub sku: Id,
        /// The location.
        pub location: Location,
        /// The number of pieces: more, or fewer if it is negative.
        pub quantity: SignedQuantity,
        /// The reason.
        pub reason: Word<MoveReason>,
        /// The caller's own reference.
        pub reference: Option<Text>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for MoveStock {
    const DESCRIPTION: Description = Description {
        topic: Topic::Stock,
        resource: Resource::Stock,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/stock/{sku}/movements",
        summary: "Moves stock",
        body_is_optional: false,
        creates: true,
        rejections: &[Code::UnknownSku, Code::Overflow, Code::InsufficientStock],
    };

    fn id(&self) -> &SmolStr {
        &self.sku
    }
}

crate::object! {
    /// Moves stock from one location to another.
    pub struct TransferStock {
        /// The SKU, and the record's key.
        pub sku: Id,
        /// The location that they leave; only pieces that are not reserved there.
        pub from: Id,
        /// The location that they come to, another one.
        pub to: Id,
        /// The number of pieces.
        pub quantity: Quantity,
        /// The caller's own reference.
        pub reference: Option<Text>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
}

impl CommandSpec for TransferStock {
    const DESCRIPTION: Description = Description {
        topic: Topic::Stock,
        resource: Resource::Stock,
        part: "",
        method: RouteMethod::Post,
        path: "/api/v1/stock/{sku}/transfers",
        summary: "Moves stock to another location",
        body_is_optional: false,
        creates: true,
        rejections: &[Code::UnknownSku, Code::Overflow, Code::InsufficientStock],
    };

    fn id(&self) -> &SmolStr {
        &self.sku
    }
}
