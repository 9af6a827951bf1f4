//! Events: what was decided, as facts. Their JSON is what `<domain>.events` carries; what only the views need (the
//! order behind a refund) rides along unseen.

use crate::code::{Code, Problem};
use crate::command::PaymentMethod;
use crate::epoch::Epoch;
use crate::money::Money;
use crate::rows::{Adjustment, Credit, Order, OrderStatus, Product};
use crate::time::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use smol_str::SmolStr;
use std::sync::Arc;

/// A decided fact and its place in the history of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The epoch that decided it.
    pub epoch: Epoch,
    /// Its place in the epoch, from 1.
    pub n: u64,
    /// The id of the command behind it, or `timer:<what>`.
    pub cause: SmolStr,
    /// The epoch's `now`.
    pub at: Timestamp,
    /// Business time.
    pub occurred_at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// Why stock on hand changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StockReason {
    /// Goods came in.
    Received,
    /// A count was put right.
    Adjusted,
    /// Goods are lost.
    WrittenOff,
    /// Goods left for a customer.
    Shipped,
    /// Goods came back.
    Returned,
    /// A shipment was called off.
    ShipmentCancelled,
    /// Goods moved between locations.
    Transferred,
    /// Goods came back with a credit.
    Credited,
}

/// Goods of an order that are promised, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// What.
    pub sku: SmolStr,
    /// Where.
    pub location: SmolStr,
    /// How many.
    pub quantity: i64,
    /// For which order.
    pub order_id: SmolStr,
    /// For which of its lines.
    pub line: u32,
}

/// A change of the stock on hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockMovement {
    /// What.
    pub sku: SmolStr,
    /// Where.
    pub location: SmolStr,
    /// How many, signed.
    pub quantity: i64,
    /// Why.
    pub reason: StockReason,
    /// For what: the caller's reference, or the order, return or credit.
    pub reference: Option<SmolStr>,
    /// For which line of it.
    pub line: Option<u32>,
    /// What lies there now.
    pub on_hand: i64,
    /// What is promised there now.
    pub reserved: i64,
}

/// Goods that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Return {
    /// The return's id.
    pub return_id: SmolStr,
    /// What, by line.
    pub lines: Vec<ReturnedLine>,
    /// The money given back.
    pub refund: Money,
    /// Whether the goods came back into stock.
    pub restock: bool,
}

/// A line of a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReturnedLine {
    /// The order's line.
    pub line: u32,
    /// How many.
    pub quantity: i64,
    /// The money given back for it.
    pub amount: Money,
}

/// Why money went back, as the shop tells it apart; the reason in the event may be the caller's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundKind {
    /// With goods: the return counts it.
    Returned,
    /// With a cancellation, which counts it.
    Cancelled,
    /// It came after the order was cancelled: it counts nowhere.
    LateCapture,
    /// Money without goods.
    MoneyOnly,
}

/// Money of an order that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyMoved {
    /// The order as it is now.
    pub order: Arc<Order>,
    /// The id of a refund.
    pub refund_id: Option<SmolStr>,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: Option<SmolStr>,
}

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

/// The streams of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// `catalog.events`
    Catalog,
    /// `stock.events`
    Stock,
    /// `orders.events`
    Orders,
    /// `payments.events`
    Payments,
}

impl Domain {
    /// Every one, in order.
    pub const ALL: &[Domain] = &[Domain::Catalog, Domain::Stock, Domain::Orders, Domain::Payments];

    /// The name of its topic, without the deployment's prefix.
    pub const fn topic(self) -> &'static str {
        match self {
            Domain::Catalog => "catalog.events",
            Domain::Stock => "stock.events",
            Domain::Orders => "orders.events",
            Domain::Payments => "payments.events",
        }
    }
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

impl Reservation {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Reservation { sku, location, quantity, order_id, line } = self;
        map.serialize_entry("sku", sku)?;
        map.serialize_entry("location", location)?;
        map.serialize_entry("quantity", quantity)?;
        map.serialize_entry("order_id", order_id)?;
        map.serialize_entry("line", line)
    }
}

impl StockMovement {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let StockMovement { sku, location, quantity, reason, reference, line, on_hand, reserved } = self;
        map.serialize_entry("sku", sku)?;
        map.serialize_entry("location", location)?;
        map.serialize_entry("quantity", quantity)?;
        map.serialize_entry("reason", reason)?;
        map.serialize_entry("reference", reference)?;
        map.serialize_entry("line", line)?;
        map.serialize_entry("on_hand", on_hand)?;
        map.serialize_entry("reserved", reserved)
    }
}

impl MoneyMoved {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("order_id", &self.order.order_id)?;
        map.serialize_entry("payment_id", &self.order.order_id)?;
        map.serialize_entry("refund_id", &self.refund_id)?;
        map.serialize_entry("amount", &self.amount)?;
        map.serialize_entry("reason", &self.reason)
    }
}

impl Fact {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
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

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("epoch", &self.epoch)?;
        map.serialize_entry("n", &self.n)?;
        map.serialize_entry("cause", &self.cause)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("occurred_at", &self.occurred_at)?;
        self.fact.entries(&mut map)?;
        map.end()
    }
}
