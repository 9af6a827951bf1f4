//! Reading the shop at one epoch. Not for choosing it.

use super::{EpochInfo, Views};
use crate::store::Pin;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::shop::catalogue::{InventoryPolicy, Product};
use dataflows::shop::stock::Stock;
use std::sync::Arc;

/// The shop at one epoch, held readable. The rows read are right if [`StoreSnapshot::is_valid`] is true afterwards.
pub struct StoreSnapshot<'a> {
    views: &'a Views,
    pin: Pin<EpochInfo>,
}

/// The stock of a SKU.
pub enum StockOf {
    /// It has a row.
    Row(Arc<Stock>),
    /// It is in the catalogue, and was never moved or reserved.
    Nothing,
    /// It is in the catalogue, and has no stock at all.
    Untracked,
}

impl<'a> StoreSnapshot<'a> {
    pub(super) const fn new(views: &'a Views, pin: Pin<EpochInfo>) -> StoreSnapshot<'a> {
        StoreSnapshot { views, pin }
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.pin.epoch())
    }

    /// The epoch's time.
    pub fn now(&self) -> Timestamp {
        self.pin.info().record.now
    }

    /// The hold on the epoch.
    pub const fn pin(&self) -> &Pin<EpochInfo> {
        &self.pin
    }

    /// The data kept beside the epoch.
    pub fn info(&self) -> &EpochInfo {
        self.pin.info()
    }

    /// Returns true if all that was read up to now is right.
    pub fn is_valid(&self) -> bool {
        self.pin.is_valid()
    }

    /// The views; read them at [`StoreSnapshot::at`].
    pub const fn views(&self) -> &'a Views {
        self.views
    }

    /// The epoch as views take it.
    pub fn at(&self) -> u64 {
        self.pin.epoch()
    }

    /// The stock of a SKU; `None` if it is not in the catalogue.
    pub fn stock_of(&self, sku: &str) -> Option<StockOf> {
        if let Some(row) = self.views.stock.get(sku, self.at()) {
            return Some(StockOf::Row(row));
        }
        let product_id = self.views.products.indexes.id_by_sku.get(sku, self.at())?;
        let product = self.views.products.get(product_id.as_str(), self.at())?;
        Some(match product.stock_rule(sku).map(|rule| rule.inventory_policy) {
            Some(InventoryPolicy::None) => StockOf::Untracked,
            Some(InventoryPolicy::Reserve | InventoryPolicy::TrackOnly) | None => StockOf::Nothing,
        })
    }

    /// The units of a variant that can be promised; `None` where nothing is counted.
    pub fn available(&self, sku: &str, policy: InventoryPolicy) -> Option<i64> {
        match (self.views.stock.get(sku, self.at()), policy) {
            (Some(row), _) => Some(row.available()),
            (None, InventoryPolicy::None) => None,
            (None, InventoryPolicy::Reserve | InventoryPolicy::TrackOnly) => Some(0),
        }
    }

    /// The product of an id, archived or not.
    pub fn product(&self, id: &str) -> Option<Arc<Product>> {
        self.views.products.get(id, self.at())
    }
}
