//! Operations: what became of commands.

use crate::app::App;
use crate::commands::in_flight::InFlightCommand;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::StoreSnapshot;
use dataflows::contract::topic::Origin;
use dataflows::shop::command::CommandType;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A command without an outcome yet, in the form of one with it.
#[derive(Serialize)]
struct PendingJson<'a> {
    command_id: &'a str,
    r#type: CommandType,
    status: &'static str,
    epoch: Option<u64>,
    origin: Option<Origin>,
    ids: BTreeMap<&'static str, &'a str>,
    code: Option<&'static str>,
    errors: [u8; 0],
}

/// `GET /operations/{command_id}`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let command_id = call.id("command_id");
    // Looked for before the epoch is chosen: a flight ends only once its outcome can be read.
    let flight = app.flights.get(command_id);
    let mut reading = read_epoch::open_snapshot(&app, &call).await?;
    let mut answer = outcome(&reading, command_id);
    if let (None, Some(flight)) = (&answer, flight) {
        if !flight.origin.is_some_and(|origin| app.shop.covers(origin)) {
            answer = Some(pending(command_id, &flight));
        } else if call.query.get("as_of").is_none() {
            // Decided between the look at the epoch and the look at the flight.
            reading = read_epoch::newest(&app, &call, None).await?;
            answer = outcome(&reading, command_id);
        }
    }
    let answer = answer.ok_or_else(|| Problem::not_found("operation", command_id).at(reading.epoch()))?;
    read_epoch::ensure_valid(&reading, answer.with_etag(call.if_none_match()))
}

fn outcome(reading: &StoreSnapshot<'_>, command_id: &str) -> Option<ApiResponse> {
    let operation = reading.views().operations.get(command_id, reading.at());
    operation.map(|operation| ApiResponse::json(operation.as_ref()))
}

fn pending(command_id: &str, flight: &InFlightCommand) -> ApiResponse {
    let name = flight.command_type.description().resource.id_name();
    let ids = [(name, flight.of.as_str())].into_iter().filter(|(name, _)| !name.is_empty()).collect();
    ApiResponse::json(&PendingJson {
        command_id,
        r#type: flight.command_type,
        status: "pending",
        epoch: None,
        origin: flight.origin,
        ids,
        code: None,
        errors: [],
    })
}
