//! The row of an order.

use crate::contract::code::Code;
use crate::contract::epoch::Epoch;
use crate::contract::money::{Currency, Money};
use crate::contract::time::Timestamp;
use crate::engine::encoding::{encode_enum, encode_struct};
use crate::shop::cached_hash::CachedHash;
use crate::shop::footprint::{Footprint, list, maybe, text};
use crate::shop::payments::PaymentMethod;
use crate::shop::row::{Row, TableRow, View};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::borrow::Cow;

/// The status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Reserved, and waiting for its payment.
    PendingPayment,
    /// Paid.
    Paid,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Some of it came back.
    PartlyReturned,
    /// All of it came back.
    Returned,
    /// Called off; its stock was released and its money paid back.
    Cancelled,
    /// Never came to be; `code` is the reason.
    Rejected,
}

/// The status of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Asked for.
    Requested,
    /// The money came.
    Processed,
    /// It was refused.
    Failed,
    /// It did not come in time.
    Expired,
    /// The order was cancelled before.
    Cancelled,
    /// The money was taken back.
    ChargedBack,
}

/// The status of a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Called off.
    Cancelled,
    /// It could not be delivered.
    Failed,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub order_id: SmolStr,
    /// Its status.
    pub status: OrderStatus,
    /// Why it was rejected.
    pub code: Option<Code>,
    /// The buyer.
    pub customer_id: Option<SmolStr>,
    /// The buyer's country.
    pub country: SmolStr,
    /// Its currency. A rejected order may have been given in something that is none.
    pub currency: Currency,
    /// The goods, numbered from 1.
    pub lines: Vec<OrderLine>,
    /// Σ quantity × unit price.
    pub total: i64,
    /// The money that came in.
    pub captured: i64,
    /// The money that went back.
    pub refunded: i64,
    /// Its payment; none for a rejected order.
    pub payment: Option<Payment>,
    /// Its shipment, once there is one.
    pub shipment: Option<Box<Shipment>>,
    /// Its states so far.
    pub history: SmallVec<[History; 2]>,
    /// PlaceOrder's business time.
    pub placed_at: Timestamp,
    /// The return and refund ids used.
    pub money_back_ids: Vec<SmolStr>,
    /// Its hash.
    pub memo: CachedHash,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// The SKU.
    pub sku: SmolStr,
    /// The category path that the product had, joined by `/`.
    pub category: SmolStr,
    /// The number of pieces.
    pub quantity: i64,
    /// The price of one piece.
    pub unit_price: i64,
    /// Quantity × unit price.
    pub amount: i64,
    /// The number of pieces that came back.
    pub returned: i64,
    /// The locations that they were taken from.
    pub taken: SmallVec<[Allocation; 1]>,
}

/// A part of a line, and the location that it was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The location.
    pub location: SmolStr,
    /// The number of pieces.
    pub quantity: i64,
}

/// The payment of an order; its id is the order's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The way of paying.
    pub method: PaymentMethod,
    /// Its status.
    pub status: PaymentStatus,
    /// The text that the gateway needs.
    pub token: Option<SmolStr>,
    /// When it expires, while it is requested.
    pub deadline: Option<Timestamp>,
    /// True if `processed` was taken; its amount was the total.
    pub processed: bool,
    /// The amount of a `failed` that was taken.
    pub failed: Option<i64>,
    /// The amount of a `charged_back` that was taken.
    pub charged_back: Option<i64>,
}

/// The shipment of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shipment {
    /// The carrier.
    pub carrier: Option<SmolStr>,
    /// The carrier's number for it.
    pub tracking: Option<SmolStr>,
    /// Its status.
    pub status: ShipmentStatus,
}

/// A state that an order came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// The state.
    pub status: OrderStatus,
    /// The epoch's `now`.
    pub at: Timestamp,
    /// The epoch.
    pub epoch: Epoch,
}

impl Order {
    /// Returns true if goods are reserved for it.
    pub const fn holds_reservations(&self) -> bool {
        matches!(self.status, OrderStatus::PendingPayment | OrderStatus::Paid)
    }

    /// The same order without its lines, of which there may be many.
    #[must_use]
    pub fn without_lines(&self) -> Order {
        Order {
            order_id: self.order_id.clone(),
            status: self.status,
            code: self.code,
            customer_id: self.customer_id.clone(),
            country: self.country.clone(),
            currency: self.currency,
            lines: Vec::new(),
            total: self.total,
            captured: self.captured,
            refunded: self.refunded,
            payment: self.payment.clone(),
            shipment: self.shipment.clone(),
            history: self.history.clone(),
            placed_at: self.placed_at,
            money_back_ids: Vec::new(),
            memo: CachedHash::default(),
        }
    }

    /// The number of its returns.
    pub fn returns(&self) -> usize {
        let is_return = |status| matches!(status, OrderStatus::PartlyReturned | OrderStatus::Returned);
        self.history.iter().filter(|entry| is_return(entry.status)).count()
    }

    /// The number of refunds without goods that were asked for.
    pub fn refunds(&self) -> usize {
        self.money_back_ids.len() - self.returns()
    }

    /// The rest of its money.
    pub const fn refundable(&self) -> i64 {
        self.captured - self.refunded
    }
}

struct OrderLineJson<'a>(usize, &'a OrderLine, Currency);

impl Serialize for OrderLineJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OrderLineJson(line, of, currency) = self;
        let mut row = serializer.serialize_struct("OrderLine", 7)?;
        row.serialize_field("line", &(line + 1))?;
        row.serialize_field("sku", &of.sku)?;
        row.serialize_field("quantity", &of.quantity)?;
        row.serialize_field("unit_price", &Money::new(of.unit_price, *currency))?;
        row.serialize_field("amount", &Money::new(of.amount, *currency))?;
        row.serialize_field("category", &of.category)?;
        row.serialize_field("returned", &of.returned)?;
        row.end()
    }
}

struct OrderLinesJson<'a>(&'a Order);

impl Serialize for OrderLinesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.lines.iter().enumerate().map(|(n, line)| OrderLineJson(n, line, self.0.currency)))
    }
}

#[derive(Serialize)]
struct PaymentJson<'a> {
    payment_id: &'a str,
    method: PaymentMethod,
    status: PaymentStatus,
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let money = |amount: i64| Money::new(amount, self.currency);
        let payment = self.payment.as_ref().map(|payment| PaymentJson {
            payment_id: &self.order_id,
            method: payment.method,
            status: payment.status,
        });
        let mut row = serializer.serialize_struct("Order", 14)?;
        row.serialize_field("order_id", &self.order_id)?;
        row.serialize_field("status", &self.status)?;
        row.serialize_field("code", &self.code)?;
        row.serialize_field("customer_id", &self.customer_id)?;
        row.serialize_field("country", &self.country)?;
        row.serialize_field("currency", &self.currency)?;
        row.serialize_field("lines", &OrderLinesJson(self))?;
        row.serialize_field("total", &money(self.total))?;
        row.serialize_field("captured", &money(self.captured))?;
        row.serialize_field("refunded", &money(self.refunded))?;
        row.serialize_field("payment", &payment)?;
        row.serialize_field("shipment", &self.shipment)?;
        row.serialize_field("history", self.history.as_slice())?;
        row.serialize_field("placed_at", &self.placed_at)?;
        row.end()
    }
}

impl Row for Order {
    const VIEW: View = View::Orders;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.order_id)
    }

    fn key_text(&self) -> SmolStr {
        self.order_id.clone()
    }

    fn memo(&self) -> Option<&CachedHash> {
        Some(&self.memo)
    }
}

impl TableRow for Order {
    fn id(&self) -> &str {
        &self.order_id
    }
}

encode_struct! {
    Order {
        order_id, status, code, customer_id, country, currency, lines, total, captured, refunded, payment, shipment,
        history, placed_at, money_back_ids, memo,
    }
    OrderLine { sku, category, quantity, unit_price, amount, returned, taken }
    Allocation { location, quantity }
    Payment { method, status, token, deadline, processed, failed, charged_back }
    Shipment { carrier, tracking, status }
    History { status, at, epoch }
}

encode_enum! {
    OrderStatus {
        PendingPayment = 0,
        Paid = 1,
        Shipped = 2,
        Delivered = 3,
        PartlyReturned = 4,
        Returned = 5,
        Cancelled = 6,
        Rejected = 7,
    }
    PaymentStatus { Requested = 0, Processed = 1, Failed = 2, Expired = 3, Cancelled = 4, ChargedBack = 5 }
    ShipmentStatus { Shipped = 0, Delivered = 1, Cancelled = 2, Failed = 3 }
}

impl Footprint for Order {
    fn heap_bytes(&self) -> usize {
        let payment = self.payment.as_ref().and_then(|payment| payment.token.as_ref());
        let shipment = self.shipment.as_ref().map_or(0, |shipment| {
            size_of_val(shipment.as_ref()) + maybe(shipment.carrier.as_ref()) + maybe(shipment.tracking.as_ref())
        });
        let history = if self.history.spilled() { size_of_val(self.history.as_slice()) } else { 0 };
        // The texts of lines are the products', which have them already.
        let lines =
            list(
                &self.lines,
                |line| {
                    if line.taken.spilled() { list(&line.taken, |taken| text(&taken.location)) } else { 0 }
                },
            );
        text(&self.order_id)
            + maybe(self.customer_id.as_ref())
            + text(&self.country)
            + lines
            + maybe(payment)
            + shipment
            + history
            + list(&self.money_back_ids, text)
    }
}
