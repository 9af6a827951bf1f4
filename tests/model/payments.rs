//! An order's money after it was placed: payment results, refunds without goods, and the timeout.

use serde_json::Value;

use super::Shop;
use super::command::{IssueRefund, PaymentResult, RecordPaymentResult};
use super::events::{EventLog, Refusal, refuse, refuse_at};
use super::fulfilment::{Cancellation, cancel};
use super::orders::{MONEY_BACK_MAX, Order, State, count_sale, find, keep};
use super::revenue::{Part, Sums};

pub fn record_payment_result(
    shop: &mut Shop,
    log: &mut EventLog,
    command: &RecordPaymentResult,
) -> Result<(), Refusal> {
    let order = find(shop, &command.order_id)?;
    if order.payment.is_none() || command.payment_id != order.order_id {
        return Err(refuse("unknown_payment"));
    }
    let taken = order.results.get(&command.status);
    if taken.is_none() && !may_take(&order, command.status) {
        return Err(refuse("invalid_transition"));
    }
    if command.amount.currency != order.currency {
        return Err(refuse("currency_mismatch"));
    }
    if let Some(amount) = taken {
        let same = *amount == command.amount.units;
        return if same { Ok(()) } else { Err(refuse("amount_mismatch")) };
    }
    match command.status {
        PaymentResult::Processed => take_processed(shop, log, order, command),
        PaymentResult::Failed => {
            take_failed(shop, log, order, command);
            Ok(())
        }
        PaymentResult::ChargedBack => take_charged_back(shop, log, order, command),
    }
}

/// True if the order's state lets it take a result that it has not taken yet.
fn may_take(order: &Order, status: PaymentResult) -> bool {
    match status {
        PaymentResult::Processed => {
            matches!(order.state, State::PendingPayment | State::Cancelled)
        }
        PaymentResult::Failed => order.state == State::PendingPayment,
        PaymentResult::ChargedBack => {
            matches!(order.state, State::Paid | State::Shipped | State::Delivered | State::PartlyReturned)
        }
    }
}

/// A cancelled order takes the money too, and gives it back at once.
fn take_processed(
    shop: &mut Shop,
    log: &mut EventLog,
    mut order: Order,
    command: &RecordPaymentResult,
) -> Result<(), Refusal> {
    if command.amount.units != order.total {
        return Err(refuse("amount_mismatch"));
    }
    order.results.insert(PaymentResult::Processed, order.total);
    order.set_payment_status("processed");
    order.deadline = None;
    order.captured = order.total;
    let reason = command.reason.as_deref();
    if order.state == State::Cancelled {
        order.refunded = order.total;
        order.emit_money(log, "PaymentProcessed", None, order.total, reason);
        let late = Some("late_capture");
        order.emit_money(log, "RefundIssued", late, order.total, late);
    } else {
        order.enter(log, State::Paid);
        order.emit(log, "OrderUpdated", Some(State::PendingPayment), None);
        order.emit_money(log, "PaymentProcessed", None, order.total, reason);
        count_sale(shop, &order);
    }
    keep(shop, order);
    Ok(())
}

fn take_failed(shop: &mut Shop, log: &mut EventLog, mut order: Order, command: &RecordPaymentResult) {
    order.results.insert(PaymentResult::Failed, command.amount.units);
    let reason = command.reason.as_deref();
    let why = Cancellation {
        reason,
        refund_reason: "cancelled",
        payment_status: "failed",
        shipment_status: "cancelled",
        restock: true,
    };
    let before = order.clone();
    cancel(shop, log, order, &why);
    before.emit_money(log, "PaymentFailed", None, command.amount.units, reason);
}

fn take_charged_back(
    shop: &mut Shop,
    log: &mut EventLog,
    mut order: Order,
    command: &RecordPaymentResult,
) -> Result<(), Refusal> {
    let amount = command.amount.units;
    if amount > order.left() {
        return Err(refuse("over_refund"));
    }
    order.results.insert(PaymentResult::ChargedBack, amount);
    order.set_payment_status("charged_back");
    give_back(shop, log, order, "charged_back", amount, Some("charged_back"));
    Ok(())
}

pub fn issue_refund(shop: &mut Shop, log: &mut EventLog, command: &IssueRefund) -> Result<(), Refusal> {
    let mut order = find(shop, &command.order_id)?;
    if order.refunds >= MONEY_BACK_MAX {
        return Err(refuse_at("/refund_id", "invalid"));
    }
    if order.ids_taken.contains(&command.refund_id) {
        return Err(refuse("already_exists"));
    }
    if command.amount.currency != order.currency {
        return Err(refuse("currency_mismatch"));
    }
    if command.amount.units > order.left() {
        return Err(refuse("over_refund"));
    }
    order.ids_taken.insert(command.refund_id.clone());
    order.refunds += 1;
    let reason = command.reason.as_deref();
    give_back(shop, log, order, &command.refund_id, command.amount.units, reason);
    Ok(())
}

/// Money back without goods: revenue counts it as adjusted, in no category.
fn give_back(
    shop: &mut Shop,
    log: &mut EventLog,
    mut order: Order,
    refund_id: &str,
    amount: i64,
    reason: Option<&str>,
) {
    order.refunded += amount;
    order.emit_money(log, "RefundIssued", Some(refund_id), amount, reason);
    let part = Part { category: String::new(), sums: Sums::adjusted(-amount) };
    shop.revenue.add(log.occurred_at, &order.currency, &order.country, &[part]);
    keep(shop, order);
}

/// Gives up every order whose deadline `now` has passed, in the order (deadline, id).
pub fn fire_timeouts(shop: &mut Shop, log: &mut EventLog) {
    let mut due: Vec<(i64, String)> = Vec::new();
    for order in shop.orders.values() {
        if let Some(deadline) = order.deadline.filter(|deadline| log.now > *deadline) {
            due.push((deadline, order.order_id.clone()));
        }
    }
    due.sort();
    for (_, order_id) in due {
        log.begin("timer:payment_timeout", log.now);
        let why = Cancellation {
            reason: Some("payment_timeout"),
            refund_reason: "cancelled",
            payment_status: "expired",
            shipment_status: "cancelled",
            restock: true,
        };
        let order = shop.orders[&order_id].clone();
        cancel(shop, log, order, &why);
    }
}

/// The rows of the payments, by payment id.
pub fn rows(shop: &Shop) -> std::collections::BTreeMap<String, Value> {
    let mut rows = std::collections::BTreeMap::new();
    for order in shop.orders.values() {
        if let Some(row) = order.payment_row() {
            rows.insert(order.order_id.clone(), row);
        }
    }
    rows
}
