//! Operations: what became of commands.

use crate::app::App;
use crate::commands::flights::Flight;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::fresh;
use crate::http::problem::Problem;
use dataflows::command::CommandType;
use dataflows::rows::Operation;
use dataflows::topic::Origin;
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
pub async fn get(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let reading = fresh::reading(&app, &call).await?;
    let command_id = call.id("command_id");
    let answer = match reading.views().operations.get(command_id, reading.at()) {
        Some(operation) => Answer::json(operation.as_ref()),
        None => match app.flights.get(command_id).filter(|flight| is_undecided(&app, flight)) {
            Some(flight) => pending(command_id, &flight),
            None => return Err(Problem::not_found("operation", command_id).at(reading.epoch())),
        },
    };
    fresh::exact(&reading, answer.tagged(call.if_none_match()))
}

/// What was covered by an epoch has its outcome, or was forgotten again.
fn is_undecided(app: &App, flight: &Flight) -> bool {
    flight.origin.is_none_or(|origin| !app.shop.cut().covers(origin))
}

fn pending(command_id: &str, flight: &Flight) -> Answer {
    let (name, _) = Operation::id_names(flight.command_type);
    let ids = [(name, flight.of.as_str())].into_iter().filter(|(name, _)| !name.is_empty()).collect();
    Answer::json(&PendingJson {
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
