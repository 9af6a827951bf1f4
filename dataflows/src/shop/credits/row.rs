//! The row of a credit note; it never changes.

use crate::contract::epoch::Epoch;
use crate::contract::money::{Currency, Money};
use crate::contract::time::Timestamp;
use crate::engine::encoding::encode_struct;
use crate::shop::footprint::{Footprint, list, maybe, text};
use crate::shop::row::{Row, TableRow, View};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smol_str::SmolStr;
use std::borrow::Cow;

/// A credit note without an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Its id.
    pub credit_id: SmolStr,
    /// The customer's id.
    pub customer_id: Option<SmolStr>,
    /// The currency.
    pub currency: Currency,
    /// The country.
    pub country: SmolStr,
    /// The goods, numbered from 1.
    pub lines: Vec<CreditLine>,
    /// Σ quantity × unit price.
    pub total: i64,
    /// True if the goods came back into stock.
    pub restock: bool,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Timestamp,
    /// The epoch that recorded it.
    pub epoch: Epoch,
}

/// A line of a credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditLine {
    /// The SKU.
    pub sku: SmolStr,
    /// The number of pieces.
    pub quantity: i64,
    /// The price of one piece.
    pub unit_price: i64,
    /// Quantity × unit price.
    pub amount: i64,
    /// The category path that the product has, joined by `/`.
    pub category: SmolStr,
}

impl Credit {
    /// The same credit without its lines, of which there may be many.
    #[must_use]
    pub fn without_lines(&self) -> Credit {
        Credit {
            credit_id: self.credit_id.clone(),
            customer_id: self.customer_id.clone(),
            currency: self.currency,
            country: self.country.clone(),
            lines: Vec::new(),
            total: self.total,
            restock: self.restock,
            reference: self.reference.clone(),
            occurred_at: self.occurred_at,
            epoch: self.epoch,
        }
    }
}

struct CreditLineJson<'a>(usize, &'a CreditLine, Currency);

impl Serialize for CreditLineJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let CreditLineJson(line, of, currency) = self;
        let mut row = serializer.serialize_struct("CreditLine", 6)?;
        row.serialize_field("line", &(line + 1))?;
        row.serialize_field("sku", &of.sku)?;
        row.serialize_field("quantity", &of.quantity)?;
        row.serialize_field("unit_price", &Money::new(of.unit_price, *currency))?;
        row.serialize_field("amount", &Money::new(of.amount, *currency))?;
        row.serialize_field("category", &of.category)?;
        row.end()
    }
}

struct CreditLinesJson<'a>(&'a Credit);

impl Serialize for CreditLinesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.0.lines.iter().enumerate().map(|(n, line)| CreditLineJson(n, line, self.0.currency)))
    }
}

impl Serialize for Credit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Credit", 10)?;
        row.serialize_field("credit_id", &self.credit_id)?;
        row.serialize_field("customer_id", &self.customer_id)?;
        row.serialize_field("currency", &self.currency)?;
        row.serialize_field("country", &self.country)?;
        row.serialize_field("lines", &CreditLinesJson(self))?;
        row.serialize_field("total", &Money::new(self.total, self.currency))?;
        row.serialize_field("restock", &self.restock)?;
        row.serialize_field("reference", &self.reference)?;
        row.serialize_field("occurred_at", &self.occurred_at)?;
        row.serialize_field("epoch", &self.epoch)?;
        row.end()
    }
}

impl Row for Credit {
    const VIEW: View = View::Credits;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.credit_id)
    }

    fn key_text(&self) -> SmolStr {
        self.credit_id.clone()
    }
}

impl TableRow for Credit {
    fn id(&self) -> &str {
        &self.credit_id
    }
}

encode_struct! {
    Credit {
        credit_id, customer_id, currency, country, lines, total, restock, reference, occurred_at, epoch,
    }
    CreditLine { sku, quantity, unit_price, amount, category }
}

impl Footprint for Credit {
    fn heap_bytes(&self) -> usize {
        let texts = text(&self.credit_id) + maybe(self.customer_id.as_ref()) + text(&self.country);
        texts + maybe(self.reference.as_ref()) + list(&self.lines, |line| text(&line.sku))
    }
}
