//! Checkpoints: for operators. Not a part of the shop: they depend on the node that is asked.

use crate::app::App;
use crate::checkpoint_admin::{CheckpointAdmin, CheckpointJson};
use crate::http::answer::ApiResponse;
use crate::http::blocking::run_blocking;
use crate::http::call::ApiRequest;
use crate::http::problem::{ApiErrorKind, Problem};
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Checkpoints {
    data: Vec<CheckpointJson>,
}

/// `GET /api/v1/checkpoints`
pub async fn list(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    let data = with_checkpoints(&app, |keeper| keeper.list()).await?;
    Ok(ApiResponse::json(&Checkpoints { data }))
}

/// `POST /api/v1/checkpoints`
pub async fn take(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::json(&with_checkpoints(&app, |keeper| keeper.take()).await?).status(StatusCode::CREATED))
}

/// Asks for checkpoints, which may take seconds.
async fn with_checkpoints<T: Send + 'static>(
    app: &Arc<App>,
    act: impl FnOnce(&dyn CheckpointAdmin) -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let keeper = Arc::clone(&app.keeper);
    let unavailable = |why| Problem::new(ApiErrorKind::LogUnavailable, format!("there is no checkpoint now: {why}"));
    run_blocking(move || act(keeper.as_ref())).await?.map_err(unavailable)
}
