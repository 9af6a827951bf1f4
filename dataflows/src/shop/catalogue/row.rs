//! The row of a product.

use super::{LeftOut, StockRule};
use crate::contract::money::{Currency, Money};
use crate::contract::time::Timestamp;
use crate::engine::encoding::encode_struct;
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::footprint::{ENTRY_BYTES, Footprint, list, maybe, text};
use crate::shop::row::{Row, TableRow, View};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Its id.
    pub product_id: SmolStr,
    /// The name.
    pub title: SmolStr,
    /// The description.
    pub description: Option<SmolStr>,
    /// The brand.
    pub brand: Option<SmolStr>,
    /// One path, from the top.
    pub category: Vec<SmolStr>,
    /// Named texts.
    pub attributes: BTreeMap<SmolStr, SmolStr>,
    /// True if it is out of lists and search.
    pub archived: bool,
    /// The variants that can be bought.
    pub variants: Vec<Variant>,
    /// SKUs that were left out later: no longer sold, but they stay this product's.
    #[serde(skip)]
    pub left_out: LeftOut,
    /// The category path joined by `/`, shared by every line that is sold.
    #[serde(skip)]
    pub category_path: SmolStr,
}

/// A variant: the meaning of a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The SKU.
    pub sku: SmolStr,
    /// The name that distinguishes it from its siblings.
    pub title: Option<SmolStr>,
    /// The price as set, in ten-thousandths.
    pub price: i64,
    /// Its currency.
    pub currency: Currency,
    /// The way its stock is kept.
    pub inventory_policy: InventoryPolicy,
    /// Reports when the available stock falls to this.
    pub low_stock_at: Option<i64>,
    /// Prices for a time, in the order in which they were set.
    pub scheduled: Vec<ScheduledPrice>,
}

/// A price for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScheduledPrice {
    /// The price.
    pub price: Money,
    /// The begin of its validity, inclusive.
    pub valid_from: Option<Timestamp>,
    /// The end of its validity, exclusive.
    pub valid_to: Option<Timestamp>,
}

impl ScheduledPrice {
    /// Returns true if it can never be the price again.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.valid_to.is_some_and(|to| to <= now)
    }
}

impl Variant {
    /// The price at `now`: of the open windows the one set last, else the price as set.
    pub fn price_at(&self, now: Timestamp) -> Money {
        let open = |window: &&ScheduledPrice| {
            window.valid_from.is_none_or(|from| from <= now) && window.valid_to.is_none_or(|to| now < to)
        };
        self.scheduled.iter().rev().find(open).map_or(Money::new(self.price, self.currency), |window| window.price)
    }

    /// The way its stock is kept.
    pub const fn rule(&self) -> StockRule {
        StockRule { inventory_policy: self.inventory_policy, low_stock_at: self.low_stock_at }
    }
}

impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Variant", 6)?;
        row.serialize_field("sku", &self.sku)?;
        row.serialize_field("title", &self.title)?;
        row.serialize_field("price", &Money::new(self.price, self.currency))?;
        row.serialize_field("inventory_policy", &self.inventory_policy)?;
        row.serialize_field("low_stock_at", &self.low_stock_at)?;
        row.serialize_field("scheduled", &self.scheduled)?;
        row.end()
    }
}

impl Product {
    /// The variant of a SKU that is sold.
    pub fn variant(&self, sku: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.sku == sku)
    }

    /// The way the stock of a SKU is kept, also of one that was left out.
    pub fn stock_rule(&self, sku: &str) -> Option<StockRule> {
        self.variant(sku).map(Variant::rule).or_else(|| self.left_out.get(sku).map(|former| former.rule))
    }
}

impl Row for Product {
    const VIEW: View = View::Products;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.product_id)
    }

    fn key_text(&self) -> SmolStr {
        self.product_id.clone()
    }
}

impl TableRow for Product {
    fn id(&self) -> &str {
        &self.product_id
    }
}

encode_struct! {
    Product {
        product_id, title, description, brand, category, attributes, archived, variants, left_out, category_path,
    }
    Variant { sku, title, price, currency, inventory_policy, low_stock_at, scheduled }
    ScheduledPrice { price, valid_from, valid_to }
}

fn variant(of: &Variant) -> usize {
    text(&of.sku) + maybe(of.title.as_ref()) + size_of_val(of.scheduled.as_slice())
}

impl Footprint for Product {
    fn heap_bytes(&self) -> usize {
        let texts = text(&self.product_id) + text(&self.title) + text(&self.category_path);
        let attributes = self.attributes.iter().map(|(name, value)| ENTRY_BYTES + text(name) + text(value));
        texts
            + maybe(self.description.as_ref())
            + maybe(self.brand.as_ref())
            + list(&self.category, text)
            + attributes.sum::<usize>()
            // What was left out is shared by all versions of the product.
            + list(&self.variants, variant)
    }
}
