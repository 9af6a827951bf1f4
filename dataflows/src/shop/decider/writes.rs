//! What a decision gives back: the rows to write and the facts to tell. Deciding changes nothing by itself.

use crate::shop::adjustments::Adjustment;
use crate::shop::catalogue::Product;
use crate::shop::credits::Credit;
use crate::shop::event::EventPayload;
use crate::shop::orders::Order;
use crate::shop::policy::Policy;
use crate::shop::stock::Stock;
use std::sync::Arc;

/// The rows that a decision writes.
#[derive(Debug, Default, PartialEq)]
pub struct Writes {
    /// The product that changed.
    pub product: Option<Arc<Product>>,
    /// The stock that changed.
    pub stock: Vec<Stock>,
    /// The order that changed.
    pub order: Option<Arc<Order>>,
    /// The credit that was recorded.
    pub credit: Option<Arc<Credit>>,
    /// The adjustment that was recorded.
    pub adjustment: Option<Arc<Adjustment>>,
    /// The policy that was put.
    pub policy: Option<Policy>,
}

/// What was decided: nothing at all, for a repeat.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// The rows to write.
    pub writes: Writes,
    /// The facts to tell, in order.
    pub facts: Vec<EventPayload>,
}
