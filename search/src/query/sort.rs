//! The order of hits, and the place of a hit in it: where the next page starts. Places depend on the product alone,
//! so an order is the same however the index lies on disk.

use crate::index::RankedProduct;
use dataflows::contract::time::Timestamp;
use dataflows::ports::product_search::Sort;
use dataflows::shop::catalogue::Product;
use smol_str::SmolStr;

/// The attribute that says since when a product is sold.
pub const RELEASED: &str = "date_released";

/// A place in an order; the least comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey {
    key: u64,
    id: SmolStr,
}

impl SortKey {
    /// The place of a product.
    pub fn of(sort: Sort, listed: &RankedProduct, score: f64, price: i64) -> SortKey {
        let key = match sort {
            // The bits of numbers from 0 up are in the order of the numbers.
            Sort::Relevance => !score.to_bits(),
            Sort::Price => ascending(price),
            Sort::PriceDown => !ascending(price),
            Sort::Newest => !ascending(released(&listed.product)),
            Sort::Popularity => !listed.sold,
        };
        SortKey { key, id: listed.product.product_id.clone() }
    }

    /// The place as a cursor keeps it.
    pub fn text(&self) -> String {
        format!("{:016x}{}", self.key, self.id)
    }

    /// Reads it back.
    pub fn read(text: &str) -> Option<SortKey> {
        let (key, id) = text.split_at_checked(16)?;
        Some(SortKey { key: u64::from_str_radix(key, 16).ok()?, id: SmolStr::new(id) })
    }
}

/// Whole numbers in their order.
const fn ascending(number: i64) -> u64 {
    (number as u64) ^ (1 << 63)
}

/// Since when a product is sold; long ago if it does not say.
fn released(product: &Product) -> i64 {
    let Some(text) = product.attributes.get(RELEASED) else { return i64::MIN };
    let whole = Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z")));
    whole.map_or(i64::MIN, |since| since.micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back() {
        let place = SortKey { key: !3.5_f64.to_bits(), id: SmolStr::new("BANK CHARGES ü") };
        assert_eq!(SortKey::read(&place.text()), Some(place));
        assert_eq!(SortKey::read("ü"), None);
    }

    #[test]
    fn numbers_keep_their_order() {
        assert!([i64::MIN, -5, 0, 7, i64::MAX].map(ascending).is_sorted());
        assert!([0.0, 0.1, 1.0, 17.5].map(f64::to_bits).is_sorted());
    }
}
