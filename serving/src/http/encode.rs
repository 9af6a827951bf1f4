//! Values as JSON answers.

use super::answer::{Answer, Kind};
use super::problem::{Fault, Problem};
use axum::http::StatusCode;
use serde::Serialize;

impl Answer {
    /// A value as JSON.
    pub fn json(value: &impl Serialize) -> Answer {
        let mut body = Vec::with_capacity(512);
        match serde_json::to_writer(&mut body, value) {
            Ok(()) => Answer::new(StatusCode::OK, Kind::Json, body),
            Err(error) => Problem::new(Fault::Internal, error.to_string()).answer(),
        }
    }
}
