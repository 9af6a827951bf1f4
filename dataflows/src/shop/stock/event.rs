//! The events of stock.

use crate::contract::domain::Domain;
use crate::shop::event_spec::EventSpec;
use crate::shop::footprint::{Footprint, maybe, text};
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
    /// The SKU.
    pub sku: SmolStr,
    /// The location.
    pub location: SmolStr,
    /// The number of pieces.
    pub quantity: i64,
    /// The order's id.
    pub order_id: SmolStr,
    /// The number of its line.
    pub line: u32,
}

/// A change of the stock on hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockMovement {
    /// The SKU.
    pub sku: SmolStr,
    /// The location.
    pub location: SmolStr,
    /// The number of pieces, signed.
    pub quantity: i64,
    /// The reason.
    pub reason: StockReason,
    /// The caller's reference, or the order, return or credit.
    pub reference: Option<SmolStr>,
    /// The line of it.
    pub line: Option<u32>,
    /// The pieces that lie there now.
    pub on_hand: i64,
    /// The pieces that are promised there now.
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

/// The stock on hand changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockUpdated(pub StockMovement);

impl EventSpec for StockUpdated {
    const DOMAIN: Domain = Domain::Stock;

    fn key(&self) -> &str {
        &self.0.sku
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.entries(map)
    }
}

impl Footprint for StockUpdated {
    fn heap_bytes(&self) -> usize {
        text(&self.0.sku) + text(&self.0.location) + maybe(self.0.reference.as_ref())
    }
}

/// Goods of an order are promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryReserved(pub Reservation);

impl EventSpec for InventoryReserved {
    const DOMAIN: Domain = Domain::Stock;

    fn key(&self) -> &str {
        &self.0.sku
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.entries(map)
    }
}

impl Footprint for InventoryReserved {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// Goods of an order are promised no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryReleased(pub Reservation);

impl EventSpec for InventoryReleased {
    const DOMAIN: Domain = Domain::Stock;

    fn key(&self) -> &str {
        &self.0.sku
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.entries(map)
    }
}

impl Footprint for InventoryReleased {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// Few of a SKU are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowStock {
    /// The SKU.
    pub sku: SmolStr,
    /// The number of pieces that can be promised.
    pub available: i64,
    /// The number at which that is low.
    pub low_stock_at: i64,
}

impl EventSpec for LowStock {
    const DOMAIN: Domain = Domain::Stock;

    fn key(&self) -> &str {
        &self.sku
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let LowStock { sku, available, low_stock_at } = self;
        map.serialize_entry("sku", sku)?;
        map.serialize_entry("available", available)?;
        map.serialize_entry("low_stock_at", low_stock_at)
    }
}

impl Footprint for LowStock {
    fn heap_bytes(&self) -> usize {
        text(&self.sku)
    }
}

impl Footprint for Reservation {
    fn heap_bytes(&self) -> usize {
        text(&self.sku) + text(&self.location) + text(&self.order_id)
    }
}
