//! What happened: the payload of every event, its name, stream and key. Its JSON is what `<domain>.events` carries; what
//! only the views need (the order behind a refund) rides along unseen.

use crate::contract::code::{Code, Problem};
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
pub enum Fact {
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
        errors: Vec<Problem>,
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

impl Fact {
    /// The event's type, as in `tradewind.<Name>.v1`.
    pub const fn name(&self) -> &'static str {
        match self {
            Fact::ProductChanged(_) => "ProductChanged",
            Fact::PriceChanged { .. } => "PriceChanged",
            Fact::StockUpdated(_) => "StockUpdated",
            Fact::InventoryReserved(_) => "InventoryReserved",
            Fact::InventoryReleased(_) => "InventoryReleased",
            Fact::LowStock { .. } => "LowStock",
            Fact::OrderCreated(_) => "OrderCreated",
            Fact::OrderUpdated { .. } => "OrderUpdated",
            Fact::OrderCancelled { .. } => "OrderCancelled",
            Fact::OrderRejected { .. } => "OrderRejected",
            Fact::ItemsReturned { .. } => "ItemsReturned",
            Fact::CreditRecorded(_) => "CreditRecorded",
            Fact::AdjustmentRecorded(_) => "AdjustmentRecorded",
            Fact::PaymentRequested { .. } => "PaymentRequested",
            Fact::PaymentProcessed(_) => "PaymentProcessed",
            Fact::PaymentFailed(_) => "PaymentFailed",
            Fact::RefundIssued(..) => "RefundIssued",
        }
    }

    /// The stream that it belongs to.
    pub const fn domain(&self) -> Domain {
        match self {
            Fact::ProductChanged(_) | Fact::PriceChanged { .. } => Domain::Catalog,
            Fact::StockUpdated(_) | Fact::InventoryReserved(_) | Fact::InventoryReleased(_) | Fact::LowStock { .. } => {
                Domain::Stock
            }
            Fact::OrderCreated(_)
            | Fact::OrderUpdated { .. }
            | Fact::OrderCancelled { .. }
            | Fact::OrderRejected { .. }
            | Fact::ItemsReturned { .. }
            | Fact::CreditRecorded(_)
            | Fact::AdjustmentRecorded(_) => Domain::Orders,
            Fact::PaymentRequested { .. }
            | Fact::PaymentProcessed(_)
            | Fact::PaymentFailed(_)
            | Fact::RefundIssued(..) => Domain::Payments,
        }
    }

    /// The key of its record: the id of what it is about.
    pub fn key(&self) -> &str {
        match self {
            Fact::ProductChanged(product) => &product.product_id,
            Fact::PriceChanged { product_id, .. } => product_id,
            Fact::StockUpdated(movement) => &movement.sku,
            Fact::InventoryReserved(reservation) | Fact::InventoryReleased(reservation) => &reservation.sku,
            Fact::LowStock { sku, .. } => sku,
            Fact::OrderCreated(order)
            | Fact::OrderUpdated { order, .. }
            | Fact::OrderCancelled { order, .. }
            | Fact::ItemsReturned { order, .. } => &order.order_id,
            Fact::OrderRejected { order_id, .. } | Fact::PaymentRequested { order_id, .. } => order_id,
            Fact::CreditRecorded(credit) => &credit.credit_id,
            Fact::AdjustmentRecorded(adjustment) => &adjustment.adjustment_id,
            Fact::PaymentProcessed(moved) | Fact::PaymentFailed(moved) | Fact::RefundIssued(_, moved) => {
                &moved.order.order_id
            }
        }
    }
}

impl Fact {
    pub(crate) fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Fact::ProductChanged(product) => map.serialize_entry("product", product),
            Fact::PriceChanged { product_id, sku, price, valid_from, valid_to } => {
                map.serialize_entry("product_id", product_id)?;
                map.serialize_entry("sku", sku)?;
                map.serialize_entry("price", price)?;
                map.serialize_entry("valid_from", valid_from)?;
                map.serialize_entry("valid_to", valid_to)
            }
            Fact::StockUpdated(movement) => movement.entries(map),
            Fact::InventoryReserved(reservation) | Fact::InventoryReleased(reservation) => reservation.entries(map),
            Fact::LowStock { sku, available, low_stock_at } => {
                map.serialize_entry("sku", sku)?;
                map.serialize_entry("available", available)?;
                map.serialize_entry("low_stock_at", low_stock_at)
            }
            Fact::OrderCreated(order) => {
                map.serialize_entry("order", order)?;
                map.serialize_entry("from", &None::<OrderStatus>)?;
                map.serialize_entry("reason", &None::<SmolStr>)
            }
            Fact::OrderUpdated { order, from, reason } | Fact::OrderCancelled { order, from, reason, .. } => {
                map.serialize_entry("order", order)?;
                map.serialize_entry("from", from)?;
                map.serialize_entry("reason", reason)
            }
            Fact::OrderRejected { order_id, code, errors } => {
                map.serialize_entry("order_id", order_id)?;
                map.serialize_entry("code", code)?;
                map.serialize_entry("errors", errors)
            }
            Fact::ItemsReturned { order, returned } => {
                map.serialize_entry("order_id", &order.order_id)?;
                map.serialize_entry("return", returned)
            }
            Fact::CreditRecorded(credit) => map.serialize_entry("credit", credit),
            Fact::AdjustmentRecorded(adjustment) => map.serialize_entry("adjustment", adjustment),
            Fact::PaymentRequested { order_id, amount, method, token } => {
                map.serialize_entry("order_id", order_id)?;
                map.serialize_entry("payment_id", order_id)?;
                map.serialize_entry("amount", amount)?;
                map.serialize_entry("method", method)?;
                map.serialize_entry("token", token)
            }
            Fact::PaymentProcessed(moved) | Fact::PaymentFailed(moved) | Fact::RefundIssued(_, moved) => {
                moved.entries(map)
            }
        }
    }
}
