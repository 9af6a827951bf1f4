//! The commands that move stock from outside.

use crate::contract::code::Code;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::defaults::{main_location, null_is_main};
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

/// Changes the stock of a SKU at a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct MoveStock {
    /// The SKU, and the record's key.
    pub sku: SmolStr,
    /// Where; `main` by default.
    #[serde(default = "main_location", deserialize_with = "null_is_main")]
    pub location: SmolStr,
    /// How many, signed, not 0.
    pub quantity: i64,
    /// Why.
    pub reason: MoveReason,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
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

/// Moves stock from one location to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct TransferStock {
    /// The SKU, and the record's key.
    pub sku: SmolStr,
    /// From where; only what is not reserved there.
    pub from: SmolStr,
    /// To where.
    pub to: SmolStr,
    /// How many.
    pub quantity: i64,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
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

crate::strict_object! { MoveStock, TransferStock }
