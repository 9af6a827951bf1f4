//! What happens to an order after it was placed: shipped, delivered, called off.

use super::bounds;
use super::stock_edit::{For, StockEdit, number};
use super::tables::Tables;
use super::writes::{Decision, Writes};
use super::{Context, not_found};
use crate::code::{Code, Refusal};
use crate::command::{CancelOrder, DeliverOrder, InventoryPolicy, RecordShipmentFailure, ShipOrder};
use crate::event::{Fact, MoneyMoved, RefundKind, StockReason};
use crate::money::Money;
use crate::rows::{History, Order, OrderStatus, PaymentStatus, Shipment, ShipmentStatus};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The order of that id.
pub fn order<'a>(tables: &'a Tables, order_id: &str) -> Result<&'a Arc<Order>, Refusal> {
    bounds::id(order_id, "/order_id")?;
    tables.orders.get(order_id).ok_or_else(|| not_found("order", order_id))
}

/// The refusal of what the order's state does not allow.
pub fn invalid_transition(order: &Order, what: &str) -> Refusal {
    let state = serde_json::to_string(&order.status).unwrap_or_default();
    let detail = format!("an order that is {} cannot be {what}", state.trim_matches('"'));
    Refusal::new(Code::InvalidTransition, "", detail)
}

/// Brings an order to a state.
pub fn enter(order: &mut Order, context: &Context, status: OrderStatus) {
    order.status = status;
    order.history.push(History { status, at: context.now, epoch: context.epoch });
}

/// Ships a paid order.
pub fn ship_order(tables: &Tables, context: &Context, command: &ShipOrder) -> Result<Decision, Refusal> {
    bounds::id(&command.order_id, "/order_id")?;
    bounds::optional_text(command.carrier.as_ref(), || "/carrier".to_owned())?;
    bounds::optional_text(command.tracking.as_ref(), || "/tracking".to_owned())?;
    let before = order(tables, &command.order_id)?;
    if before.status != OrderStatus::Paid || (before.total > 0 && before.left() == 0) {
        return Err(invalid_transition(before, "shipped"));
    }
    let mut leaving = BTreeMap::<(&SmolStr, &SmolStr), i64>::new();
    for line in &before.lines {
        for part in &line.taken {
            *leaving.entry((&line.sku, &part.location)).or_default() += part.quantity;
        }
    }
    let mut edit = StockEdit::new(tables);
    for ((sku, location), quantity) in leaving {
        let there = edit.get(sku).and_then(|stock| stock.location(location)).map_or(0, |at| at.on_hand);
        if tables.inventory_policy(sku) == InventoryPolicy::Reserve && there < quantity {
            let detail = format!("{quantity} of {sku:?} are to leave {location:?}, where {there} lie");
            return Err(Refusal::new(Code::InsufficientStock, "", detail));
        }
    }
    for (n, line) in before.lines.iter().enumerate() {
        for part in &line.taken {
            let why =
                For { reason: StockReason::Shipped, reference: Some(before.order_id.clone()), line: Some(number(n)) };
            edit.move_by(&line.sku, &part.location, -part.quantity, -part.quantity, why);
        }
    }
    let mut after = before.as_ref().clone();
    after.shipment = Some(Box::new(Shipment {
        carrier: command.carrier.clone(),
        tracking: command.tracking.clone(),
        status: ShipmentStatus::Shipped,
    }));
    enter(&mut after, context, OrderStatus::Shipped);
    updated(edit, after, before.status, None)
}

/// A decision that brought an order from one state of the table to the next.
pub fn updated(edit: StockEdit<'_>, after: Order, from: OrderStatus, more: Option<Fact>) -> Result<Decision, Refusal> {
    let order = Arc::new(after);
    let (stock, mut facts, low) = edit.finish()?;
    facts.push(Fact::OrderUpdated { order: Arc::clone(&order), from, reason: None });
    facts.extend(more);
    facts.extend(low);
    Ok(Decision { writes: Writes { stock, order: Some(order), ..Writes::default() }, facts })
}

/// Says that a shipped order arrived.
pub fn deliver_order(tables: &Tables, context: &Context, command: &DeliverOrder) -> Result<Decision, Refusal> {
    let before = order(tables, &command.order_id)?;
    let on_its_way = before.shipment.as_ref().is_some_and(|shipment| shipment.status == ShipmentStatus::Shipped);
    let open = matches!(before.status, OrderStatus::Shipped | OrderStatus::PartlyReturned);
    if !open || !on_its_way {
        return Err(invalid_transition(before, "delivered"));
    }
    let mut after = before.as_ref().clone();
    if let Some(shipment) = &mut after.shipment {
        shipment.status = ShipmentStatus::Delivered;
    }
    // What came back in part stays so: the delivery is recorded, and no new state entered.
    if before.status == OrderStatus::Shipped {
        enter(&mut after, context, OrderStatus::Delivered);
    }
    updated(StockEdit::new(tables), after, before.status, None)
}

/// How an order is called off.
pub struct CallOff {
    /// What the event says.
    pub reason: Option<SmolStr>,
    /// The reason and id of a refund.
    pub refund: &'static str,
    /// Where the shipment stands then.
    pub shipment: ShipmentStatus,
    /// Where a payment that is still asked for stands then.
    pub payment: PaymentStatus,
    /// Whether shipped goods come back into stock.
    pub restock: bool,
}

/// Cancels an order for its customer.
pub fn cancel_order(tables: &Tables, context: &Context, command: &CancelOrder) -> Result<Decision, Refusal> {
    bounds::note(command.reason.as_ref(), "/reason")?;
    let before = order(tables, &command.order_id)?;
    if !matches!(before.status, OrderStatus::PendingPayment | OrderStatus::Paid | OrderStatus::Shipped) {
        return Err(invalid_transition(before, "cancelled"));
    }
    let how = CallOff {
        reason: command.reason.clone(),
        refund: "cancelled",
        shipment: ShipmentStatus::Cancelled,
        payment: PaymentStatus::Cancelled,
        restock: true,
    };
    call_off(tables, context, before, how)
}

/// Cancels an order that cannot be delivered.
pub fn shipment_failure(
    tables: &Tables,
    context: &Context,
    command: &RecordShipmentFailure,
) -> Result<Decision, Refusal> {
    bounds::note(command.reason.as_ref(), "/reason")?;
    let before = order(tables, &command.order_id)?;
    if !matches!(before.status, OrderStatus::Paid | OrderStatus::Shipped) {
        return Err(invalid_transition(before, "reported as not delivered"));
    }
    let how = CallOff {
        reason: command.reason.clone(),
        refund: "shipment_failed",
        shipment: ShipmentStatus::Failed,
        payment: PaymentStatus::Cancelled,
        restock: command.restock,
    };
    call_off(tables, context, before, how)
}

/// Calls an order off: releases or takes back its goods, and gives back what is left of its money.
pub fn call_off(tables: &Tables, context: &Context, before: &Arc<Order>, how: CallOff) -> Result<Decision, Refusal> {
    let mut edit = StockEdit::new(tables);
    for (n, line) in before.lines.iter().enumerate() {
        if before.holds_reservations() {
            edit.release(&before.order_id, n, line);
        } else if how.restock {
            for part in &line.taken {
                let why = For {
                    reason: StockReason::ShipmentCancelled,
                    reference: Some(before.order_id.clone()),
                    line: Some(number(n)),
                };
                edit.move_by(&line.sku, &part.location, part.quantity, 0, why);
            }
        }
    }
    let mut after = before.as_ref().clone();
    let mut left = before.left();
    let refunds = before.lines.iter().map(|line| give_back(&mut left, line.amount)).collect();
    let refund = before.left();
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
    enter(&mut after, context, OrderStatus::Cancelled);
    let order = Arc::new(after);
    let (stock, mut facts, low) = edit.finish()?;
    facts.push(Fact::OrderCancelled { order: Arc::clone(&order), from: before.status, reason: how.reason, refunds });
    if refund > 0 {
        let moved = MoneyMoved {
            order: Arc::clone(&order),
            refund_id: Some(SmolStr::new_static(how.refund)),
            amount: Money::new(refund, order.currency),
            reason: Some(SmolStr::new_static(how.refund)),
        };
        facts.push(Fact::RefundIssued(RefundKind::Cancelled, moved));
    }
    facts.extend(low);
    Ok(Decision { writes: Writes { stock, order: Some(order), ..Writes::default() }, facts })
}

/// Takes at most `amount` from what is left.
pub fn give_back(left: &mut i64, amount: i64) -> i64 {
    let part = amount.min(*left);
    *left -= part;
    part
}
