//! The events of orders.

use crate::contract::code::{Code, FieldError};
use crate::contract::domain::Domain;
use crate::shop::event_spec::{Document, EventSpec};
use crate::shop::footprint::{Footprint, maybe, problems, text};
use crate::shop::orders::{Order, OrderStatus};
use serde::ser::SerializeMap;
use smol_str::SmolStr;
use std::sync::Arc;

/// An order was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCreated(pub Arc<Order>);

impl EventSpec for OrderCreated {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.0.order_id
    }

    fn document(&self) -> Option<Document<'_>> {
        Some(Document::Order(&self.0))
    }

    fn without_lines(&self) -> Self {
        OrderCreated(Arc::new(self.0.without_lines()))
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order", &self.0)?;
        map.serialize_entry("from", &None::<OrderStatus>)?;
        map.serialize_entry("reason", &None::<SmolStr>)
    }
}

impl Footprint for OrderCreated {
    fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// An order is another than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderUpdated {
    /// The order as it is now.
    pub order: Arc<Order>,
    /// Its status before.
    pub from: OrderStatus,
    /// Why.
    pub reason: Option<SmolStr>,
}

impl EventSpec for OrderUpdated {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.order.order_id
    }

    fn document(&self) -> Option<Document<'_>> {
        Some(Document::Order(&self.order))
    }

    fn without_lines(&self) -> Self {
        OrderUpdated { order: Arc::new(self.order.without_lines()), ..self.clone() }
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order", &self.order)?;
        map.serialize_entry("from", &self.from)?;
        map.serialize_entry("reason", &self.reason)
    }
}

impl Footprint for OrderUpdated {
    fn heap_bytes(&self) -> usize {
        self.order.bytes() + maybe(self.reason.as_ref())
    }
}

/// An order was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCancelled {
    /// The order as it is now.
    pub order: Arc<Order>,
    /// Its status before.
    pub from: OrderStatus,
    /// Why.
    pub reason: Option<SmolStr>,
    /// The money given back for each line; outsiders do not see it.
    pub refunds: Vec<i64>,
}

impl EventSpec for OrderCancelled {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.order.order_id
    }

    fn document(&self) -> Option<Document<'_>> {
        Some(Document::Order(&self.order))
    }

    fn without_lines(&self) -> Self {
        OrderCancelled { order: Arc::new(self.order.without_lines()), ..self.clone() }
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order", &self.order)?;
        map.serialize_entry("from", &self.from)?;
        map.serialize_entry("reason", &self.reason)
    }
}

impl Footprint for OrderCancelled {
    fn heap_bytes(&self) -> usize {
        self.order.bytes() + maybe(self.reason.as_ref()) + size_of_val(self.refunds.as_slice())
    }
}

/// An order was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRejected {
    /// The id that the order would have.
    pub order_id: SmolStr,
    /// Why.
    pub code: Code,
    /// The faults.
    pub errors: Vec<FieldError>,
}

impl EventSpec for OrderRejected {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.order_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order_id", &self.order_id)?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("errors", &self.errors)
    }
}

impl Footprint for OrderRejected {
    fn heap_bytes(&self) -> usize {
        text(&self.order_id) + problems(&self.errors)
    }
}
