//! The events of money.

use crate::contract::domain::Domain;
use crate::contract::money::Money;
use crate::shop::event_spec::EventSpec;
use crate::shop::footprint::{Footprint, maybe, text};
use crate::shop::orders::Order;
use crate::shop::payments::PaymentMethod;
use serde::ser::SerializeMap;
use smol_str::SmolStr;
use std::sync::Arc;

/// Money of an order that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyMoved {
    /// The order as it is now.
    pub order: Arc<Order>,
    /// The id of a refund.
    pub refund_id: Option<SmolStr>,
    /// The amount.
    pub amount: Money,
    /// Why.
    pub reason: Option<SmolStr>,
}

impl MoneyMoved {
    pub(crate) fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order_id", &self.order.order_id)?;
        map.serialize_entry("payment_id", &self.order.order_id)?;
        map.serialize_entry("refund_id", &self.refund_id)?;
        map.serialize_entry("amount", &self.amount)?;
        map.serialize_entry("reason", &self.reason)
    }
}

/// Money is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequested {
    /// The order's id.
    pub order_id: SmolStr,
    /// The amount.
    pub amount: Money,
    /// The way of paying.
    pub method: PaymentMethod,
    /// The text that the gateway knows it by.
    pub token: Option<SmolStr>,
}

impl EventSpec for PaymentRequested {
    const DOMAIN: Domain = Domain::Payments;

    fn key(&self) -> &str {
        &self.order_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let PaymentRequested { order_id, amount, method, token } = self;
        map.serialize_entry("order_id", order_id)?;
        map.serialize_entry("payment_id", order_id)?;
        map.serialize_entry("amount", amount)?;
        map.serialize_entry("method", method)?;
        map.serialize_entry("token", token)
    }
}

impl Footprint for PaymentRequested {
    fn heap_bytes(&self) -> usize {
        text(&self.order_id) + maybe(self.token.as_ref())
    }
}

/// Money came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentProcessed(pub MoneyMoved);

impl EventSpec for PaymentProcessed {
    const DOMAIN: Domain = Domain::Payments;

    fn key(&self) -> &str {
        &self.0.order.order_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.entries(map)
    }
}

impl Footprint for PaymentProcessed {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// Money did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentFailed(pub MoneyMoved);

impl EventSpec for PaymentFailed {
    const DOMAIN: Domain = Domain::Payments;

    fn key(&self) -> &str {
        &self.0.order.order_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.entries(map)
    }
}

impl Footprint for PaymentFailed {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

impl Footprint for MoneyMoved {
    fn heap_bytes(&self) -> usize {
        self.order.bytes() + maybe(self.refund_id.as_ref()) + maybe(self.reason.as_ref())
    }
}
