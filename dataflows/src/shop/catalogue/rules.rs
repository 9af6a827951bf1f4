//! The catalogue: what is sold, and at what price.

use crate::contract::code::{Code, FieldError, Rejection};
use crate::contract::money::Currency;
use crate::contract::time::Timestamp;
use crate::shop::bounds::WINDOWS_MAX;
use crate::shop::catalogue::{
    ArchiveProduct, FormerSku, LeftOut, PriceChanged, Product, ProductChanged, PutProduct, ScheduledPrice, SetPrice,
    Variant,
};
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::field::{Faults, Pointer};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Puts a product in the place of what was there under its id.
impl Rule for PutProduct {
    fn check_bounds(&self, _: &Tables, faults: &mut Faults) {
        let mut skus = BTreeSet::new();
        for (n, variant) in self.variants.iter().enumerate() {
            if !skus.insert(&variant.sku) {
                faults.add(&Pointer::ROOT.field("variants").entry(n).field("sku"), "a SKU is there once");
            }
        }
    }

    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let taken = self.variants.iter().enumerate().filter_map(|(n, variant)| {
            let (owner, _) =
                tables.product_of_sku(&variant.sku).filter(|(owner, _)| owner.product_id != self.product_id)?;
            Some(FieldError {
                pointer: format!("/variants/{n}/sku").into(),
                code: Code::SkuTaken,
                detail: format!("{:?} belongs to the product {:?}", variant.sku, owner.product_id).into(),
            })
        });
        if let Some(refusal) = Rejection::of(taken.collect()) {
            return Err(refusal);
        }
        let before = tables.products.get(&self.product_id);
        let variants: Vec<_> = self
            .variants
            .iter()
            .map(|given| Variant {
                sku: given.sku.clone(),
                title: given.title.clone(),
                price: given.price.amount.0,
                currency: Currency::known(&given.price.currency),
                inventory_policy: given.inventory_policy,
                low_stock_at: given.low_stock_at,
                // Scheduled prices are set by themselves, and stay with a variant that the product keeps.
                scheduled: tables.product_of_sku(&given.sku).and_then(|(_, kept)| kept).map_or_else(Vec::new, |kept| {
                    kept.scheduled.iter().filter(|window| !window.is_over(context.now)).cloned().collect()
                }),
            })
            .collect();
        Ok(changed(Product {
            product_id: self.product_id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            brand: self.brand.clone(),
            category: self.category.clone(),
            attributes: self.attributes.clone(),
            archived: false,
            left_out: before.map_or_else(LeftOut::default, |before| left_out(before, &variants)),
            variants,
            category_path: SmolStr::from(self.category.join("/")),
        }))
    }
}

/// The SKUs that a product has no more when its variants are these.
fn left_out(before: &Product, variants: &[Variant]) -> LeftOut {
    let kept: BTreeSet<&SmolStr> = variants.iter().map(|variant| &variant.sku).collect();
    let gone = before.variants.iter().filter(|variant| !kept.contains(&variant.sku));
    before.left_out.with(gone.map(|variant| FormerSku { sku: variant.sku.clone(), rule: variant.rule() }).collect()).0
}

fn changed(product: Product) -> Decision {
    let product = Arc::new(product);
    Decision {
        facts: vec![EventPayload::ProductChanged(ProductChanged(Arc::clone(&product)))],
        writes: Writes { products: [product].into(), ..Writes::default() },
    }
}

/// Takes a product out of lists; nothing if it is already.
impl Rule for ArchiveProduct {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let product = tables
            .products
            .get(&self.product_id)
            .ok_or_else(|| crate::shop::context::not_found("product", &self.product_id))?;
        if product.archived {
            return Ok(Decision::default());
        }
        let mut product = Product { archived: true, ..product.as_ref().clone() };
        drop_windows(&mut product, context.now);
        Ok(changed(product))
    }
}

/// Drops the windows that are over.
fn drop_windows(product: &mut Product, now: Timestamp) {
    for variant in &mut product.variants {
        variant.scheduled.retain(|window| !window.is_over(now));
    }
}

/// Sets the price of a SKU, or schedules one.
impl Rule for SetPrice {
    fn check_bounds(&self, _: &Tables, faults: &mut Faults) {
        if let (Some(from), Some(to)) = (self.valid_from, self.valid_to)
            && to <= from
        {
            faults.add(&Pointer::ROOT.field("valid_to"), "this is after valid_from");
        }
    }

    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let price = self.price.money();
        let product = tables
            .products
            .get(&self.product_id)
            .ok_or_else(|| crate::shop::context::not_found("product", &self.product_id))?;
        let (_, variant) =
            tables.product_of_sku(&self.sku).filter(|(owner, _)| Arc::ptr_eq(owner, product)).ok_or_else(|| {
                let detail = format!("the product {:?} has no SKU {:?}", self.product_id, self.sku);
                Rejection::new(Code::UnknownSku, "/sku", detail)
            })?;
        if variant.is_none() || product.archived {
            return Err(Rejection::new(Code::NotSold, "/sku", format!("{:?} is no longer sold", self.sku)));
        }
        let mut product = product.as_ref().clone();
        drop_windows(&mut product, context.now);
        let variant = product.variants.iter_mut().find(|variant| variant.sku == self.sku);
        let variant = variant.expect("it was found among the variants");
        if self.valid_from.is_none() && self.valid_to.is_none() {
            variant.price = self.price.amount.0;
            variant.currency = price.currency;
        } else {
            let window = ScheduledPrice { price, valid_from: self.valid_from, valid_to: self.valid_to };
            if !window.is_over(context.now) {
                variant.scheduled.push(window);
            }
            if variant.scheduled.len() > WINDOWS_MAX {
                let allowed = "a SKU has at most 100 scheduled prices whose valid_to has not passed";
                return Err(Rejection::invalid("/sku", allowed));
            }
        }
        let fact = EventPayload::PriceChanged(PriceChanged {
            product_id: self.product_id.clone(),
            sku: self.sku.clone(),
            price,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
        });
        Ok(Decision { writes: Writes { products: [Arc::new(product)].into(), ..Writes::default() }, facts: vec![fact] })
    }
}
