//! The catalogue and the policy: what is sold, at what price, under which rules.

use super::bounds;
use super::tables::Tables;
use super::writes::{Decision, Writes};
use crate::code::{Code, Problem, Refusal};
use crate::command::{ArchiveProduct, PutPolicy, PutProduct, PutVariant, SetPrice};
use crate::event::Fact;
use crate::money::Currency;
use crate::rows::{Product, ScheduledPrice, Variant};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Sets the keys that are given.
pub fn put_policy(tables: &Tables, command: &PutPolicy) -> Result<Decision, Refusal> {
    let mut policy = tables.policy();
    let keys = [
        ("/payment_timeout_s", command.payment_timeout_s, &mut policy.payment_timeout_s),
        ("/payment_timeout_external_s", command.payment_timeout_external_s, &mut policy.payment_timeout_external_s),
        ("/id_memory_s", command.id_memory_s, &mut policy.id_memory_s),
        ("/order_lines_max", command.order_lines_max, &mut policy.order_lines_max),
    ];
    for (pointer, given, value) in keys {
        if let Some(given) = given {
            bounds::from(1, given, || pointer.to_owned())?;
            *value = given;
        }
    }
    Ok(Decision { writes: Writes { policy: Some(policy), ..Writes::default() }, facts: Vec::new() })
}

/// Puts a product in the place of what was there under its id.
pub fn put_product(tables: &Tables, command: &PutProduct) -> Result<Decision, Refusal> {
    let prices = check_product(command)?;
    let taken = command.variants.iter().enumerate().filter_map(|(n, variant)| {
        let owner = tables.owner(&variant.sku).filter(|owner| owner.product_id != command.product_id)?;
        Some(Problem {
            pointer: format!("/variants/{n}/sku").into(),
            code: Code::SkuTaken,
            detail: format!("{:?} belongs to the product {:?}", variant.sku, owner.product_id).into(),
        })
    });
    if let Some(refusal) = Refusal::of(taken.collect()) {
        return Err(refusal);
    }
    let before = tables.products.get(&command.product_id);
    let variants: Vec<_> = command
        .variants
        .iter()
        .zip(prices)
        .map(|(given, (price, currency))| Variant {
            sku: given.sku.clone(),
            title: given.title.clone(),
            price,
            currency,
            inventory_policy: given.inventory_policy,
            low_stock_at: given.low_stock_at,
            // Scheduled prices are set by themselves, and outlive what the product looks like.
            scheduled: before
                .and_then(|before| before.any_variant(&given.sku))
                .map_or_else(Vec::new, |variant| variant.scheduled.clone()),
        })
        .collect();
    let left_out = before.into_iter().flat_map(|before| before.variants.iter().chain(&before.left_out));
    let left_out = left_out.filter(|old| variants.iter().all(|new| new.sku != old.sku)).cloned().collect();
    Ok(changed(Product {
        product_id: command.product_id.clone(),
        title: command.title.clone(),
        description: command.description.clone(),
        brand: command.brand.clone(),
        category: command.category.clone(),
        attributes: command.attributes.clone(),
        archived: false,
        variants,
        left_out,
        category_path: SmolStr::from(command.category.join("/")),
    }))
}

fn changed(product: Product) -> Decision {
    let product = Arc::new(product);
    Decision {
        facts: vec![Fact::ProductChanged(Arc::clone(&product))],
        writes: Writes { product: Some(product), ..Writes::default() },
    }
}

/// Checks the bounds of a product; gives back its prices.
fn check_product(command: &PutProduct) -> Result<Vec<(i64, Currency)>, Refusal> {
    bounds::id(&command.product_id, "/product_id")?;
    if command.title.is_empty() {
        return Err(Refusal::invalid("/title", "a title is not empty"));
    }
    for (n, segment) in command.category.iter().enumerate() {
        if segment.is_empty() || segment.contains('/') {
            let pointer = format!("/category/{n}");
            return Err(Refusal::invalid(pointer, "a segment of a category is not empty and has no '/'"));
        }
    }
    if command.variants.is_empty() {
        return Err(Refusal::invalid("/variants", "a product has at least one variant"));
    }
    let mut skus = BTreeSet::new();
    let check = |(n, variant): (usize, &PutVariant)| {
        bounds::id_in(&variant.sku, "variants", n, "sku")?;
        if !skus.insert(variant.sku.clone()) {
            return Err(Refusal::invalid(format!("/variants/{n}/sku"), "a SKU is there once"));
        }
        let price = bounds::price(&variant.price, &format!("/variants/{n}/price"))?;
        if let Some(low_stock_at) = variant.low_stock_at {
            bounds::from(0, low_stock_at, || format!("/variants/{n}/low_stock_at"))?;
        }
        Ok((variant.price.amount.0, price.currency))
    };
    command.variants.iter().enumerate().map(check).collect()
}

/// Takes a product out of lists; nothing if it is already.
pub fn archive_product(tables: &Tables, command: &ArchiveProduct) -> Result<Decision, Refusal> {
    bounds::id(&command.product_id, "/product_id")?;
    let product =
        tables.products.get(&command.product_id).ok_or_else(|| super::not_found("product", &command.product_id))?;
    if product.archived {
        return Ok(Decision::default());
    }
    Ok(changed(Product { archived: true, ..product.as_ref().clone() }))
}

/// Sets the price of a SKU, or schedules one.
pub fn set_price(tables: &Tables, command: &SetPrice) -> Result<Decision, Refusal> {
    bounds::id(&command.product_id, "/product_id")?;
    bounds::id(&command.sku, "/sku")?;
    let price = bounds::price(&command.price, "/price")?;
    if let (Some(from), Some(to)) = (command.valid_from, command.valid_to)
        && to <= from
    {
        return Err(Refusal::invalid("/valid_to", "this is after valid_from"));
    }
    let product =
        tables.products.get(&command.product_id).ok_or_else(|| super::not_found("product", &command.product_id))?;
    if product.any_variant(&command.sku).is_none() {
        let detail = format!("the product {:?} has no SKU {:?}", command.product_id, command.sku);
        return Err(Refusal::new(Code::UnknownSku, "/sku", detail));
    }
    let mut product = product.as_ref().clone();
    let archived = product.archived;
    let sold = product.variants.iter_mut().find(|variant| variant.sku == command.sku).filter(|_| !archived);
    let Some(variant) = sold else {
        return Err(Refusal::new(Code::NotSold, "/sku", format!("{:?} is no longer sold", command.sku)));
    };
    if command.valid_from.is_none() && command.valid_to.is_none() {
        variant.price = command.price.amount.0;
        variant.currency = price.currency;
    } else {
        let window = ScheduledPrice { price, valid_from: command.valid_from, valid_to: command.valid_to };
        variant.scheduled.push(window);
    }
    let fact = Fact::PriceChanged {
        product_id: command.product_id.clone(),
        sku: command.sku.clone(),
        price,
        valid_from: command.valid_from,
        valid_to: command.valid_to,
    };
    Ok(Decision { writes: Writes { product: Some(Arc::new(product)), ..Writes::default() }, facts: vec![fact] })
}
