//! Views as they are published: their rows by key, and how they stand.

use crate::app::App;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::fresh;
use crate::http::list::{Page, Width};
use crate::http::problem::Problem;
use crate::shop::Views;
use crate::store;
use dataflows::changes::digest_text;
use dataflows::rows::View;
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

#[derive(Serialize)]
struct RowJson<'a, R> {
    key: &'a str,
    value: &'a R,
}

/// `GET /views`
pub async fn list(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let reading = fresh::reading(&app, &call).await?;
    let standings = &reading.info().standings;
    let view = |view: &View| {
        let standing = standings.of(*view);
        ViewJson { name: view.name(), rows: standing.rows, digest: digest_text(standing.digest) }
    };
    let data: Vec<_> = View::ALL.iter().map(view).collect();
    fresh::exact(&reading, Answer::json(&Data { data }))
}

/// `GET /invariants`
pub async fn invariants(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let reading = fresh::reading(&app, &call).await?;
    let rows: Vec<_> = reading.views().invariants.range(.., reading.at()).map(|(_, row)| row).collect();
    let data: Vec<_> = rows.iter().map(Arc::as_ref).collect();
    fresh::exact(&reading, Answer::json(&Data { data }))
}

/// `GET /views/{view}?prefix=`: rows by key.
pub async fn rows(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let name = call.id("view");
    let view = View::from_name(name).ok_or_else(|| Problem::not_found("view", name))?;
    let mut page = Page::of(&app, &call, Width::Wide).await?;
    let prefix = call.query.get("prefix").unwrap_or_default();
    let views: &Views = page.reading.views();
    match view {
        View::Adjustments => fill(&mut page, &views.adjustments, prefix)?,
        View::Credits => fill(&mut page, &views.credits, prefix)?,
        View::Invariants => fill(&mut page, &views.invariants, prefix)?,
        View::Operations => fill(&mut page, &views.operations, prefix)?,
        View::Orders => fill(&mut page, &views.orders, prefix)?,
        View::Payments => fill(&mut page, &views.payments, prefix)?,
        View::Policy => fill(&mut page, &views.policy, prefix)?,
        View::Products => fill(&mut page, &views.products, prefix)?,
        View::Revenue => fill(&mut page, &views.revenue, prefix)?,
        View::Stock => fill(&mut page, &views.stock, prefix)?,
    }
    page.answer(&call)
}

/// Fills a page with the rows of a view whose keys begin with the prefix.
fn fill<R: Serialize>(page: &mut Page<'_>, view: &store::View<SmolStr, R>, prefix: &str) -> Result<(), Problem> {
    let start = match page.after.as_deref() {
        Some(after) if after >= prefix => Bound::Excluded(SmolStr::new(after)),
        Some(_) | None => Bound::Included(SmolStr::new(prefix)),
    };
    for (key, row) in view.range((start, Bound::Unbounded), page.reading.at()).limit(page.rows_max()) {
        if !key.starts_with(prefix) || !page.push(&key, &RowJson { key: &key, value: row.as_ref() })? {
            break;
        }
    }
    Ok(())
}
