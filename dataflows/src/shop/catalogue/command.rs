//! The commands of the catalogue.

use crate::contract::code::Code;
use crate::contract::money::MoneyInput;
use crate::contract::time::Timestamp;
use crate::contract::topic::Topic;
use crate::engine::encoding::encode_enum;
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::defaults::null_is_default;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// How the stock of a SKU is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventoryPolicy {
    /// Stock is checked and reserved.
    #[default]
    Reserve,
    /// Stock is counted and may go below zero.
    TrackOnly,
    /// There is no stock: digital goods.
    None,
}

/// Puts a product in the catalogue, or replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PutProduct {
    /// The product's id, and the record's key.
    pub product_id: SmolStr,
    /// What it is called.
    pub title: SmolStr,
    /// What it is.
    pub description: Option<SmolStr>,
    /// Who makes it.
    pub brand: Option<SmolStr>,
    /// One path, from the top.
    #[serde(default, deserialize_with = "null_is_default")]
    pub category: Vec<SmolStr>,
    /// Named texts.
    #[serde(default, deserialize_with = "null_is_default")]
    pub attributes: BTreeMap<SmolStr, SmolStr>,
    /// What can be bought; at least one.
    pub variants: Vec<PutVariant>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for PutProduct {
    const DESCRIPTION: Description = Description {
        topic: Topic::Catalog,
        resource: Resource::Product,
        part: "",
        method: RouteMethod::Put,
        path: "/api/v1/products/{id}",
        summary: "Puts a product in the catalogue, or replaces it",
        body_is_optional: false,
        creates: true,
        rejections: &[Code::SkuTaken, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.product_id
    }
}

/// A variant of a product: what a SKU stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PutVariant {
    /// The SKU; it belongs to one product for ever.
    pub sku: SmolStr,
    /// What tells it from its siblings.
    pub title: Option<SmolStr>,
    /// The price.
    pub price: MoneyInput,
    /// How its stock is kept.
    #[serde(default, deserialize_with = "null_is_default")]
    pub inventory_policy: InventoryPolicy,
    /// Reports when the available stock falls to this.
    pub low_stock_at: Option<i64>,
}

/// Takes a product out of lists and search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ArchiveProduct {
    /// The product's id, and the record's key.
    pub product_id: SmolStr,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for ArchiveProduct {
    const DESCRIPTION: Description = Description {
        topic: Topic::Catalog,
        resource: Resource::Product,
        part: "",
        method: RouteMethod::Delete,
        path: "/api/v1/products/{id}",
        summary: "Takes a product out of lists and search",
        body_is_optional: true,
        creates: false,
        rejections: &[Code::NotFound, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.product_id
    }
}

/// Sets the price of a SKU, or schedules one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct SetPrice {
    /// The product's id, and the record's key.
    pub product_id: SmolStr,
    /// One of its SKUs.
    pub sku: SmolStr,
    /// The price.
    pub price: MoneyInput,
    /// From when, inclusive.
    pub valid_from: Option<Timestamp>,
    /// Until when, exclusive.
    pub valid_to: Option<Timestamp>,
    /// Business time.
    pub occurred_at: Option<Timestamp>,
}

impl CommandSpec for SetPrice {
    const DESCRIPTION: Description = Description {
        topic: Topic::Catalog,
        resource: Resource::Product,
        part: "sku",
        method: RouteMethod::Put,
        path: "/api/v1/products/{id}/variants/{sku}/price",
        summary: "Sets or schedules a price",
        body_is_optional: false,
        creates: false,
        rejections: &[Code::NotFound, Code::UnknownSku, Code::NotSold, Code::TooLarge],
    };

    fn id(&self) -> &SmolStr {
        &self.product_id
    }

    fn part(&self) -> Option<&SmolStr> {
        Some(&self.sku)
    }
}

crate::strict_object! { PutProduct, PutVariant, ArchiveProduct, SetPrice }

encode_enum! {
    InventoryPolicy { Reserve = 0, TrackOnly = 1, None = 2 }
}
