//! Views as they are published: their rows by key, and their state.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::list::{PageBuilder, PageLimit};
use crate::http::problem::Problem;
use crate::http::read_epoch;
use dataflows::contract::changes::digest_text;
use dataflows::shop::row::View;
use serde::Serialize;
use smol_str::SmolStr;
use std::ops::Bound;
use std::sync::Arc;

#[derive(Serialize)]
struct ViewJson {
    name: &'static str,
    rows: u64,
    digest: String,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

/// `GET /views`
pub async fn list(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let standings = &reading.info().standings;
    let view = |view: &View| {
        let standing = standings.of(*view);
        ViewJson { name: view.name(), rows: standing.rows, digest: digest_text(standing.digest) }
    };
    let data: Vec<_> = View::ALL.iter().map(view).collect();
    read_epoch::ensure_valid(&reading, ApiResponse::json(&Data { data }))
}

/// `GET /invariants`
pub async fn invariants(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    let rows: Vec<_> = reading.views().invariants.range(.., reading.at()).map(|(_, row)| row).collect();
    let data: Vec<_> = rows.iter().map(Arc::as_ref).collect();
    read_epoch::ensure_valid(&reading, ApiResponse::json(&Data { data }))
}

/// `GET /views/{view}?prefix=`: rows by key.
pub async fn rows(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let name = call.id("view");
    let view = View::from_name(name).ok_or_else(|| Problem::not_found("view", name))?;
    let mut page = PageBuilder::of(&app, &call, PageLimit::Wide).await?;
    let prefix = call.query.get("prefix").unwrap_or_default();
    let start = match page.after.as_deref() {
        Some(after) if after >= prefix => Bound::Excluded(SmolStr::new(after)),
        Some(_) | None => Bound::Included(SmolStr::new(prefix)),
    };
    let (views, at) = (app.shop.views(), page.reading.at());
    let mut pushed = Ok(true);
    views.rows(view, start, at, page.rows_max(), |key, value| {
        if !key.starts_with(prefix) {
            return false;
        }
        pushed = page.push_row(key, value);
        matches!(pushed, Ok(true))
    });
    pushed?;
    page.answer(&call)
}
