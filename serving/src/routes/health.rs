//! The probes, and the document of the routes.

use crate::app::App;
use crate::http::answer::{Answer, Kind};
use crate::http::call::Call;
use crate::http::problem::Problem;
use axum::http::StatusCode;
use dataflows::epoch::Epoch;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Live {
    live: bool,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    epoch: Epoch,
    kafka: Option<String>,
    why: Option<String>,
}

/// `GET /health/live`
pub async fn live(_app: Arc<App>, _call: Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&Live { live: true }))
}

/// `GET /health/ready`
pub async fn ready(app: Arc<App>, _call: Call) -> Result<Answer, Problem> {
    let readiness = app.shop.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (epoch, kafka) = (app.shop.applied(), (app.vitals)().kafka);
    Ok(Answer::json(&Ready { ready: readiness.ready, epoch, kafka, why: readiness.why }).status(status))
}

/// `GET /openapi.json`
pub async fn openapi(app: Arc<App>, _call: Call) -> Result<Answer, Problem> {
    Ok(Answer::new(StatusCode::OK, Kind::Json, app.openapi.clone()))
}

/// `GET /docs`
pub async fn docs(_app: Arc<App>, _call: Call) -> Result<Answer, Problem> {
    Ok(Answer::new(StatusCode::OK, Kind::Html, include_bytes!("../openapi/docs.html").to_vec()))
}
