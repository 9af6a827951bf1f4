//! The row of an order's payment: what a gateway has to know. It changes less often than its order.

use crate::contract::money::{Currency, Money};
use crate::shop::footprint::{Footprint, maybe, text};
use crate::shop::orders::{Order, PaymentStatus};
use crate::shop::payments::PaymentMethod;
use crate::shop::row::{Row, View};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smol_str::SmolStr;
use std::borrow::Cow;

/// The payment of an order, as `{payment_id, order_id, method, status, amount, token}`; its id is the order's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// The order's id, and the payment's.
    pub order_id: SmolStr,
    /// The way of paying.
    pub method: PaymentMethod,
    /// Its status.
    pub status: PaymentStatus,
    /// The currency.
    pub currency: Currency,
    /// The order's total.
    pub amount: i64,
    /// The text that the gateway needs.
    pub token: Option<SmolStr>,
}

impl PaymentRow {
    /// The payment of an order; a rejected one has none.
    pub fn of(order: &Order) -> Option<PaymentRow> {
        let payment = order.payment.as_ref()?;
        Some(PaymentRow {
            order_id: order.order_id.clone(),
            method: payment.method,
            status: payment.status,
            currency: order.currency,
            amount: order.total,
            token: payment.token.clone(),
        })
    }
}

impl Serialize for PaymentRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Payment", 6)?;
        row.serialize_field("payment_id", &self.order_id)?;
        row.serialize_field("order_id", &self.order_id)?;
        row.serialize_field("method", &self.method)?;
        row.serialize_field("status", &self.status)?;
        row.serialize_field("amount", &Money::new(self.amount, self.currency))?;
        row.serialize_field("token", &self.token)?;
        row.end()
    }
}

impl Row for PaymentRow {
    const VIEW: View = View::Payments;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.order_id)
    }

    fn key_text(&self) -> SmolStr {
        self.order_id.clone()
    }
}

impl Footprint for PaymentRow {
    fn heap_bytes(&self) -> usize {
        text(&self.order_id) + maybe(self.token.as_ref())
    }
}
