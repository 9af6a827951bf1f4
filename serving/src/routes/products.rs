//! Products: the catalogue with what can be promised of each variant, at the prices of the epoch's `now`.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::list::{PageBuilder, PageLimit, internal};
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::StoreSnapshot;
use dataflows::shop::catalogue::{Product, Variant};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smol_str::SmolStr;
use std::ops::Bound;
use std::sync::Arc;

/// A product as its `GET` shows it: the row with prices and stock as of the epoch.
pub struct ProductJson<'a>(pub &'a Product, pub &'a StoreSnapshot<'a>);
struct VariantsJson<'a>(&'a [Variant], &'a StoreSnapshot<'a>);
struct VariantJson<'a>(&'a Variant, &'a StoreSnapshot<'a>);

impl Serialize for ProductJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ProductJson(product, reading) = self;
        let mut row = serializer.serialize_struct("Product", 8)?;
        row.serialize_field("product_id", &product.product_id)?;
        row.serialize_field("title", &product.title)?;
        row.serialize_field("description", &product.description)?;
        row.serialize_field("brand", &product.brand)?;
        row.serialize_field("category", &product.category)?;
        row.serialize_field("attributes", &product.attributes)?;
        row.serialize_field("archived", &product.archived)?;
        row.serialize_field("variants", &VariantsJson(&product.variants, reading))?;
        row.end()
    }
}

impl Serialize for VariantsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|variant| VariantJson(variant, self.1)))
    }
}

impl Serialize for VariantJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let VariantJson(variant, reading) = self;
        let mut row = serializer.serialize_struct("Variant", 7)?;
        row.serialize_field("sku", &variant.sku)?;
        row.serialize_field("title", &variant.title)?;
        row.serialize_field("price", &variant.price_at(reading.now()))?;
        row.serialize_field("inventory_policy", &variant.inventory_policy)?;
        row.serialize_field("low_stock_at", &variant.low_stock_at)?;
        row.serialize_field("scheduled", &variant.scheduled)?;
        row.serialize_field("available", &reading.available(&variant.sku, variant.inventory_policy))?;
        row.end()
    }
}

/// A product as its `GET` shows it.
pub fn body(reading: &StoreSnapshot<'_>, id: &str) -> Option<ApiResponse> {
    reading.product(id).map(|product| ApiResponse::json(&ProductJson(&product, reading)))
}

/// `GET /products/{id}`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let id = call.id("id");
    let answer = body(&reading, id).ok_or_else(|| Problem::not_found("product", id).at(reading.epoch()))?;
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}

/// `GET /products?category=A/B&brand=`: by id, without what is archived.
pub async fn list(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let mut page = PageBuilder::of(&app, &call, PageLimit::Narrow).await?;
    let (category, brand) = (call.query.get("category"), call.query.get("brand"));
    let start = page.after.as_deref().map_or(Bound::Unbounded, |after| Bound::Excluded(SmolStr::new(after)));
    let rows = page.reading.views().products.range((start, Bound::Unbounded), page.reading.at());
    let at_once = app.config.scan_rows_at_once;
    for (seen, (id, product)) in rows.enumerate() {
        if is_listed(&product, category, brand) {
            let json = serde_json::value::to_raw_value(&ProductJson(&product, &page.reading));
            if !page.push(&id, &json.map_err(internal)?)? {
                break;
            }
        }
        if seen % at_once == at_once - 1 {
            tokio::task::yield_now().await;
        }
    }
    page.answer(&call)
}

fn is_listed(product: &Product, category: Option<&str>, brand: Option<&str>) -> bool {
    let within = |category: &str| {
        let rest = product.category_path.strip_prefix(category);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !product.archived
        && category.is_none_or(within)
        && brand.is_none_or(|brand| product.brand.as_deref() == Some(brand))
}
