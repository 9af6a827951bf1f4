//! The catalogue as the index has it: the row of each product, shared with the store, and what was sold of it. Not for
//! finding anything; it is what documents are made from.

use super::batch::Batch;
use dataflows::footprint::Footprint as _;
use dataflows::rows::Product;
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A product with what ranks it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The row.
    pub product: Arc<Product>,
    /// What was sold of it, in steps: see [`in_steps`].
    pub sold: u64,
}

/// Every product, and what was sold of every SKU.
#[derive(Debug, Default)]
pub struct Catalogue {
    products: HashMap<SmolStr, Listed>,
    owners: HashMap<SmolStr, SmolStr>,
    sold: HashMap<SmolStr, i64>,
    /// What all rows take, together, that were replaced so far.
    superseded_bytes: usize,
}

impl Catalogue {
    /// Takes a batch in; names the products that must be indexed again.
    pub fn apply(&mut self, batch: Batch, changed: &mut HashSet<SmolStr>) {
        let Batch { upto: _, digest: _, products, sold, .. } = batch;
        for (sku, more) in sold {
            let sold = self.sold.entry(sku.clone()).or_default();
            *sold = sold.saturating_add(more);
            let Some(id) = self.owners.get(&sku) else { continue };
            let Some(listed) = self.products.get(id) else { continue };
            let sold = sold_of(&self.sold, &listed.product);
            if sold != listed.sold {
                changed.insert(id.clone());
            }
        }
        for (id, product) in products {
            self.superseded_bytes += self.products.get(&id).map_or(0, |listed| listed.product.bytes());
            match product {
                Some(product) => {
                    for variant in product.variants.iter().chain(&product.left_out) {
                        self.owners.entry(variant.sku.clone()).or_insert_with(|| id.clone());
                    }
                    self.products.insert(id.clone(), Listed { product, sold: 0 });
                }
                None => {
                    self.products.remove(&id);
                }
            }
            changed.insert(id);
        }
        for id in changed.iter() {
            if let Some(listed) = self.products.get_mut(id) {
                listed.sold = sold_of(&self.sold, &listed.product);
            }
        }
    }

    /// What all rows take, together, that were replaced so far: an older snapshot keeps some of them.
    pub const fn superseded_bytes(&self) -> usize {
        self.superseded_bytes
    }

    /// The product of an id, unless it is archived.
    pub fn listed(&self, id: &str) -> Option<&Listed> {
        self.products.get(id).filter(|listed| !listed.product.archived)
    }

    /// The ids of all products.
    pub fn ids(&self) -> impl Iterator<Item = &SmolStr> {
        self.products.keys()
    }
}

fn sold_of(sold: &HashMap<SmolStr, i64>, product: &Product) -> u64 {
    let variants = product.variants.iter().chain(&product.left_out);
    let units =
        variants.filter_map(|variant| sold.get(&variant.sku)).fold(0_i64, |sum, more| sum.saturating_add(*more));
    in_steps(u64::try_from(units).unwrap_or(0))
}

/// A count in steps of about 3 %, exact up to 63: a product that sells is not indexed again for every order.
pub const fn in_steps(units: u64) -> u64 {
    let bits = u64::BITS - units.leading_zeros();
    if bits <= 6 { units } else { units >> (bits - 6) << (bits - 6) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_exact_for_few_and_small_for_many() {
        assert!((0..64).all(|units| in_steps(units) == units));
        assert_eq!([64, 65, 100, 1_000_001, u64::MAX].map(in_steps), [64, 64, 100, 999_424, 63 << 58]);
    }
}
