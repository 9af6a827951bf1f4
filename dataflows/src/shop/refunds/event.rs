//! Why money went back.

use crate::contract::domain::Domain;
use crate::shop::event_spec::EventSpec;
use crate::shop::footprint::Footprint;
use crate::shop::payments::MoneyMoved;
use serde::ser::SerializeMap;
/// The kind of a refund, for the shop's own use; the reason in the event may be the caller's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundKind {
    /// With goods: the return counts it.
    Returned,
    /// With a cancellation, which counts it.
    Cancelled,
    /// It came after the order was cancelled: it counts nowhere.
    LateCapture,
    /// Money without goods.
    MoneyOnly,
}

/// Money was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundIssued(pub RefundKind, pub MoneyMoved);

impl EventSpec for RefundIssued {
    const DOMAIN: Domain = Domain::Payments;

    fn key(&self) -> &str {
        &self.1.order.order_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.1.entries(map)
    }
}

impl Footprint for RefundIssued {
    fn heap_bytes(&self) -> usize {
        self.1.heap_bytes()
    }
}
