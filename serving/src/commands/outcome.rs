//! The answer to a decided command: the resource as of its epoch, or the problem of a rejected one.

use super::decision::Decision;
use super::{PendingCommand, encode_path_segment, pending};
use crate::app::App;
use crate::http::answer::{ApiResponse, REPLAYED};
use crate::http::problem::{ApiErrorKind, Problem};
use crate::http::read_epoch;
use crate::routes::{documents, orders, policy, products, stock};
use crate::shop::StoreSnapshot;
use axum::http::{HeaderValue, StatusCode};
use dataflows::contract::code::Code;
use dataflows::shop::command::CommandType;
use dataflows::shop::command::spec::Resource;
use dataflows::shop::operations::Operation;

/// The answer to a command.
pub fn answer(app: &App, asked: &PendingCommand, decision: Decision) -> Result<ApiResponse, Problem> {
    let (pin, operation, replayed) = match decision {
        Decision::Decided { pin, operation, replayed } => (pin, operation, replayed),
        Decision::Reused(pin) => {
            let epoch = app.shop.reading(pin).epoch();
            return Err(Problem::refused(Code::CommandIdReused, false, Vec::new()).at(epoch));
        }
        Decision::Pending => return Ok(pending(&asked.publication.command_id)),
    };
    let reading = app.shop.reading(pin);
    let answer = match operation.refusal.as_deref() {
        Some((code, errors)) => {
            let names_sku = operation.command_type.description().path_names_sku();
            let mut problem = Problem::refused(*code, names_sku, errors.clone()).at(reading.epoch());
            if operation.is_remembered() {
                problem
                    .detail
                    .to_mut()
                    .push_str("; this outcome is remembered: to try again, send another Idempotency-Key");
            }
            problem.answer()
        }
        None => accepted(&reading, &operation)?,
    };
    let mut answer = read_epoch::ensure_valid(&reading, answer)?;
    if replayed {
        answer.header(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

fn accepted(reading: &StoreSnapshot<'_>, operation: &Operation) -> Result<ApiResponse, Problem> {
    let status = status_of(operation);
    let (body, path) = resource(reading, operation)?;
    let answer = body.status(status);
    Ok(if status == StatusCode::CREATED { answer.with_location(&path) } else { answer })
}

/// 201 where something was made, else 200.
fn status_of(operation: &Operation) -> StatusCode {
    let of = operation.command_type;
    let replaced = of == CommandType::PutProduct && !operation.is_first;
    if of.description().creates && !replaced { StatusCode::CREATED } else { StatusCode::OK }
}

/// The resource that the command was about, and its path.
fn resource(reading: &StoreSnapshot<'_>, operation: &Operation) -> Result<(ApiResponse, String), Problem> {
    let id = operation.ids.of.as_str();
    let resource = operation.command_type.description().resource;
    let body = match resource {
        Resource::Adjustment => documents::adjustment_body(reading, id),
        Resource::Credit => documents::credit_body(reading, id),
        Resource::Order => orders::body(reading, id),
        Resource::Policy => Some(policy::body(reading)),
        Resource::Product => products::body(reading, id),
        Resource::Stock => stock::body(reading, id),
    };
    let body = body.ok_or_else(|| Problem::new(ApiErrorKind::Internal, "the outcome's resource is not there"))?;
    Ok((body, format!("/api/v1/{}/{}", resource.collection(), encode_path_segment(id))))
}
