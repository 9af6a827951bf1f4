//! Calling an order off.

use crate::contract::code::Rejection;
use crate::contract::money::Money;
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::orders::state::{invalid_transition, order, take_up_to, transition_to};
use crate::shop::orders::{CancelOrder, Order, OrderCancelled, OrderStatus, PaymentStatus, ShipmentStatus};
use crate::shop::payments::MoneyMoved;
use crate::shop::refunds::{RefundIssued, RefundKind};
use crate::shop::stock::StockReason;
use crate::shop::stock::stock_edit::{MovementCause, StockEdit, number};
use smol_str::SmolStr;
use std::sync::Arc;

/// The way an order is called off.
pub struct Cancellation {
    /// The reason in the event.
    pub reason: Option<SmolStr>,
    /// The reason and id of a refund.
    pub refund: &'static str,
    /// The shipment's status then.
    pub shipment: ShipmentStatus,
    /// The status then of a payment that is still asked for.
    pub payment: PaymentStatus,
    /// True if shipped goods come back into stock.
    pub restock: bool,
}

/// Cancels an order for its customer.
impl Rule for CancelOrder {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let before = order(tables, &self.order_id)?;
        if !matches!(before.status, OrderStatus::PendingPayment | OrderStatus::Paid | OrderStatus::Shipped) {
            return Err(invalid_transition(before, "cancelled"));
        }
        let how = Cancellation {
            reason: self.reason.clone(),
            refund: "cancelled",
            shipment: ShipmentStatus::Cancelled,
            payment: PaymentStatus::Cancelled,
            restock: true,
        };
        cancel(tables, context, before, how)
    }
}

/// Calls an order off: releases or takes back its goods, and gives back what is left of its money.
pub fn cancel(
    tables: &Tables,
    context: &Context,
    before: &Arc<Order>,
    how: Cancellation,
) -> Result<Decision, Rejection> {
    let mut edit = StockEdit::new(tables);
    for (n, line) in before.lines.iter().enumerate() {
        if before.holds_reservations() {
            edit.release(&before.order_id, n, line);
        } else if how.restock {
            for part in &line.taken {
                let why = MovementCause {
                    reason: StockReason::ShipmentCancelled,
                    reference: Some(before.order_id.clone()),
                    line: Some(number(n)),
                };
                edit.move_by(&line.sku, &part.location, part.quantity, 0, why);
            }
        }
    }
    let mut after = before.as_ref().clone();
    let mut left = before.refundable();
    let refunds = before.lines.iter().map(|line| take_up_to(&mut left, line.amount)).collect();
    let refund = before.refundable();
    after.refunded += refund;
    if let Some(shipment) = &mut after.shipment {
        shipment.status = how.shipment;
    }
    if let Some(payment) = &mut after.payment
        && payment.status == PaymentStatus::Requested
    {
        payment.status = how.payment;
        payment.deadline = None;
    }
    transition_to(&mut after, context, OrderStatus::Cancelled);
    let order = Arc::new(after);
    let (stock, mut facts, low) = edit.finish()?;
    facts.push(EventPayload::OrderCancelled(OrderCancelled {
        order: Arc::clone(&order),
        from: before.status,
        reason: how.reason,
        refunds,
    }));
    if refund > 0 {
        let moved = MoneyMoved {
            order: Arc::clone(&order),
            refund_id: Some(SmolStr::new_static(how.refund)),
            amount: Money::new(refund, order.currency),
            reason: Some(SmolStr::new_static(how.refund)),
        };
        facts.push(EventPayload::RefundIssued(RefundIssued(RefundKind::Cancelled, moved)));
    }
    facts.extend(low);
    Ok(Decision { writes: Writes { stock, orders: [order].into(), ..Writes::default() }, facts })
}
