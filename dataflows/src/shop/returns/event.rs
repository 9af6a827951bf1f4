//! The events of goods that came back.

use crate::contract::domain::Domain;
use crate::contract::money::Money;
use crate::shop::event_spec::EventSpec;
use crate::shop::footprint::{Footprint, text};
use crate::shop::orders::Order;
use serde::Serialize;
use serde::ser::SerializeMap;
use smol_str::SmolStr;
use std::sync::Arc;

/// Goods that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Return {
    /// The return's id.
    pub return_id: SmolStr,
    /// The goods, by line.
    pub lines: Vec<ReturnedLine>,
    /// The money given back.
    pub refund: Money,
    /// True if the goods came back into stock.
    pub restock: bool,
}

/// A line of a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReturnedLine {
    /// The order's line.
    pub line: u32,
    /// The number of pieces.
    pub quantity: i64,
    /// The money given back for it.
    pub amount: Money,
}

/// Goods of an order came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemsReturned {
    /// The order as it is now.
    pub order: Arc<Order>,
    /// The goods that came back.
    pub returned: Return,
}

impl EventSpec for ItemsReturned {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.order.order_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order_id", &self.order.order_id)?;
        map.serialize_entry("return", &self.returned)
    }
}

impl Footprint for ItemsReturned {
    fn heap_bytes(&self) -> usize {
        self.order.bytes() + text(&self.returned.return_id) + size_of_val(self.returned.lines.as_slice())
    }
}
