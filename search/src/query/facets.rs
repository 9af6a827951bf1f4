//! Facets: how many of the products that were found have each value, within the memory that all searches share for
//! that. Not for filtering by them.

use crate::Error;
use dataflows::ports::product_search::{FacetBy, FacetCount};
use dataflows::shop::catalogue::Product;
use smol_str::SmolStr;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bounds of the ranges of prices, in whole units: from one, inclusive, to the next, exclusive.
const PRICES: [i64; 10] = [0, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];
/// Ten-thousandths.
const UNIT: i64 = 10_000;

/// The bytes that a value takes while it is counted and put in order.
const VALUE_BYTES: usize = 56;
/// The number of values that there is room for at first.
const VALUES_MIN: usize = 16;

/// The memory of the facets of all searches.
#[derive(Debug)]
pub struct Memory {
    used: AtomicUsize,
    most: usize,
}

impl Memory {
    /// So many bytes.
    pub const fn new(most: usize) -> Memory {
        Memory { used: AtomicUsize::new(0), most }
    }

    fn take(&self, bytes: usize) -> Result<(), Error> {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.most);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| Error::Overloaded)
    }
}

/// The counts of a facet in the making.
pub struct FacetCounter<'a> {
    memory: &'a Memory,
    /// The memory that it holds.
    bytes: usize,
    by: &'a FacetBy,
    values: HashMap<&'a str, u64>,
    prices: [u64; PRICES.len()],
}

impl<'a> FacetCounter<'a> {
    /// Nothing counted yet.
    pub fn new(by: &'a FacetBy, memory: &'a Memory) -> FacetCounter<'a> {
        FacetCounter { memory, bytes: 0, by, values: HashMap::new(), prices: [0; PRICES.len()] }
    }

    /// Counts a product, if there is memory for it.
    pub fn add(&mut self, product: &'a Product, price: i64) -> Result<(), Error> {
        match self.by {
            FacetBy::Brand => self.count(product.brand.as_deref())?,
            FacetBy::Category => {
                let path = product.category_path.as_str();
                for (end, _) in path.match_indices('/') {
                    self.count(Some(&path[..end]))?;
                }
                self.count(Some(path).filter(|path| !path.is_empty()))?;
            }
            FacetBy::Price => {
                let range = PRICES.iter().rposition(|from| from * UNIT <= price).unwrap_or(0);
                self.prices[range] += 1;
            }
            FacetBy::Attribute(name) => self.count(product.attributes.get(name).map(SmolStr::as_str))?,
        }
        Ok(())
    }

    fn count(&mut self, value: Option<&'a str>) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        if let Some(count) = self.values.get_mut(value) {
            *count += 1;
            return Ok(());
        }
        if self.values.len() == self.values.capacity() {
            let more = self.values.capacity().max(VALUES_MIN);
            self.memory.take(more * VALUE_BYTES)?;
            self.bytes += more * VALUE_BYTES;
            self.values.reserve(more);
        }
        self.values.insert(value, 1);
        Ok(())
    }

    /// The counts: ranges of prices from below, other values the commonest first.
    pub fn counts(mut self, values_max: usize) -> Vec<FacetCount> {
        if *self.by == FacetBy::Price {
            let ranges = self.prices.into_iter().enumerate().filter(|(_, count)| *count > 0);
            return ranges.map(|(range, count)| FacetCount { value: range_name(range), count }).collect();
        }
        let mut counts: Vec<_> = std::mem::take(&mut self.values).into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        counts.truncate(values_max);
        counts.into_iter().map(|(value, count)| FacetCount { value: SmolStr::new(value), count }).collect()
    }
}

impl Drop for FacetCounter<'_> {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn range_name(range: usize) -> SmolStr {
    let to = PRICES.get(range + 1).map(i64::to_string).unwrap_or_default();
    SmolStr::new(format!("{}-{to}", PRICES[range]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, product};

    #[test]
    fn the_facets_of_all_searches_share_their_memory_and_give_it_back() {
        let branded = |id: u64| Product { brand: Some(format!("brand {id}").into()), ..product(&mut Random(1), id) };
        let products: Vec<Product> = (0..1_000).map(branded).collect();
        let memory = Memory::new(2_000 * VALUE_BYTES);
        let count = || {
            let mut counting = FacetCounter::new(&FacetBy::Brand, &memory);
            products.iter().try_for_each(|product| counting.add(product, 0)).map(|()| counting)
        };
        let one = count().unwrap();
        assert!(matches!(count(), Err(Error::Overloaded)));
        assert_eq!(one.counts(3).len(), 3);
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
        assert_eq!(count().unwrap().counts(2_000).len(), 1_000);
    }
}
