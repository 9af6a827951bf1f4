//! Credits and adjustments: recorded once, never changed.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::StoreSnapshot;
use std::sync::Arc;

/// A credit as its `GET` shows it.
pub fn credit_body(reading: &StoreSnapshot<'_>, id: &str) -> Option<ApiResponse> {
    reading.views().credits.get(id, reading.at()).map(|credit| ApiResponse::json(credit.as_ref()))
}

/// An adjustment as its `GET` shows it.
pub fn adjustment_body(reading: &StoreSnapshot<'_>, id: &str) -> Option<ApiResponse> {
    reading.views().adjustments.get(id, reading.at()).map(|adjustment| ApiResponse::json(adjustment.as_ref()))
}

/// `GET /credits/{id}`
pub async fn get_credit(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let id = call.id("id");
    let answer = credit_body(&reading, id).ok_or_else(|| Problem::not_found("credit", id).at(reading.epoch()))?;
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}

/// `GET /adjustments/{id}`
pub async fn get_adjustment(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let id = call.id("id");
    let answer =
        adjustment_body(&reading, id).ok_or_else(|| Problem::not_found("adjustment", id).at(reading.epoch()))?;
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}
