//! The built-in shop: its products, and the commands that set it up. Not for what happens in it.

use anyhow::{Context, Result};
use dataflows::contract::money::{Amount, MoneyInput};
use dataflows::shop::catalogue::{InventoryPolicy, PutProduct, PutVariant};
use dataflows::shop::command::Command;
use dataflows::shop::stock::{MoveReason, MoveStock};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The shop as its file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// The currency of all prices.
    pub currency: String,
    /// The products that it sells.
    pub products: Vec<DemoProduct>,
}

/// A product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoProduct {
    product_id: String,
    title: String,
    description: String,
    brand: String,
    category: Vec<String>,
    attributes: BTreeMap<String, String>,
    /// The variants that can be bought.
    pub variants: Vec<Variant>,
}

/// A variant of a product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its SKU.
    pub sku: String,
    title: Option<String>,
    /// Its price.
    pub price: Amount,
    /// The way that its stock is kept.
    pub inventory_policy: InventoryPolicy,
    low_stock_at: Option<i64>,
    /// The opening stock at each location.
    #[serde(default)]
    pub stock: BTreeMap<String, i64>,
}

impl Shop {
    /// The shop that is built in.
    pub fn built_in() -> Result<Shop> {
        serde_json::from_str(include_str!("shop.json")).context("the built-in shop cannot be read")
    }

    /// All variants, in order.
    pub fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.products.iter().flat_map(|product| &product.variants)
    }

    /// An amount in the shop's currency.
    pub fn money(&self, amount: Amount) -> MoneyInput {
        MoneyInput { amount, currency: self.currency.as_str().into() }
    }

    /// The commands that set the shop up, with ids that are always the same.
    pub fn commands(&self) -> Vec<(String, Command)> {
        let products = self.products.iter().map(|product| {
            (format!("demo-product-{}", product.product_id), Command::PutProduct(self.put_product(product)))
        });
        let stock = self.variants().flat_map(|variant| {
            variant.stock.iter().map(|(location, quantity)| {
                let id = format!("demo-stock-{}-{location}", variant.sku);
                (id, Command::MoveStock(received(&variant.sku, location, *quantity, "opening stock")))
            })
        });
        products.chain(stock).collect()
    }

    fn put_product(&self, product: &DemoProduct) -> PutProduct {
        let DemoProduct { product_id, title, description, brand, category, attributes, variants } = product;
        let variants =
            variants.iter().map(|Variant { sku, title, price, inventory_policy, low_stock_at, stock: _ }| PutVariant {
                sku: sku.as_str().into(),
                title: title.as_deref().map(Into::into),
                price: self.money(*price),
                inventory_policy: *inventory_policy,
                low_stock_at: *low_stock_at,
            });
        PutProduct {
            product_id: product_id.as_str().into(),
            title: title.as_str().into(),
            description: Some(description.as_str().into()),
            brand: Some(brand.as_str().into()),
            category: category.iter().map(|segment| segment.as_str().into()).collect(),
            attributes: attributes.iter().map(|(name, text)| (name.as_str().into(), text.as_str().into())).collect(),
            variants: variants.collect(),
            occurred_at: None,
        }
    }
}

/// Goods that come in.
pub fn received(sku: &str, location: &str, quantity: i64, reference: &str) -> MoveStock {
    MoveStock {
        sku: sku.into(),
        location: location.into(),
        quantity,
        reason: MoveReason::Received,
        reference: Some(reference.into()),
        occurred_at: None,
    }
}
