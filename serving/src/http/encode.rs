//! Values as JSON answers.

use super::answer::{ApiResponse, ContentType};
use super::problem::{ApiErrorKind, Problem};
use axum::http::StatusCode;
use serde::Serialize;

impl ApiResponse {
    /// A value as JSON.
    pub fn json(value: &impl Serialize) -> ApiResponse {
        let mut body = Vec::with_capacity(512);
        match serde_json::to_writer(&mut body, value) {
            Ok(()) => ApiResponse::new(StatusCode::OK, ContentType::Json, body),
            Err(error) => Problem::new(ApiErrorKind::Internal, error.to_string()).answer(),
        }
    }
}
