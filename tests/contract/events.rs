//! A sample of each event.

use super::documents::{adjustment, credit, order, product, rejected};
use super::{moment, pounds, text};
use dataflows::contract::code::{Code, FieldError};
use dataflows::shop::event::EventPayload;
use dataflows::shop::orders::OrderStatus;
use dataflows::shop::payments::{MoneyMoved, PaymentMethod};
use dataflows::shop::refunds::RefundKind;
use dataflows::shop::returns::{Return, ReturnedLine};
use dataflows::shop::stock::{Reservation, StockMovement, StockReason};

/// The events of the contract, in its order.
pub const NAMES: [&str; 17] = [
    "ProductChanged",
    "PriceChanged",
    "StockUpdated",
    "InventoryReserved",
    "InventoryReleased",
    "LowStock",
    "OrderCreated",
    "OrderUpdated",
    "OrderCancelled",
    "OrderRejected",
    "ItemsReturned",
    "CreditRecorded",
    "AdjustmentRecorded",
    "PaymentRequested",
    "PaymentProcessed",
    "PaymentFailed",
    "RefundIssued",
];

/// The version that an event is written at. A new event stops the build here: it also needs a name and a sample.
pub const fn version(fact: &EventPayload) -> u32 {
    match fact {
        EventPayload::ProductChanged(_)
        | EventPayload::PriceChanged { .. }
        | EventPayload::StockUpdated(_)
        | EventPayload::InventoryReserved(_)
        | EventPayload::InventoryReleased(_)
        | EventPayload::LowStock { .. }
        | EventPayload::OrderCreated(_)
        | EventPayload::OrderUpdated { .. }
        | EventPayload::OrderCancelled { .. }
        | EventPayload::OrderRejected { .. }
        | EventPayload::ItemsReturned { .. }
        | EventPayload::CreditRecorded(_)
        | EventPayload::AdjustmentRecorded(_)
        | EventPayload::PaymentRequested { .. }
        | EventPayload::PaymentProcessed(_)
        | EventPayload::PaymentFailed(_)
        | EventPayload::RefundIssued(..) => 1,
    }
}

/// The samples, in the order of the names.
pub fn facts() -> Vec<EventPayload> {
    let mut facts = goods();
    facts.extend(orders());
    facts.extend(money());
    facts
}

fn goods() -> Vec<EventPayload> {
    let reservation =
        Reservation { sku: text("85123A"), location: text("main"), quantity: 2, order_id: text("o-1"), line: 1 };
    let movement = StockMovement {
        sku: text("85123A"),
        location: text("main"),
        quantity: -2,
        reason: StockReason::ShipmentCancelled,
        reference: Some(text("o-1")),
        line: None,
        on_hand: 40,
        reserved: 3,
    };
    vec![
        EventPayload::ProductChanged(product()),
        EventPayload::PriceChanged {
            product_id: text("p-1"),
            sku: text("85123A"),
            price: pounds(99_900),
            valid_from: Some(moment(1)),
            valid_to: None,
        },
        EventPayload::StockUpdated(movement),
        EventPayload::InventoryReserved(reservation.clone()),
        EventPayload::InventoryReleased(reservation),
        EventPayload::LowStock { sku: text("85123A"), available: 4, low_stock_at: 5 },
    ]
}

fn orders() -> Vec<EventPayload> {
    let (from, reason) = (OrderStatus::PendingPayment, Some(text("payment_timeout")));
    let detail = "1 is available, 2 are wanted".into();
    let problem = FieldError { pointer: "/lines/0".into(), code: Code::OutOfStock, detail };
    let line = ReturnedLine { line: 1, quantity: 1, amount: pounds(125_000) };
    let returned = Return { return_id: text("r-1"), lines: vec![line], refund: pounds(125_000), restock: false };
    vec![
        EventPayload::OrderCreated(order()),
        EventPayload::OrderUpdated { order: order(), from, reason: None },
        EventPayload::OrderCancelled { order: order(), from, reason, refunds: vec![1] },
        EventPayload::OrderRejected { order_id: rejected().order_id, code: Code::OutOfStock, errors: vec![problem] },
        EventPayload::ItemsReturned { order: order(), returned },
        EventPayload::CreditRecorded(credit()),
        EventPayload::AdjustmentRecorded(adjustment()),
    ]
}

fn money() -> Vec<EventPayload> {
    let moved = MoneyMoved { order: order(), refund_id: None, amount: pounds(250_000), reason: None };
    let refund = MoneyMoved {
        order: order(),
        refund_id: Some(text("f-1")),
        amount: pounds(100),
        reason: Some(text("late_capture")),
    };
    vec![
        EventPayload::PaymentRequested {
            order_id: text("o-1"),
            amount: pounds(250_000),
            method: PaymentMethod::Sandbox,
            token: Some(text("decline")),
        },
        EventPayload::PaymentProcessed(moved.clone()),
        EventPayload::PaymentFailed(MoneyMoved { reason: Some(text("declined")), ..moved }),
        EventPayload::RefundIssued(RefundKind::LateCapture, refund),
    ]
}
