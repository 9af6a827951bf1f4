//! Orders, and a customer's orders.

use crate::app::App;
use crate::http::answer::{ApiResponse, ContentType};
use crate::http::call::ApiRequest;
use crate::http::list::{PageBuilder, PageLimit, internal};
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::{CustomerOrder, StoreSnapshot};
use axum::http::StatusCode;
use dataflows::contract::money::Money;
use dataflows::contract::time::Timestamp;
use dataflows::shop::orders::OrderStatus;
use dataflows::shop::row::Row;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// An order as its `GET` shows it.
pub fn body(reading: &StoreSnapshot<'_>, id: &str) -> Option<ApiResponse> {
    reading.views().orders.get(id, reading.at()).map(|order| ApiResponse::json(order.as_ref()))
}

/// `GET /orders/{id}`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let id = call.id("id");
    let answer = body(&reading, id).ok_or_else(|| Problem::not_found("order", id).at(reading.epoch()))?;
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}

/// `GET /customers/{id}/orders`: newest first.
pub async fn list_of_customer(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let mut page = PageBuilder::of(&app, &call, PageLimit::Narrow).await?;
    let customer = SmolStr::new(call.id("id"));
    let start = match page.after.as_deref().and_then(place_of) {
        Some((placed_at, id)) => Bound::Excluded((customer.clone(), Reverse(placed_at), Reverse(id))),
        None => Bound::Included((
            customer.clone(),
            Reverse(Timestamp::from_micros(i64::MAX)),
            Reverse(SmolStr::new(LAST_ID)),
        )),
    };
    let view = &page.reading.views().orders.indexes.by_customer;
    let rows = view.range((start, Bound::<CustomerOrder>::Unbounded), page.reading.at()).limit(page.rows_max());
    for ((of, Reverse(placed_at), Reverse(id)), order) in rows {
        if of != customer || !page.push(&format!("{}:{id}", placed_at.micros()), order.as_ref())? {
            break;
        }
    }
    page.answer(&call)
}

/// After every id, since ids have no such character.
const LAST_ID: &str = "\u{10ffff}\u{10ffff}";

/// The time and id that a cursor holds.
fn place_of(after: &str) -> Option<(Timestamp, SmolStr)> {
    let (micros, id) = after.split_once(':')?;
    Some((Timestamp::from_micros(micros.parse().ok()?), SmolStr::new(id)))
}

/// `GET /orders/{id}/invoice`: what was sold, and the state of its money. A rejected order has none.
pub async fn invoice(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let id = call.id("id");
    let order = reading.views().orders.get(id, reading.at()).filter(|order| order.status != OrderStatus::Rejected);
    let order = order.ok_or_else(|| Problem::not_found("invoice", id).at(reading.epoch()))?;
    let row = order.value();
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(&row).map_err(internal)?;
    let mut invoice = Vec::with_capacity(row.len());
    for name in INVOICE_FIELDS {
        if let Some(value) = fields.remove(name) {
            invoice.extend_from_slice(if invoice.is_empty() { b"{\"" } else { b",\"" });
            invoice.extend_from_slice(name.as_bytes());
            invoice.extend_from_slice(b"\":");
            invoice.extend_from_slice(value.get().as_bytes());
        }
    }
    let due = Money::new(i128::from(order.total) - i128::from(order.captured), order.currency);
    let due = if order.status == OrderStatus::Cancelled { Money::new(0, order.currency) } else { due };
    invoice.extend_from_slice(b",\"due\":");
    serde_json::to_writer(&mut invoice, &due).map_err(internal)?;
    invoice.push(b'}');
    let answer = ApiResponse::new(StatusCode::OK, ContentType::Json, invoice);
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}

/// The fields that an invoice takes over from its order.
pub const INVOICE_FIELDS: [&str; 10] =
    ["order_id", "status", "customer_id", "country", "currency", "placed_at", "lines", "total", "captured", "refunded"];
