//! The stock of SKUs.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::list::{PageBuilder, PageLimit};
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::{StockOf, StoreSnapshot};
use dataflows::contract::code::{Code, FieldError as Detail};
use dataflows::shop::stock::Stock;
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The stock of a SKU that has no row.
#[derive(Serialize)]
struct NoStock<'a> {
    sku: &'a str,
    on_hand: Option<u8>,
    reserved: Option<u8>,
    available: Option<u8>,
    locations: [u8; 0],
}

/// The stock of a SKU as its `GET` shows it.
pub fn body(reading: &StoreSnapshot<'_>, sku: &str) -> Option<ApiResponse> {
    let zeros =
        |zero| ApiResponse::json(&NoStock { sku, on_hand: zero, reserved: zero, available: zero, locations: [] });
    Some(match reading.stock_of(sku)? {
        StockOf::Row(row) => ApiResponse::json(row.as_ref()),
        StockOf::Nothing => zeros(Some(0)),
        StockOf::Untracked => zeros(None),
    })
}

/// `GET /stock/{sku}`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let sku = call.id("sku");
    let answer = body(&reading, sku).ok_or_else(|| unknown(sku).at(reading.epoch()))?;
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}

fn unknown(sku: &str) -> Problem {
    let detail = format!("there is no SKU {sku:?} in the catalogue").into();
    Problem::refused(Code::UnknownSku, true, vec![Detail { pointer: "/sku".into(), code: Code::UnknownSku, detail }])
}

/// `GET /stock?below=N`: by SKU.
pub async fn list(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let below: Option<i64> = call.query.number("below")?;
    let mut page = PageBuilder::of(&app, &call, PageLimit::Narrow).await?;
    match below {
        None => {
            let start = page.after.as_deref().map_or(Bound::Unbounded, |after| Bound::Excluded(SmolStr::new(after)));
            let view = &page.reading.views().stock;
            for (sku, row) in view.range((start, Bound::Unbounded), page.reading.at()).limit(page.rows_max()) {
                if !page.push(&sku, row.as_ref())? {
                    break;
                }
            }
        }
        Some(below) => {
            for (sku, row) in first_below(&app, &page, below).await {
                if !page.push(&sku, row.as_ref())? {
                    break;
                }
            }
        }
    }
    page.answer(&call)
}

/// The first SKUs of the page, by SKU, of all that have less available. Reads those alone, in the order of stock.
async fn first_below(app: &App, page: &PageBuilder<'_>, below: i64) -> BTreeMap<SmolStr, Arc<Stock>> {
    let mut first = BTreeMap::new();
    let end = Bound::Excluded((below, SmolStr::default()));
    let view = &page.reading.views().stock.indexes.by_available;
    for (seen, ((_, sku), row)) in view.range((Bound::Unbounded, end), page.reading.at()).enumerate() {
        if page.after.as_deref().is_none_or(|after| sku.as_str() > after) {
            first.insert(sku, row);
            if first.len() > page.rows_max() {
                first.pop_last();
            }
        }
        if seen % app.config.scan_rows_at_once == app.config.scan_rows_at_once - 1 {
            tokio::task::yield_now().await;
        }
    }
    first
}
