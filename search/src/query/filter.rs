//! The price and availability of a product, at the epoch of the answer; and the filters. Prices are those of the
//! row, at the epoch's time; stock is the store's.

use crate::index::RankedProduct;
use dataflows::ports::product_search::{OfferContext, SearchQuery};
use dataflows::shop::catalogue::Product;

/// The offer of a product to this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The lowest price of the variants that pass, in ten-thousandths.
    pub price: i64,
    /// True if any variant that passes can be promised.
    pub is_available: bool,
}

/// The product's offer, if it passes the filters: one of its variants must pass all that are about variants.
pub fn offer(listed: &RankedProduct, wanted: &SearchQuery, shop: &dyn OfferContext) -> Option<Offer> {
    let RankedProduct { product, sold: _ } = listed;
    if !is_of(product, wanted) {
        return None;
    }
    let mut offer: Option<Offer> = None;
    for variant in &product.variants {
        let price = i64::try_from(variant.price_at(shop.now()).amount).unwrap_or(i64::MAX);
        let is_priced =
            wanted.price_min.is_none_or(|min| min <= price) && wanted.price_max.is_none_or(|max| price <= max);
        if !is_priced {
            continue;
        }
        // Where nothing is counted, there is always one.
        let is_available = shop.available(&variant.sku, variant.inventory_policy).is_none_or(|available| available > 0);
        if wanted.in_stock && !is_available {
            continue;
        }
        offer = Some(match offer {
            Some(best) => Offer { price: best.price.min(price), is_available: best.is_available || is_available },
            None => Offer { price, is_available },
        });
    }
    offer
}

fn is_of(product: &Product, wanted: &SearchQuery) -> bool {
    let within = |category: &String| {
        let rest = product.category_path.strip_prefix(category.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    wanted.brand.as_deref().is_none_or(|brand| product.brand.as_deref() == Some(brand))
        && wanted.category.as_ref().is_none_or(within)
}
