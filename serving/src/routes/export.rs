//! The tables for analysts: for operators. Not a part of the shop: they depend on the node that is asked.

use crate::app::App;
use crate::exports::Exports;
use crate::http::answer::ApiResponse;
use crate::http::blocking::run_blocking;
use crate::http::call::ApiRequest;
use crate::http::problem::{ApiErrorKind, Problem};
use std::sync::Arc;

/// A file that became unneeded within that time may still be read, unless the operator confirms otherwise.
const HOURS_DEFAULT: u64 = 7 * 24;

/// Younger files are deleted only for a caller that gives the number of tables concerned.
const HOURS_UNCONFIRMED_MIN: u64 = 24;

/// `GET /api/v1/export`
pub async fn standing(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::json(&with_exports(&app, |exports| exports.standing()).await?))
}

/// `POST /api/v1/export/verifications`
pub async fn verify(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::json(&with_exports(&app, |exports| exports.verify()).await?))
}

/// `POST /api/v1/export/compactions?confirm=`
pub async fn compact(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    confirmed(&app, &call).await?;
    Ok(ApiResponse::json(&with_exports(&app, |exports| exports.compact()).await?))
}

/// `POST /api/v1/export/vacuums?older_than_hours=&confirm=`
pub async fn vacuum(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let hours = call.query.number("older_than_hours")?.unwrap_or(HOURS_DEFAULT);
    if hours > HOURS_DEFAULT {
        return Err(Problem::invalid("/older_than_hours", format!("0 to {HOURS_DEFAULT}")));
    }
    if hours < HOURS_UNCONFIRMED_MIN {
        confirmed(&app, &call).await?;
    }
    Ok(ApiResponse::json(&with_exports(&app, move |exports| exports.vacuum(hours)).await?))
}

/// Checks that the caller knows the number of tables concerned.
async fn confirmed(app: &Arc<App>, call: &ApiRequest) -> Result<(), Problem> {
    let confirm: Option<usize> = call.query.number("confirm")?;
    let tables = with_exports(app, |exports| exports.standing()).await?.tables.len();
    if confirm == Some(tables) {
        return Ok(());
    }
    Err(Problem::invalid("/confirm", "this needs the number of tables in GET /api/v1/export"))
}

/// Asks the export, which may take minutes.
async fn with_exports<T: Send + 'static>(
    app: &Arc<App>,
    act: impl FnOnce(&dyn Exports) -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let exports = Arc::clone(&app.exports);
    let unavailable = |why| Problem::new(ApiErrorKind::LogUnavailable, format!("the export cannot do that now: {why}"));
    run_blocking(move || act(exports.as_ref())).await?.map_err(unavailable)
}
