//! The catalogue as the index has it: the row of each product, shared with the store, and what was sold of it. Not for
//! finding anything; it is what documents are made from.

use super::batch::Batch;
use dataflows::shop::catalogue::Product;
use dataflows::shop::footprint::Footprint as _;
use smol_str::SmolStr;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A product with what ranks it.
#[derive(Clone, Debug)]
pub struct RankedProduct {
    /// The row.
    pub product: Arc<Product>,
    /// The units that were sold of it, in steps: see [`in_steps`].
    pub sold: u64,
}

/// Every product, and what was sold of every SKU.
#[derive(Debug, Default)]
pub struct Catalogue {
    products: HashMap<SmolStr, RankedProduct>,
    owners: HashMap<SmolStr, SmolStr>,
    sold: HashMap<SmolStr, i64>,
    /// The bytes of all rows that were replaced so far.
    superseded_bytes: usize,
    /// The units that were sold of all SKUs of a product.
    units: HashMap<SmolStr, i128>,
}

impl Catalogue {
    /// Takes a batch in; returns the products that must be indexed again.
    pub fn apply(&mut self, batch: Batch, changed: &mut HashSet<SmolStr>) {
        let Batch { upto: _, digest: _, products, sold, .. } = batch;
        for (sku, more) in sold {
            let sold = self.sold.entry(sku.clone()).or_default();
            let before = std::mem::replace(sold, sold.saturating_add(more));
            let more = i128::from(*sold) - i128::from(before);
            let Some(id) = self.owners.get(&sku) else { continue };
            let Some(listed) = self.products.get(id) else { continue };
            let units = self.units.entry(id.clone()).or_default();
            *units += more;
            if steps_of(*units) != listed.sold {
                changed.insert(id.clone());
            }
        }
        for (id, product) in products {
            self.superseded_bytes += self.products.get(&id).map_or(0, |listed| listed.product.bytes());
            match product {
                Some(product) => {
                    self.own(&id, &product);
                    self.products.insert(id.clone(), RankedProduct { product, sold: 0 });
                }
                None => {
                    self.products.remove(&id);
                }
            }
            changed.insert(id);
        }
        for id in changed.iter() {
            if let Some(listed) = self.products.get_mut(id) {
                listed.sold = steps_of(self.units.get(id).copied().unwrap_or_default());
            }
        }
    }

    /// Notes whose the SKUs of a product are. They stay its for ever, so only those that may be new are looked at.
    fn own(&mut self, id: &SmolStr, product: &Product) {
        let before = self.products.get(id).map(|listed| &listed.product.left_out);
        let former = product.left_out.since(before).map(|former| &former.sku);
        for sku in product.variants.iter().map(|variant| &variant.sku).chain(former) {
            if let Entry::Vacant(entry) = self.owners.entry(sku.clone()) {
                entry.insert(id.clone());
                let sold = self.sold.get(sku).copied().unwrap_or_default();
                *self.units.entry(id.clone()).or_default() += i128::from(sold);
            }
        }
    }

    /// The bytes of all rows that were replaced so far: an older snapshot keeps some of them.
    pub const fn superseded_bytes(&self) -> usize {
        self.superseded_bytes
    }

    /// The product of an id, unless it is archived.
    pub fn listed(&self, id: &str) -> Option<&RankedProduct> {
        self.products.get(id).filter(|listed| !listed.product.archived)
    }

    /// The ids of all products.
    pub fn ids(&self) -> impl Iterator<Item = &SmolStr> {
        self.products.keys()
    }
}

/// The units sold, in steps: none if more came back than was seen to be sold.
fn steps_of(units: i128) -> u64 {
    in_steps(u64::try_from(units.clamp(0, i64::MAX.into())).unwrap_or(0))
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
