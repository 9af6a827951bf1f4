//! The catalogue: what is sold, and at what price.

use crate::contract::code::{Code, FieldError, Rejection};
use crate::contract::money::Currency;
use crate::contract::time::Timestamp;
use crate::shop::catalogue::{
    ArchiveProduct, FormerSku, LeftOut, PriceChanged, Product, ProductChanged, PutProduct, PutVariant, ScheduledPrice,
    SetPrice, Variant,
};
use crate::shop::context::Context;
use crate::shop::decider::{Decision, Rule, Tables, Writes};
use crate::shop::event::EventPayload;
use crate::shop::validation;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Puts a product in the place of what was there under its id.
impl Rule for PutProduct {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        let prices = check_product(self)?;
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
            .zip(prices)
            .map(|(given, (price, currency))| Variant {
                sku: given.sku.clone(),
                title: given.title.clone(),
                price,
                currency,
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

/// Checks the bounds of a product; gives back its prices.
fn check_product(command: &PutProduct) -> Result<Vec<(i64, Currency)>, Rejection> {
    validation::id(&command.product_id, "/product_id")?;
    validation::text(&command.title, || "/title".to_owned())?;
    validation::note(command.description.as_ref(), "/description")?;
    validation::optional_text(command.brand.as_ref(), || "/brand".to_owned())?;
    validation::category(&command.category)?;
    validation::attributes(&command.attributes)?;
    if command.variants.is_empty() || command.variants.len() > validation::VARIANTS_MAX {
        return Err(Rejection::invalid("/variants", "a product has 1 to 1000 variants"));
    }
    let mut skus = BTreeSet::new();
    let check = |(n, variant): (usize, &PutVariant)| {
        validation::id_in(&variant.sku, "variants", n, "sku")?;
        if !skus.insert(variant.sku.clone()) {
            return Err(Rejection::invalid(format!("/variants/{n}/sku"), "a SKU is there once"));
        }
        validation::optional_text(variant.title.as_ref(), || format!("/variants/{n}/title"))?;
        let price = validation::price(&variant.price, &format!("/variants/{n}/price"))?;
        if let Some(low_stock_at) = variant.low_stock_at {
            validation::at_least(0, low_stock_at, || format!("/variants/{n}/low_stock_at"))?;
        }
        Ok((variant.price.amount.0, price.currency))
    };
    command.variants.iter().enumerate().map(check).collect()
}

/// Takes a product out of lists; nothing if it is already.
impl Rule for ArchiveProduct {
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        validation::id(&self.product_id, "/product_id")?;
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
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection> {
        validation::id(&self.product_id, "/product_id")?;
        validation::id(&self.sku, "/sku")?;
        let price = validation::price(&self.price, "/price")?;
        if let (Some(from), Some(to)) = (self.valid_from, self.valid_to)
            && to <= from
        {
            return Err(Rejection::invalid("/valid_to", "this is after valid_from"));
        }
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
            if variant.scheduled.len() > validation::WINDOWS_MAX {
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
