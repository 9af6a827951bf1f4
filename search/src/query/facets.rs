//! Facets: how many of the products that were found have each value. Not for filtering by them.

use dataflows::finder::{FacetBy, FacetCount};
use dataflows::rows::Product;
use smol_str::SmolStr;
use std::collections::HashMap;

/// The bounds of the ranges of prices, in whole units: from one, inclusive, to the next, exclusive.
const PRICES: [i64; 10] = [0, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];
/// Ten-thousandths.
const UNIT: i64 = 10_000;

/// The counts of a facet in the making.
pub struct Counting<'a> {
    by: &'a FacetBy,
    values: HashMap<&'a str, u64>,
    prices: [u64; PRICES.len()],
}

impl<'a> Counting<'a> {
    /// Nothing counted yet.
    pub fn new(by: &'a FacetBy) -> Counting<'a> {
        Counting { by, values: HashMap::new(), prices: [0; PRICES.len()] }
    }

    /// Counts a product.
    pub fn add(&mut self, product: &'a Product, price: i64) {
        match self.by {
            FacetBy::Brand => self.count(product.brand.as_deref()),
            FacetBy::Category => {
                let path = product.category_path.as_str();
                for (end, _) in path.match_indices('/') {
                    self.count(Some(&path[..end]));
                }
                self.count(Some(path).filter(|path| !path.is_empty()));
            }
            FacetBy::Price => {
                let range = PRICES.iter().rposition(|from| from * UNIT <= price).unwrap_or(0);
                self.prices[range] += 1;
            }
            FacetBy::Attribute(name) => self.count(product.attributes.get(name).map(SmolStr::as_str)),
        }
    }

    fn count(&mut self, value: Option<&'a str>) {
        if let Some(value) = value {
            *self.values.entry(value).or_default() += 1;
        }
    }

    /// The counts: ranges of prices from below, other values the commonest first.
    pub fn counts(self, values_max: usize) -> Vec<FacetCount> {
        let Counting { by, values, prices } = self;
        if *by == FacetBy::Price {
            let ranges = prices.into_iter().enumerate().filter(|(_, count)| *count > 0);
            return ranges.map(|(range, count)| FacetCount { value: range_name(range), count }).collect();
        }
        let mut counts: Vec<_> = values.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        counts.truncate(values_max);
        counts.into_iter().map(|(value, count)| FacetCount { value: SmolStr::new(value), count }).collect()
    }
}

fn range_name(range: usize) -> SmolStr {
    let to = PRICES.get(range + 1).map(i64::to_string).unwrap_or_default();
    SmolStr::new(format!("{}-{to}", PRICES[range]))
}
