//! The results of an order's payment: processed, failed, charged back, or not in time.

use crate::contract::code::{Code, Rejection};
use crate::contract::money::Money;
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::field::{Faults, Pointer};
use crate::shop::orders::cancel::{Cancellation, cancel};
use crate::shop::orders::state::{invalid_transition, order, transition_to, updated};
use crate::shop::orders::{Order, OrderStatus, Payment, PaymentStatus, ShipmentStatus};
use crate::shop::payments::{MoneyMoved, PaymentFailed, PaymentProcessed, PaymentResult, RecordPaymentResult};
use crate::shop::refunds::rules::currency_mismatch;
use crate::shop::refunds::{RefundIssued, RefundKind};
use crate::shop::stock::stock_edit::StockEdit;
use smol_str::SmolStr;
use std::sync::Arc;

/// Takes a result of the gateway.
impl Rule for RecordPaymentResult {
    fn check_bounds(&self, _: &Tables, faults: &mut Faults) {
        if self.status == PaymentResult::ChargedBack && self.amount.amount.0 == 0 {
            faults.add(&Pointer::ROOT.field("amount"), "this is more than 0");
        }
    }

    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let amount = self.amount.money();
        let before = order(tables, &self.order_id)?;
        let payment = before.payment.as_ref().filter(|_| self.payment_id == before.order_id);
        let Some(payment) = payment else {
            let detail = format!("the order has no payment {:?}", self.payment_id);
            return Err(Rejection::new(Code::UnknownPayment, "/payment_id", detail));
        };
        let given = self.amount.amount.0;
        if let Some(taken) = taken(before, payment, self.status) {
            if amount.currency != before.currency {
                return Err(currency_mismatch(before));
            }
            if taken != given {
                return Err(mismatch(before, taken));
            }
            return Ok(Decision::default());
        }
        if !allowed(before, self.status) {
            return Err(invalid_transition(before, "given that payment result"));
        }
        if amount.currency != before.currency {
            return Err(currency_mismatch(before));
        }
        match self.status {
            PaymentResult::Processed if given != before.total => Err(mismatch(before, before.total)),
            PaymentResult::Processed if before.status == OrderStatus::Cancelled => Ok(late_capture(before, self)),
            PaymentResult::Processed => processed(tables, context, before, self),
            PaymentResult::Failed => failed(tables, context, before, self),
            PaymentResult::ChargedBack if given > before.refundable() => {
                let detail =
                    format!("{} is left of the order's money", Money::new(before.refundable(), before.currency));
                Err(Rejection::new(Code::OverRefund, "/amount", detail))
            }
            PaymentResult::ChargedBack => Ok(charged_back(before, self)),
        }
    }
}

/// The amount of a result of that kind that was taken before.
fn taken(order: &Order, payment: &Payment, status: PaymentResult) -> Option<i64> {
    match status {
        PaymentResult::Processed => payment.processed.then_some(order.total),
        PaymentResult::Failed => payment.failed,
        PaymentResult::ChargedBack => payment.charged_back,
    }
}

const fn allowed(order: &Order, status: PaymentResult) -> bool {
    match status {
        PaymentResult::Processed => matches!(order.status, OrderStatus::PendingPayment | OrderStatus::Cancelled),
        PaymentResult::Failed => matches!(order.status, OrderStatus::PendingPayment),
        PaymentResult::ChargedBack => matches!(
            order.status,
            OrderStatus::Paid | OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::PartlyReturned
        ),
    }
}

fn mismatch(order: &Order, expected: i64) -> Rejection {
    let detail = format!("the amount is {}", Money::new(expected, order.currency));
    Rejection::new(Code::AmountMismatch, "/amount", detail)
}

fn moved(order: &Arc<Order>, amount: i64, refund: Option<&'static str>, reason: Option<SmolStr>) -> MoneyMoved {
    MoneyMoved {
        order: Arc::clone(order),
        refund_id: refund.map(SmolStr::new_static),
        amount: Money::new(amount, order.currency),
        reason: refund.map(SmolStr::new_static).or(reason),
    }
}

/// The order with its payment changed.
fn with_payment(order: &Order, change: impl FnOnce(&mut Payment)) -> Order {
    let mut after = order.clone();
    if let Some(payment) = &mut after.payment {
        change(payment);
    }
    after
}

fn processed(
    tables: &Tables,
    context: &Context,
    before: &Arc<Order>,
    command: &RecordPaymentResult,
) -> Result<Decision, Rejection> {
    let mut after = with_payment(before, |payment| {
        payment.status = PaymentStatus::Processed;
        payment.deadline = None;
        payment.processed = true;
    });
    after.captured = after.total;
    transition_to(&mut after, context, OrderStatus::Paid);
    let mut decision = updated(StockEdit::new(tables), after, before.status, None)?;
    if let Some(order) = decision.writes.orders.first().cloned() {
        let money = moved(&order, order.total, None, command.reason.clone());
        decision.facts.push(EventPayload::PaymentProcessed(PaymentProcessed(money)));
    }
    Ok(decision)
}

/// The money came although the order was cancelled: it goes straight back.
fn late_capture(before: &Arc<Order>, command: &RecordPaymentResult) -> Decision {
    let mut after = with_payment(before, |payment| {
        payment.status = PaymentStatus::Processed;
        payment.processed = true;
    });
    after.captured += before.total;
    after.refunded += before.total;
    let order = Arc::new(after);
    let facts = vec![
        EventPayload::PaymentProcessed(PaymentProcessed(moved(&order, order.total, None, command.reason.clone()))),
        EventPayload::RefundIssued(RefundIssued(
            RefundKind::LateCapture,
            moved(&order, order.total, Some("late_capture"), None),
        )),
    ];
    Decision { writes: Writes { orders: [order].into(), ..Writes::default() }, facts }
}

fn failed(
    tables: &Tables,
    context: &Context,
    before: &Arc<Order>,
    command: &RecordPaymentResult,
) -> Result<Decision, Rejection> {
    let tried = Arc::new(with_payment(before, |payment| payment.failed = Some(command.amount.amount.0)));
    let how = unpaid(command.reason.clone(), PaymentStatus::Failed);
    let mut decision = cancel(tables, context, &tried, how)?;
    if let Some(order) = decision.writes.orders.first().cloned() {
        let money = moved(&order, command.amount.amount.0, None, command.reason.clone());
        decision.facts.push(EventPayload::PaymentFailed(PaymentFailed(money)));
    }
    Ok(decision)
}

const fn unpaid(reason: Option<SmolStr>, payment: PaymentStatus) -> Cancellation {
    Cancellation { reason, refund: "cancelled", shipment: ShipmentStatus::Cancelled, payment, restock: true }
}

/// The time for an order's payment is over.
pub fn expire(tables: &Tables, context: &Context, order: &Arc<Order>) -> Decision {
    let reason = Some(SmolStr::new_static("payment_timeout"));
    let decision = cancel(tables, context, order, unpaid(reason, PaymentStatus::Expired));
    decision.expect("an unpaid order only gives reservations back, and with them the counts fit as before")
}

fn charged_back(before: &Arc<Order>, command: &RecordPaymentResult) -> Decision {
    let amount = command.amount.amount.0;
    let mut after = with_payment(before, |payment| {
        payment.status = PaymentStatus::ChargedBack;
        payment.charged_back = Some(amount);
    });
    after.refunded += amount;
    let order = Arc::new(after);
    let facts = vec![EventPayload::RefundIssued(RefundIssued(
        RefundKind::MoneyOnly,
        moved(&order, amount, Some("charged_back"), None),
    ))];
    Decision { writes: Writes { orders: [order].into(), ..Writes::default() }, facts }
}
