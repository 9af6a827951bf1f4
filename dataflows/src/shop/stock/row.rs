//! The row of a SKU's stock.

use crate::engine::encoding::encode_struct;
use crate::shop::cached_hash::CachedHash;
use crate::shop::footprint::{Footprint, text};
use crate::shop::row::{Row, TableRow, View};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::borrow::Cow;

/// The stock of a SKU, over all locations. There is a row once it was moved or reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The SKU.
    pub sku: SmolStr,
    /// In the order of their ids; a location stays, also at 0.
    pub locations: SmallVec<[StockLocation; 1]>,
    /// Its hash.
    pub memo: CachedHash,
}

/// The stock of a SKU at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockLocation {
    /// The location's id.
    pub location: SmolStr,
    /// The pieces that lie there.
    pub on_hand: i64,
    /// The pieces that are promised to orders.
    pub reserved: i64,
}

impl StockLocation {
    /// The pieces that can be promised.
    pub const fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

impl Stock {
    /// A SKU without any location yet.
    pub fn new(sku: SmolStr) -> Stock {
        Stock { sku, locations: SmallVec::new(), memo: CachedHash::default() }
    }

    /// The pieces that lie anywhere.
    pub fn on_hand(&self) -> i64 {
        self.locations.iter().map(|location| location.on_hand).sum()
    }

    /// The pieces that are promised anywhere.
    pub fn reserved(&self) -> i64 {
        self.locations.iter().map(|location| location.reserved).sum()
    }

    /// The pieces that can be promised, over all locations.
    pub fn available(&self) -> i64 {
        self.on_hand() - self.reserved()
    }

    /// Returns true if each sum over all locations fits 64 bits.
    pub fn fits(&self) -> bool {
        let on_hand: i128 = self.locations.iter().map(|location| i128::from(location.on_hand)).sum();
        let reserved: i128 = self.locations.iter().map(|location| i128::from(location.reserved)).sum();
        let at_each = self.locations.iter().all(|at| at.on_hand.checked_sub(at.reserved).is_some());
        at_each && [on_hand, reserved, on_hand - reserved].into_iter().all(|sum| i64::try_from(sum).is_ok())
    }

    /// A location, if it has a row.
    pub fn location(&self, id: &str) -> Option<&StockLocation> {
        self.locations.iter().find(|location| location.location == id)
    }

    /// A location, made at 0 if need be.
    pub fn location_mut(&mut self, id: &SmolStr) -> &mut StockLocation {
        let at = self.locations.partition_point(|location| location.location < *id);
        if self.locations.get(at).is_none_or(|location| location.location != *id) {
            self.locations.insert(at, StockLocation { location: id.clone(), on_hand: 0, reserved: 0 });
        }
        &mut self.locations[at]
    }
}

impl Serialize for StockLocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("StockLocation", 4)?;
        row.serialize_field("location", &self.location)?;
        row.serialize_field("on_hand", &self.on_hand)?;
        row.serialize_field("reserved", &self.reserved)?;
        row.serialize_field("available", &self.available())?;
        row.end()
    }
}

impl Serialize for Stock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Stock", 5)?;
        row.serialize_field("sku", &self.sku)?;
        row.serialize_field("on_hand", &self.on_hand())?;
        row.serialize_field("reserved", &self.reserved())?;
        row.serialize_field("available", &self.available())?;
        row.serialize_field("locations", self.locations.as_slice())?;
        row.end()
    }
}

impl Row for Stock {
    const VIEW: View = View::Stock;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.sku)
    }

    fn key_text(&self) -> SmolStr {
        self.sku.clone()
    }

    fn memo(&self) -> Option<&CachedHash> {
        Some(&self.memo)
    }
}

impl TableRow for Stock {
    fn id(&self) -> &str {
        &self.sku
    }
}

encode_struct! {
    Stock { sku, locations, memo }
    StockLocation { location, on_hand, reserved }
}

impl Footprint for Stock {
    fn heap_bytes(&self) -> usize {
        let locations = if self.locations.spilled() { size_of_val(self.locations.as_slice()) } else { 0 };
        text(&self.sku) + locations + self.locations.iter().map(|at| text(&at.location)).sum::<usize>()
    }
}
