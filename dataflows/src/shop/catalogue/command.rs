//! The commands of the catalogue.

use crate::contract::code::Code;
use crate::contract::topic::Topic;
use crate::engine::encoding::encode_enum;
use crate::shop::bounds::{LARGEST, VARIANTS_MAX};
use crate::shop::command::spec::{CommandSpec, Description, Resource, RouteMethod};
use crate::shop::field::{Attributes, Category, Defaulted, Id, List, Note, Number, Price, Text, Time, Word};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The way the stock of a SKU is kept.
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

crate::object! {
    /// Puts a product in the catalogue, or replaces it.
    pub struct PutProduct {
        /// The product's id, and the record's key.
        pub product_id: Id,
        /// The name.
        pub title: Text,
        /// The description.
        pub description: Option<Note>,
        /// The brand.
        pub brand: Option<Text>,
        /// The path of its category, from the top.
        pub category: Defaulted<Category>,
        /// Named texts.
        pub attributes: Defaulted<Attributes>,
        /// The variants that can be bought.
        pub variants: List<PutVariant, VARIANTS_MAX>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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

crate::object! {
    /// A variant of a product: what a SKU stands for.
    pub struct PutVariant {
        /// The SKU; it belongs to one product for ever.
        pub sku: Id,
        /// The name that tells it from the other variants.
        pub title: Option<Text>,
        /// The price.
        pub price: Price,
        /// The way its stock is kept.
        pub inventory_policy: Defaulted<Word<InventoryPolicy>>,
        /// The available stock at which an event says that it is low.
        pub low_stock_at: Option<Number<0, LARGEST>>,
    }
}

crate::object! {
    /// Takes a product out of lists and search.
    pub struct ArchiveProduct {
        /// The product's id, and the record's key.
        pub product_id: Id,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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

crate::object! {
    /// Sets the price of a SKU, or schedules one.
    pub struct SetPrice {
        /// The product's id, and the record's key.
        pub product_id: Id,
        /// One of the product's SKUs.
        pub sku: Id,
        /// The price.
        pub price: Price,
        /// The begin of its validity, inclusive; without begin and end it is the price from now on.
        pub valid_from: Option<Time>,
        /// The end of its validity, exclusive.
        pub valid_to: Option<Time>,
        /// Business time, at most five minutes ahead; the time of the decision by default.
        pub occurred_at: Option<Time>,
    }
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

encode_enum! {
    InventoryPolicy { Reserve = 0, TrackOnly = 1, None = 2 }
}
