//! Products, their variants and prices, and the SKUs that belong to them for ever.
//! How much of a SKU there is stands in `stock.rs`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Shop;
use super::command::{ArchiveProduct, InventoryPolicy, PutProduct, SetPrice, Variant};
use super::events::{EventLog, Refusal, refuse, refuse_at};
use super::money::Money;
use super::time;

#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub products: BTreeMap<String, Product>,
    pub skus: BTreeMap<String, Sku>,
}

#[derive(Debug, Clone)]
pub struct Product {
    pub put: PutProduct,
    pub archived: bool,
}

/// The number of windows of a SKU may be open or to come.
const WINDOWS_MAX: usize = 100;

/// A SKU once put; it keeps its last variant when it is left out, and loses its windows.
#[derive(Debug, Clone)]
pub struct Sku {
    pub product_id: String,
    pub variant: Variant,
    pub left_out: bool,
    pub scheduled: Vec<Window>,
}

/// A scheduled price, compared with `now`.
#[derive(Debug, Clone)]
pub struct Window {
    pub price: Money,
    pub valid_from: Option<i64>,
    pub valid_to: Option<i64>,
}

impl Window {
    fn is_open(&self, now: i64) -> bool {
        self.valid_from.is_none_or(|from| from <= now) && self.valid_to.is_none_or(|to| now < to)
    }
}

impl Catalog {
    pub fn sells(&self, sku: &Sku) -> bool {
        !sku.left_out && !self.products[&sku.product_id].archived
    }

    /// Of the open windows the one set last, else the price.
    pub fn price_at<'a>(&self, sku: &'a Sku, now: i64) -> &'a Money {
        let open = sku.scheduled.iter().rev().find(|window| window.is_open(now));
        open.map_or(&sku.variant.price, |window| &window.price)
    }

    /// The category path joined by `/`, empty if there is none.
    pub fn category_of(&self, sku: &Sku) -> String {
        self.products[&sku.product_id].put.category.join("/")
    }

    pub fn inventory_policy(&self, sku: &str) -> InventoryPolicy {
        self.skus[sku].variant.inventory_policy
    }

    /// Drops the windows of a product's SKUs that are over.
    fn drop_windows(&mut self, product_id: &str, now: i64) {
        for sku in self.skus.values_mut().filter(|sku| sku.product_id == product_id) {
            sku.scheduled.retain(|window| window.valid_to.is_none_or(|to| now < to));
        }
    }

    pub fn row(&self, product_id: &str) -> Value {
        let product = &self.products[product_id];
        let variant_row = |variant: &Variant| {
            let sku = &self.skus[&variant.sku];
            json!({
                "sku": variant.sku,
                "title": variant.title,
                "price": sku.variant.price.to_json(),
                "inventory_policy": variant.inventory_policy.word(),
                "low_stock_at": variant.low_stock_at,
                "scheduled": sku.scheduled.iter().map(window_row).collect::<Vec<Value>>(),
            })
        };
        json!({
            "product_id": product.put.product_id,
            "title": product.put.title,
            "description": product.put.description,
            "brand": product.put.brand,
            "category": product.put.category,
            "attributes": product.put.attributes,
            "archived": product.archived,
            "variants": product.put.variants.iter().map(variant_row).collect::<Vec<Value>>(),
        })
    }
}

fn window_row(window: &Window) -> Value {
    json!({
        "price": window.price.to_json(),
        "valid_from": window.valid_from.map(time::write),
        "valid_to": window.valid_to.map(time::write),
    })
}

pub fn put_product(shop: &mut Shop, log: &mut EventLog, command: &PutProduct) -> Result<(), Refusal> {
    let skus = &mut shop.catalog.skus;
    for variant in &command.variants {
        if skus.get(&variant.sku).is_some_and(|sku| sku.product_id != command.product_id) {
            return Err(refuse("sku_taken"));
        }
    }
    for sku in skus.values_mut() {
        if sku.product_id == command.product_id {
            sku.left_out = true;
        }
    }
    for variant in &command.variants {
        let scheduled = skus.remove(&variant.sku).map_or_else(Vec::new, |sku| sku.scheduled);
        let sku = Sku { product_id: command.product_id.clone(), variant: variant.clone(), left_out: false, scheduled };
        skus.insert(variant.sku.clone(), sku);
    }
    for sku in skus.values_mut().filter(|sku| sku.left_out) {
        sku.scheduled.clear();
    }
    let product = Product { put: command.clone(), archived: false };
    shop.catalog.products.insert(command.product_id.clone(), product);
    shop.catalog.drop_windows(&command.product_id, log.now);
    emit_changed(shop, log, &command.product_id);
    Ok(())
}

pub fn archive_product(shop: &mut Shop, log: &mut EventLog, command: &ArchiveProduct) -> Result<(), Refusal> {
    let Some(product) = shop.catalog.products.get_mut(&command.product_id) else {
        return Err(refuse("not_found"));
    };
    if !product.archived {
        product.archived = true;
        shop.catalog.drop_windows(&command.product_id, log.now);
        emit_changed(shop, log, &command.product_id);
    }
    Ok(())
}

fn emit_changed(shop: &Shop, log: &mut EventLog, product_id: &str) {
    log.emit("ProductChanged", json!({"product": shop.catalog.row(product_id)}));
}

pub fn set_price(shop: &mut Shop, log: &mut EventLog, command: &SetPrice) -> Result<(), Refusal> {
    let catalog = &mut shop.catalog;
    if !catalog.products.contains_key(&command.product_id) {
        return Err(refuse("not_found"));
    }
    match catalog.skus.get(&command.sku) {
        Some(sku) if sku.product_id == command.product_id => {
            if !catalog.sells(sku) {
                return Err(refuse("not_sold"));
            }
        }
        _ => return Err(refuse("unknown_sku")),
    }
    if windows_after(catalog, command, log.now) > WINDOWS_MAX {
        return Err(refuse_at("/sku", "invalid"));
    }
    catalog.drop_windows(&command.product_id, log.now);
    if let Some(sku) = catalog.skus.get_mut(&command.sku) {
        if command.valid_from.is_none() && command.valid_to.is_none() {
            sku.variant.price = command.price.clone();
        } else if command.valid_to.is_none_or(|to| log.now < to) {
            sku.scheduled.push(Window {
                price: command.price.clone(),
                valid_from: command.valid_from,
                valid_to: command.valid_to,
            });
        }
    }
    log.emit(
        "PriceChanged",
        json!({
            "product_id": command.product_id,
            "sku": command.sku,
            "price": command.price.to_json(),
            "valid_from": command.valid_from.map(time::write),
            "valid_to": command.valid_to.map(time::write),
        }),
    );
    Ok(())
}

/// The number of windows of the SKU would not be over.
fn windows_after(catalog: &Catalog, command: &SetPrice, now: i64) -> usize {
    let is_window = command.valid_from.is_some() || command.valid_to.is_some();
    let given = is_window.then_some(command.valid_to);
    let there = catalog.skus[&command.sku].scheduled.iter().map(|window| window.valid_to);
    there.chain(given).filter(|to| to.is_none_or(|to| now < to)).count()
}
