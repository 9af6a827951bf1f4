//! The rows of what is recorded once and never changes (credits, adjustments), and of the policy.

use super::{Row, TableRow, View};
use crate::epoch::Epoch;
use crate::money::{Currency, Money};
use crate::stored::stored;
use crate::time::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smol_str::SmolStr;
use std::borrow::Cow;

/// A credit note without an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Its id.
    pub credit_id: SmolStr,
    /// For whom.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: Currency,
    /// For which country.
    pub country: SmolStr,
    /// What, numbered from 1.
    pub lines: Vec<CreditLine>,
    /// Σ quantity × unit price.
    pub total: i64,
    /// Whether the goods came back into stock.
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
    /// What.
    pub sku: SmolStr,
    /// How many.
    pub quantity: i64,
    /// At what price.
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

struct LineJson<'a>(usize, &'a CreditLine, Currency);

impl Serialize for LineJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let LineJson(line, of, currency) = self;
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

struct LinesJson<'a>(&'a Credit);

impl Serialize for LinesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.lines.iter().enumerate().map(|(n, line)| LineJson(n, line, self.0.currency)))
    }
}

impl Serialize for Credit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Credit", 10)?;
        row.serialize_field("credit_id", &self.credit_id)?;
        row.serialize_field("customer_id", &self.customer_id)?;
        row.serialize_field("currency", &self.currency)?;
        row.serialize_field("country", &self.country)?;
        row.serialize_field("lines", &LinesJson(self))?;
        row.serialize_field("total", &Money::new(self.total, self.currency))?;
        row.serialize_field("restock", &self.restock)?;
        row.serialize_field("reference", &self.reference)?;
        row.serialize_field("occurred_at", &self.occurred_at)?;
        row.serialize_field("epoch", &self.epoch)?;
        row.end()
    }
}

/// Money without goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adjustment {
    /// Its id.
    pub adjustment_id: SmolStr,
    /// For whom.
    pub customer_id: Option<SmolStr>,
    /// In which currency.
    pub currency: Currency,
    /// For which country.
    pub country: SmolStr,
    /// How much, signed.
    pub amount: Money,
    /// The caller's own reference.
    pub reference: Option<SmolStr>,
    /// Business time.
    pub occurred_at: Timestamp,
    /// The epoch that recorded it.
    pub epoch: Epoch,
}

/// What decisions depend on beside the commands. There is a row once one was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// How long a sandbox payment may take.
    pub payment_timeout_s: i64,
    /// How long an external payment may take.
    pub payment_timeout_external_s: i64,
    /// How long command ids are remembered.
    pub id_memory_s: i64,
    /// How many lines an order or a credit may have.
    pub order_lines_max: i64,
    /// How many dead letters of a topic keep their bytes in a minute.
    pub dead_letters_per_min: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            payment_timeout_s: 900,
            payment_timeout_external_s: 86_400,
            id_memory_s: 604_800,
            order_lines_max: 1_500,
            dead_letters_per_min: 600,
        }
    }
}

macro_rules! table_rows {
    ($($row:ident $view:ident $id:ident,)*) => {
        $(impl Row for $row {
            const VIEW: View = View::$view;
            fn key(&self) -> Cow<'_, str> { Cow::Borrowed(&self.$id) }
            fn key_text(&self) -> SmolStr { self.$id.clone() }
        }
        impl TableRow for $row {
            fn id(&self) -> &str { &self.$id }
        })*
    };
}

table_rows! {
    Credit Credits credit_id,
    Adjustment Adjustments adjustment_id,
}

impl Row for Policy {
    const VIEW: View = View::Policy;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.id())
    }
}

impl TableRow for Policy {
    fn id(&self) -> &str {
        "policy"
    }
}

stored! {
    Credit {
        credit_id, customer_id, currency, country, lines, total, restock, reference, occurred_at, epoch,
    }
    CreditLine { sku, quantity, unit_price, amount, category }
    Adjustment { adjustment_id, customer_id, currency, country, amount, reference, occurred_at, epoch }
    Policy { payment_timeout_s, payment_timeout_external_s, id_memory_s, order_lines_max, dead_letters_per_min }
}
