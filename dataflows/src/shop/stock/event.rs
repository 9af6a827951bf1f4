//! What events say of stock.

use serde::Serialize;
use serde::ser::SerializeMap;
use smol_str::SmolStr;

/// Why stock on hand changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StockReason {
    /// Goods came in.
    Received,
    /// A count was put right.
    Adjusted,
    /// Goods are lost.
    WrittenOff,
    /// Goods left for a customer.
    Shipped,
    /// Goods came back.
    Returned,
    /// A shipment was called off.
    ShipmentCancelled,
    /// Goods moved between locations.
    Transferred,
    /// Goods came back with a credit.
    Credited,
}

/// Goods of an order that are promised, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// What.
    pub sku: SmolStr,
    /// Where.
    pub location: SmolStr,
    /// How many.
    pub quantity: i64,
    /// For which order.
    pub order_id: SmolStr,
    /// For which of its lines.
    pub line: u32,
}

/// A change of the stock on hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockMovement {
    /// What.
    pub sku: SmolStr,
    /// Where.
    pub location: SmolStr,
    /// How many, signed.
    pub quantity: i64,
    /// Why.
    pub reason: StockReason,
    /// For what: the caller's reference, or the order, return or credit.
    pub reference: Option<SmolStr>,
    /// For which line of it.
    pub line: Option<u32>,
    /// What lies there now.
    pub on_hand: i64,
    /// What is promised there now.
    pub reserved: i64,
}

impl Reservation {
    pub(crate) fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Reservation { sku, location, quantity, order_id, line } = self;
        map.serialize_entry("sku", sku)?;
        map.serialize_entry("location", location)?;
        map.serialize_entry("quantity", quantity)?;
        map.serialize_entry("order_id", order_id)?;
        map.serialize_entry("line", line)
    }
}

impl StockMovement {
    pub(crate) fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let StockMovement { sku, location, quantity, reason, reference, line, on_hand, reserved } = self;
        map.serialize_entry("sku", sku)?;
        map.serialize_entry("location", location)?;
        map.serialize_entry("quantity", quantity)?;
        map.serialize_entry("reason", reason)?;
        map.serialize_entry("reference", reference)?;
        map.serialize_entry("line", line)?;
        map.serialize_entry("on_hand", on_hand)?;
        map.serialize_entry("reserved", reserved)
    }
}
