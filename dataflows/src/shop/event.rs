//! What happened: the payload of every event, its name, stream and key. Its JSON is what `<domain>.events` carries; what
//! only the views need (the order behind a refund) rides along unseen.

use crate::contract::code::{Code, FieldError};
use crate::contract::domain::Domain;
use crate::contract::money::Money;
use crate::contract::time::Timestamp;
use crate::shop::adjustments::Adjustment;
use crate::shop::catalogue::Product;
use crate::shop::credits::Credit;
use crate::shop::orders::{Order, OrderStatus};
use crate::shop::payments::{MoneyMoved, PaymentMethod};
use crate::shop::refunds::RefundKind;
use crate::shop::returns::Return;
use crate::shop::stock::{Reservation, StockMovement};
use serde::ser::SerializeMap;
use smol_str::SmolStr;
use std::sync::Arc;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the event of that name in the contract")]
pub enum EventPayload {
    ProductChanged(Arc<Product>),
    PriceChanged {
        product_id: SmolStr,
        sku: SmolStr,
        price: Money,
        valid_from: Option<Timestamp>,
        valid_to: Option<Timestamp>,
    },
    StockUpdated(StockMovement),
    InventoryReserved(Reservation),
    InventoryReleased(Reservation),
    LowStock {
        sku: SmolStr,
        available: i64,
        low_stock_at: i64,
    },
    OrderCreated(Arc<Order>),
    OrderUpdated {
        order: Arc<Order>,
        from: OrderStatus,
        reason: Option<SmolStr>,
    },
    /// `refunds` has the money given back for each line, unseen.
    OrderCancelled {
        order: Arc<Order>,
        from: OrderStatus,
        reason: Option<SmolStr>,
        refunds: Vec<i64>,
    },
    OrderRejected {
        order_id: SmolStr,
        code: Code,
        errors: Vec<FieldError>,
    },
    ItemsReturned {
        order: Arc<Order>,
        returned: Return,
    },
    CreditRecorded(Arc<Credit>),
    AdjustmentRecorded(Arc<Adjustment>),
    PaymentRequested {
        order_id: SmolStr,
        amount: Money,
        method: PaymentMethod,
        token: Option<SmolStr>,
    },
    PaymentProcessed(MoneyMoved),
    PaymentFailed(MoneyMoved),
    RefundIssued(RefundKind, MoneyMoved),
}

impl EventPayload {
    /// The event's type, as in `tradewind.<Name>.v1`.
    pub const fn name(&self) -> &'static str {
        match self {
            EventPayload::ProductChanged(_) => "ProductChanged",
            EventPayload::PriceChanged { .. } => "PriceChanged",
            EventPayload::StockUpdated(_) => "StockUpdated",
            EventPayload::InventoryReserved(_) => "InventoryReserved",
            EventPayload::InventoryReleased(_) => "InventoryReleased",
            EventPayload::LowStock { .. } => "LowStock",
            EventPayload::OrderCreated(_) => "OrderCreated",
            EventPayload::OrderUpdated { .. } => "OrderUpdated",
            EventPayload::OrderCancelled { .. } => "OrderCancelled",
            EventPayload::OrderRejected { .. } => "OrderRejected",
            EventPayload::ItemsReturned { .. } => "ItemsReturned",
            EventPayload::CreditRecorded(_) => "CreditRecorded",
            EventPayload::AdjustmentRecorded(_) => "AdjustmentRecorded",
            EventPayload::PaymentRequested { .. } => "PaymentRequested",
            EventPayload::PaymentProcessed(_) => "PaymentProcessed",
            EventPayload::PaymentFailed(_) => "PaymentFailed",
            EventPayload::RefundIssued(..) => "RefundIssued",
        }
    }

    /// The stream that it belongs to.
    pub const fn domain(&self) -> Domain {
        match self {
            EventPayload::ProductChanged(_) | EventPayload::PriceChanged { .. } => Domain::Catalog,
            EventPayload::StockUpdated(_)
            | EventPayload::InventoryReserved(_)
            | EventPayload::InventoryReleased(_)
            | EventPayload::LowStock { .. } => Domain::Stock,
            EventPayload::OrderCreated(_)
            | EventPayload::OrderUpdated { .. }
            | EventPayload::OrderCancelled { .. }
            | EventPayload::OrderRejected { .. }
            | EventPayload::ItemsReturned { .. }
            | EventPayload::CreditRecorded(_)
            | EventPayload::AdjustmentRecorded(_) => Domain::Orders,
            EventPayload::PaymentRequested { .. }
            | EventPayload::PaymentProcessed(_)
            | EventPayload::PaymentFailed(_)
            | EventPayload::RefundIssued(..) => Domain::Payments,
        }
    }

    /// The key of its record: the id of what it is about.
    pub fn key(&self) -> &str {
        match self {
            EventPayload::ProductChanged(product) => &product.product_id,
            EventPayload::PriceChanged { product_id, .. } => product_id,
            EventPayload::StockUpdated(movement) => &movement.sku,
            EventPayload::InventoryReserved(reservation) | EventPayload::InventoryReleased(reservation) => {
                &reservation.sku
            }
            EventPayload::LowStock { sku, .. } => sku,
            EventPayload::OrderCreated(order)
            | EventPayload::OrderUpdated { order, .. }
            | EventPayload::OrderCancelled { order, .. }
            | EventPayload::ItemsReturned { order, .. } => &order.order_id,
            EventPayload::OrderRejected { order_id, .. } | EventPayload::PaymentRequested { order_id, .. } => order_id,
            EventPayload::CreditRecorded(credit) => &credit.credit_id,
            EventPayload::AdjustmentRecorded(adjustment) => &adjustment.adjustment_id,
            EventPayload::PaymentProcessed(moved)
            | EventPayload::PaymentFailed(moved)
            | EventPayload::RefundIssued(_, moved) => &moved.order.order_id,
        }
    }
}

impl EventPayload {
    pub(crate) fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            EventPayload::ProductChanged(product) => map.serialize_entry("product", product),
            EventPayload::PriceChanged { product_id, sku, price, valid_from, valid_to } => {
                map.serialize_entry("product_id", product_id)?;
                map.serialize_entry("sku", sku)?;
                map.serialize_entry("price", price)?;
                map.serialize_entry("valid_from", valid_from)?;
                map.serialize_entry("valid_to", valid_to)
            }
            EventPayload::StockUpdated(movement) => movement.entries(map),
            EventPayload::InventoryReserved(reservation) | EventPayload::InventoryReleased(reservation) => {
                reservation.entries(map)
            }
            EventPayload::LowStock { sku, available, low_stock_at } => {
                map.serialize_entry("sku", sku)?;
                map.serialize_entry("available", available)?;
                map.serialize_entry("low_stock_at", low_stock_at)
            }
            EventPayload::OrderCreated(order) => {
                map.serialize_entry("order", order)?;
                map.serialize_entry("from", &None::<OrderStatus>)?;
                map.serialize_entry("reason", &None::<SmolStr>)
            }
            EventPayload::OrderUpdated { order, from, reason }
            | EventPayload::OrderCancelled { order, from, reason, .. } => {
                map.serialize_entry("order", order)?;
                map.serialize_entry("from", from)?;
                map.serialize_entry("reason", reason)
            }
            EventPayload::OrderRejected { order_id, code, errors } => {
                map.serialize_entry("order_id", order_id)?;
                map.serialize_entry("code", code)?;
                map.serialize_entry("errors", errors)
            }
            EventPayload::ItemsReturned { order, returned } => {
                map.serialize_entry("order_id", &order.order_id)?;
                map.serialize_entry("return", returned)
            }
            EventPayload::CreditRecorded(credit) => map.serialize_entry("credit", credit),
            EventPayload::AdjustmentRecorded(adjustment) => map.serialize_entry("adjustment", adjustment),
            EventPayload::PaymentRequested { order_id, amount, method, token } => {
                map.serialize_entry("order_id", order_id)?;
                map.serialize_entry("payment_id", order_id)?;
                map.serialize_entry("amount", amount)?;
                map.serialize_entry("method", method)?;
                map.serialize_entry("token", token)
            }
            EventPayload::PaymentProcessed(moved)
            | EventPayload::PaymentFailed(moved)
            | EventPayload::RefundIssued(_, moved) => moved.entries(map),
        }
    }
}
