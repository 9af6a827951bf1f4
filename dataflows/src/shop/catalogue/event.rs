//! The events of the catalogue.

use crate::contract::domain::Domain;
use crate::contract::money::Money;
use crate::contract::time::Timestamp;
use crate::shop::catalogue::Product;
use crate::shop::event_spec::{Document, EventSpec};
use crate::shop::footprint::{Footprint, text};
use serde::ser::SerializeMap;
use smol_str::SmolStr;
use std::sync::Arc;

/// A product is new, or is another than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductChanged(pub Arc<Product>);

impl EventSpec for ProductChanged {
    const DOMAIN: Domain = Domain::Catalog;

    fn key(&self) -> &str {
        &self.0.product_id
    }

    fn document(&self) -> Option<Document<'_>> {
        Some(Document::Product(&self.0))
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("product", &self.0)
    }
}

impl Footprint for ProductChanged {
    fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// A price was set, or is to hold later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChanged {
    /// The product's id.
    pub product_id: SmolStr,
    /// The SKU.
    pub sku: SmolStr,
    /// The price.
    pub price: Money,
    /// The begin of its validity; at once if absent.
    pub valid_from: Option<Timestamp>,
    /// The end of its validity; none if absent.
    pub valid_to: Option<Timestamp>,
}

impl EventSpec for PriceChanged {
    const DOMAIN: Domain = Domain::Catalog;

    fn key(&self) -> &str {
        &self.product_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let PriceChanged { product_id, sku, price, valid_from, valid_to } = self;
        map.serialize_entry("product_id", product_id)?;
        map.serialize_entry("sku", sku)?;
        map.serialize_entry("price", price)?;
        map.serialize_entry("valid_from", valid_from)?;
        map.serialize_entry("valid_to", valid_to)
    }
}

impl Footprint for PriceChanged {
    fn heap_bytes(&self) -> usize {
        text(&self.product_id) + text(&self.sku)
    }
}
