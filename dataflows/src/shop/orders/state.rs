//! The states of an order, and how it enters them.

use crate::contract::code::{Code, Rejection};
use crate::shop::context::{Context, not_found};
use crate::shop::decider::{Decision, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::orders::{History, Order, OrderStatus, OrderUpdated};
use crate::shop::stock::stock_edit::StockEdit;
use std::sync::Arc;

/// The order of that id.
pub fn order<'a>(tables: &'a Tables, order_id: &str) -> Result<&'a Arc<Order>, Rejection> {
    tables.orders.get(order_id).ok_or_else(|| not_found("order", order_id))
}

/// The refusal of what the order's state does not allow.
pub fn invalid_transition(order: &Order, what: &str) -> Rejection {
    let state = serde_json::to_string(&order.status).unwrap_or_default();
    let detail = format!("an order that is {} cannot be {what}", state.trim_matches('"'));
    Rejection::new(Code::InvalidTransition, "", detail)
}

/// Brings an order to a state.
pub fn transition_to(order: &mut Order, context: &Context, status: OrderStatus) {
    order.status = status;
    order.history.push(History { status, at: context.now, epoch: context.epoch });
}

/// A decision that brought an order from one state of the table to the next.
pub fn updated(
    edit: StockEdit<'_>,
    after: Order,
    from: OrderStatus,
    more: Option<EventPayload>,
) -> Result<Decision, Rejection> {
    let order = Arc::new(after);
    let (stock, mut facts, low) = edit.finish()?;
    facts.push(EventPayload::OrderUpdated(OrderUpdated { order: Arc::clone(&order), from, reason: None }));
    facts.extend(more);
    facts.extend(low);
    Ok(Decision { writes: Writes { stock, orders: [order].into(), ..Writes::default() }, facts })
}

/// Takes at most `amount` from what is left.
pub fn take_up_to(left: &mut i64, amount: i64) -> i64 {
    let part = amount.min(*left);
    *left -= part;
    part
}
