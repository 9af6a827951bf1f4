//! An order's way out of the house: shipping, delivery, shipment failure; and every cancellation,
//! whether a customer, a carrier, a payment or a timer asks for it.

use super::Shop;
use super::command::{CancelOrder, DeliverOrder, InventoryPolicy, RecordShipmentFailure, ShipOrder};
use super::events::{EventLog, Refusal, refuse};
use super::orders::{Order, Shipment, State, find, keep};
use super::revenue::{Part, Sums};
use super::stock::Movement;

pub fn ship_order(shop: &mut Shop, log: &mut EventLog, command: &ShipOrder) -> Result<(), Refusal> {
    let mut order = find(shop, &command.order_id)?;
    let nothing_left = order.total > 0 && order.left() == 0;
    if order.state != State::Paid || nothing_left {
        return Err(refuse("invalid_transition"));
    }
    let mut on_hand = shop.stock.clone();
    for line in &order.lines {
        let sku = &line.priced.sku;
        for (location, quantity) in &line.taken {
            let shelf = on_hand.shelf(sku, location);
            shelf.on_hand -= quantity;
            let reserves = shop.catalog.inventory_policy(sku) == InventoryPolicy::Reserve;
            if reserves && shelf.on_hand < 0 {
                return Err(refuse("insufficient_stock"));
            }
        }
    }
    for (place, line) in order.lines.iter().enumerate() {
        for (location, quantity) in &line.taken {
            shop.stock.shelf(&line.priced.sku, location).reserved -= quantity;
            let movement = Movement { reason: "shipped", reference: Some(&order.order_id), line: Some(place + 1) };
            shop.stock.change(log, &line.priced.sku, location, -quantity, &movement);
        }
    }
    order.shipment =
        Some(Shipment { carrier: command.carrier.clone(), tracking: command.tracking.clone(), status: "shipped" });
    order.enter(log, State::Shipped);
    order.emit(log, "OrderUpdated", Some(State::Paid), None);
    keep(shop, order);
    Ok(())
}

pub fn deliver_order(shop: &mut Shop, log: &mut EventLog, command: &DeliverOrder) -> Result<(), Refusal> {
    let mut order = find(shop, &command.order_id)?;
    let from = order.state;
    let under_way = order.shipment.as_ref().is_some_and(|shipment| shipment.status == "shipped");
    match from {
        State::Shipped => order.enter(log, State::Delivered),
        // A late delivery is recorded; the state stays.
        State::PartlyReturned if under_way => {}
        _ => return Err(refuse("invalid_transition")),
    }
    order.set_shipment_status("delivered");
    order.emit(log, "OrderUpdated", Some(from), None);
    keep(shop, order);
    Ok(())
}

pub fn cancel_order(shop: &mut Shop, log: &mut EventLog, command: &CancelOrder) -> Result<(), Refusal> {
    let order = find(shop, &command.order_id)?;
    if !matches!(order.state, State::PendingPayment | State::Paid | State::Shipped) {
        return Err(refuse("invalid_transition"));
    }
    let cancellation = Cancellation {
        reason: command.reason.as_deref(),
        refund_reason: "cancelled",
        payment_status: "cancelled",
        shipment_status: "cancelled",
        restock: true,
    };
    cancel(shop, log, order, &cancellation);
    Ok(())
}

pub fn record_shipment_failure(
    shop: &mut Shop,
    log: &mut EventLog,
    command: &RecordShipmentFailure,
) -> Result<(), Refusal> {
    let order = find(shop, &command.order_id)?;
    if !matches!(order.state, State::Paid | State::Shipped) {
        return Err(refuse("invalid_transition"));
    }
    let cancellation = Cancellation {
        reason: command.reason.as_deref(),
        refund_reason: "shipment_failed",
        payment_status: "cancelled",
        shipment_status: "failed",
        restock: command.restock,
    };
    cancel(shop, log, order, &cancellation);
    Ok(())
}

/// Why an order is cancelled, and what becomes of its parts.
pub struct Cancellation<'a> {
    pub reason: Option<&'a str>,
    pub refund_reason: &'static str,
    /// Of a payment still requested; a processed one stays processed.
    pub payment_status: &'static str,
    pub shipment_status: &'static str,
    /// True if shipped goods come back; reserved ones never left.
    pub restock: bool,
}

/// Undoes everything: stock, document, order, money.
pub fn cancel(shop: &mut Shop, log: &mut EventLog, mut order: Order, why: &Cancellation) {
    let from = order.state;
    if from != State::Shipped {
        release(shop, log, &order);
    } else if why.restock {
        put_back(shop, log, &order);
    }
    if from == State::PendingPayment {
        order.set_payment_status(why.payment_status);
    }
    order.set_shipment_status(why.shipment_status);
    order.deadline = None;
    order.enter(log, State::Cancelled);
    let refund = order.left();
    order.refunded += refund;
    order.emit(log, "OrderCancelled", Some(from), why.reason);
    if refund > 0 {
        let reason = Some(why.refund_reason);
        order.emit_money(log, "RefundIssued", reason, refund, reason);
    }
    if from != State::PendingPayment {
        count_as_returned(shop, log, &order, refund);
    }
    keep(shop, order);
}

fn release(shop: &mut Shop, log: &mut EventLog, order: &Order) {
    for (place, line) in order.lines.iter().enumerate() {
        for (location, quantity) in &line.taken {
            shop.stock.shelf(&line.priced.sku, location).reserved -= quantity;
            order.emit_reservation(log, "InventoryReleased", place, location, *quantity);
        }
    }
}

fn put_back(shop: &mut Shop, log: &mut EventLog, order: &Order) {
    for (place, line) in order.lines.iter().enumerate() {
        for (location, quantity) in &line.taken {
            let movement =
                Movement { reason: "shipment_cancelled", reference: Some(&order.order_id), line: Some(place + 1) };
            shop.stock.change(log, &line.priced.sku, location, *quantity, &movement);
        }
    }
}

/// All units come back; the money that was left is filled in line order.
fn count_as_returned(shop: &mut Shop, log: &EventLog, order: &Order, refund: i64) {
    let mut rest = refund;
    let mut parts = Vec::new();
    for line in &order.lines {
        let amount = line.priced.amount.min(rest);
        rest -= amount;
        let sums = Sums::returned(amount, line.priced.quantity);
        parts.push(Part { category: line.priced.category.clone(), sums });
    }
    shop.revenue.add(log.occurred_at, &order.currency, &order.country, &parts);
}
