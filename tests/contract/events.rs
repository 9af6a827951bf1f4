//! A sample of each event.

use super::documents::{adjustment, credit, order, product, rejected};
use super::{moment, pounds, text};
use dataflows::contract::code::{Code, FieldError};
use dataflows::shop::adjustments::AdjustmentRecorded;
use dataflows::shop::catalogue::{PriceChanged, ProductChanged};
use dataflows::shop::credits::CreditRecorded;
use dataflows::shop::event::EventPayload;
use dataflows::shop::orders::{OrderCancelled, OrderCreated, OrderRejected, OrderStatus, OrderUpdated};
use dataflows::shop::payments::{MoneyMoved, PaymentFailed, PaymentMethod, PaymentProcessed, PaymentRequested};
use dataflows::shop::refunds::{RefundIssued, RefundKind};
use dataflows::shop::returns::{ItemsReturned, Return, ReturnedLine};
use dataflows::shop::stock::{
    InventoryReleased, InventoryReserved, LowStock, Reservation, StockMovement, StockReason, StockUpdated,
};

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
        | EventPayload::PriceChanged(_)
        | EventPayload::StockUpdated(_)
        | EventPayload::InventoryReserved(_)
        | EventPayload::InventoryReleased(_)
        | EventPayload::LowStock(_)
        | EventPayload::OrderCreated(_)
        | EventPayload::OrderUpdated(_)
        | EventPayload::OrderCancelled(_)
        | EventPayload::OrderRejected(_)
        | EventPayload::ItemsReturned(_)
        | EventPayload::CreditRecorded(_)
        | EventPayload::AdjustmentRecorded(_)
        | EventPayload::PaymentRequested(_)
        | EventPayload::PaymentProcessed(_)
        | EventPayload::PaymentFailed(_)
        | EventPayload::RefundIssued(_) => 1,
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
        EventPayload::ProductChanged(ProductChanged(product())),
        EventPayload::PriceChanged(PriceChanged {
            product_id: text("p-1"),
            sku: text("85123A"),
            price: pounds(99_900),
            valid_from: Some(moment(1)),
            valid_to: None,
        }),
        EventPayload::StockUpdated(StockUpdated(movement)),
        EventPayload::InventoryReserved(InventoryReserved(reservation.clone())),
        EventPayload::InventoryReleased(InventoryReleased(reservation)),
        EventPayload::LowStock(LowStock { sku: text("85123A"), available: 4, low_stock_at: 5 }),
    ]
}

fn orders() -> Vec<EventPayload> {
    let (from, reason) = (OrderStatus::PendingPayment, Some(text("payment_timeout")));
    let detail = "1 is available, 2 are wanted".into();
    let problem = FieldError { pointer: "/lines/0".into(), code: Code::OutOfStock, detail };
    let line = ReturnedLine { line: 1, quantity: 1, amount: pounds(125_000) };
    let returned = Return { return_id: text("r-1"), lines: vec![line], refund: pounds(125_000), restock: false };
    vec![
        EventPayload::OrderCreated(OrderCreated(order())),
        EventPayload::OrderUpdated(OrderUpdated { order: order(), from, reason: None }),
        EventPayload::OrderCancelled(OrderCancelled { order: order(), from, reason, refunds: vec![1] }),
        EventPayload::OrderRejected(OrderRejected {
            order_id: rejected().order_id,
            code: Code::OutOfStock,
            errors: vec![problem],
        }),
        EventPayload::ItemsReturned(ItemsReturned { order: order(), returned }),
        EventPayload::CreditRecorded(CreditRecorded(credit())),
        EventPayload::AdjustmentRecorded(AdjustmentRecorded(adjustment())),
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
        EventPayload::PaymentRequested(PaymentRequested {
            order_id: text("o-1"),
            amount: pounds(250_000),
            method: PaymentMethod::Sandbox,
            token: Some(text("decline")),
        }),
        EventPayload::PaymentProcessed(PaymentProcessed(moved.clone())),
        EventPayload::PaymentFailed(PaymentFailed(MoneyMoved { reason: Some(text("declined")), ..moved })),
        EventPayload::RefundIssued(RefundIssued(RefundKind::LateCapture, refund)),
    ]
}
