//! The probes, and the document of the routes.

use crate::app::App;
use crate::http::answer::{ApiResponse, ContentType};
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::shop::Readiness;
use access::hash::sha256_base64;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use dataflows::contract::epoch::Epoch;
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
pub async fn live(_app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::json(&Live { live: true }))
}

/// `GET /health/ready`
pub async fn ready(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    let vitals = (app.vitals)();
    let Readiness { ready, why } = app.readiness(&vitals);
    let kafka = vitals.kafka;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(ApiResponse::json(&Ready { ready, epoch: app.shop.applied(), kafka, why }).status(status))
}

/// `GET /openapi.json`
pub async fn openapi(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::new(StatusCode::OK, ContentType::Json, app.openapi.clone()))
}

/// `GET /asyncapi.json`
pub async fn asyncapi(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::new(StatusCode::OK, ContentType::Json, app.asyncapi.clone()))
}

/// The document of the routes, to read.
const DOCS: &str = include_str!("../openapi/docs.html");

/// The policy of that page: it may run the script and the style in it, and ask this node.
pub fn docs_policy() -> String {
    let hash = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let inner = DOCS.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map_or("", |(inner, _)| inner);
        sha256_base64(inner.as_bytes())
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        hash("script"),
        hash("style")
    )
}

/// `GET /`
pub async fn root(_app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    Ok(ApiResponse::new(StatusCode::FOUND, ContentType::Html, Vec::new()).with_location("/docs"))
}

/// `GET /favicon.ico`
pub async fn favicon(_app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    const ICON: &[u8] = include_bytes!("../openapi/favicon.ico");
    Ok(ApiResponse::new(StatusCode::OK, ContentType::Icon, ICON.to_vec()))
}

/// `GET /docs`
pub async fn docs(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    let mut answer = ApiResponse::new(StatusCode::OK, ContentType::Html, DOCS.as_bytes().to_vec());
    answer.set_header_opt(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&app.docs_policy).ok());
    Ok(answer)
}
