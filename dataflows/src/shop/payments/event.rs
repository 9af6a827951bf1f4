//! What events say of money.

use crate::contract::money::Money;
use crate::shop::orders::Order;
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
    /// How much.
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
