//! `POST /commands`: many commands as lines, appended in order. A bad line does not stop the others.

use super::decision::{self, Decision};
use super::{PendingCommand, decision_wait, ndjson};
use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::{ApiRequest, Prefer, is_command_id};
use crate::http::json;
use crate::http::problem::{ApiErrorKind, Problem};
use dataflows::contract::code::{Code, FieldError as Detail};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::command::CommandType;
use serde::Serialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A line before it came to the log.
struct Line {
    command_id: Option<String>,
    type_name: Option<String>,
    /// Its type and the id that it is about.
    asked: Result<(CommandType, SmolStr), Problem>,
}

/// The outcome of a line.
#[derive(Serialize)]
struct LineJson<'a> {
    command_id: Option<&'a str>,
    r#type: Option<&'a str>,
    status: &'static str,
    epoch: Option<Epoch>,
    ids: serde_json::Value,
    code: Option<&'static str>,
    errors: &'a [Detail],
    replayed: bool,
}

/// Takes many commands.
pub async fn post(app: Arc<App>, mut call: ApiRequest) -> Result<ApiResponse, Problem> {
    let config = &app.config;
    let min_epoch = call.min_epoch()?;
    let body = call.body().await?;
    let is_blank = |line: &&[u8]| line.trim_ascii().is_empty();
    let texts: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).collect();
    if texts.len() > config.batch_lines_max {
        return Err(Problem::new(
            ApiErrorKind::TooLarge,
            format!("at most {} lines are taken", config.batch_lines_max),
        ));
    }
    let prefer = call.prefer();
    let (mut lines, mut asked) = (Vec::with_capacity(texts.len()), Vec::new());
    for (seen, text) in texts.into_iter().enumerate() {
        if seen % config.lines_at_once == config.lines_at_once - 1 {
            tokio::task::yield_now().await;
        }
        lines.push(read(text, prefer, config.record_bytes_max, &mut asked));
    }
    // What was made of it is enough from here on.
    drop(body);
    crate::http::read_epoch::newest(&app, &call, min_epoch).await?;
    let decisions = decision::of(&app, asked, decision_wait(&app, prefer)).await?;
    write(&app, &lines, decisions)
}

/// Reads a line; a good one's command comes after the others'.
fn read(text: &[u8], prefer: Prefer, record_bytes_max: usize, commands: &mut Vec<PendingCommand>) -> Line {
    let mut line = Line { command_id: None, type_name: None, asked: Err(Problem::new(ApiErrorKind::Malformed, "")) };
    line.asked = read_into(&mut line.command_id, &mut line.type_name, text, prefer, record_bytes_max).map(|asked| {
        let known = (asked.command.command_type(), SmolStr::new(asked.command.key()));
        commands.push(asked);
        known
    });
    line
}

fn read_into(
    command_id: &mut Option<String>,
    type_name: &mut Option<String>,
    text: &[u8],
    prefer: Prefer,
    record_bytes_max: usize,
) -> Result<PendingCommand, Problem> {
    json::check_object(text)?;
    let fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_slice(text).map_err(|error| Problem::new(ApiErrorKind::Malformed, error.to_string()))?;
    let text_of = |name: &str| fields.get(name).and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    *command_id = text_of("id").filter(|id| is_command_id(id));
    *type_name = text_of("type");
    let id = command_id
        .as_deref()
        .ok_or_else(|| Problem::invalid("/id", "the command id: 1 to 255 visible ASCII characters"))?;
    let name = type_name.as_deref().ok_or_else(|| Problem::invalid("/type", "the type of the command, as a text"))?;
    let command_type = CommandType::from_name(name)
        .ok_or_else(|| Problem::invalid("/type", format!("no command has the type {name}")))?;
    let data = fields.get("data").ok_or_else(|| Problem::invalid("/data", "the command's data, as an object"))?;
    let data = data.get().as_bytes();
    let command = super::read(command_type, id, data, prefer)?;
    PendingCommand::of(id, command, record_bytes_max).map_err(|too_large| Problem::invalid("/data", too_large.detail))
}

fn write(app: &App, read: &[Line], decisions: Vec<Decision>) -> Result<ApiResponse, Problem> {
    let mut decisions = decisions.into_iter();
    let mut body = Vec::with_capacity(read.len() * 200);
    for line in read {
        let decision = match &line.asked {
            Ok(_) => Some(
                decisions.next().ok_or_else(|| Problem::new(ApiErrorKind::Internal, "a line without a decision"))?,
            ),
            Err(_) => None,
        };
        write_line(&mut body, app, line, decision.as_ref())
            .map_err(|error| Problem::new(ApiErrorKind::Internal, error.to_string()))?;
        body.push(b'\n');
    }
    Ok(ndjson(body))
}

fn write_line(
    body: &mut Vec<u8>,
    app: &App,
    line: &Line,
    decision: Option<&Decision>,
) -> Result<(), serde_json::Error> {
    let mut json = LineJson {
        command_id: line.command_id.as_deref(),
        r#type: line.type_name.as_deref(),
        status: "rejected",
        epoch: None,
        ids: serde_json::json!({}),
        code: None,
        errors: &[],
        replayed: false,
    };
    match (&line.asked, decision) {
        (Err(problem), _) => {
            json.code = Some(problem.code);
            json.errors = &problem.errors;
        }
        (Ok(_), Some(Decision::Decided { operation, replayed, .. })) => {
            json.status = operation.status();
            json.epoch = Some(operation.epoch);
            json.ids = serde_json::to_value(operation.ids_json())?;
            json.code = operation.code().map(Code::as_str);
            json.errors = operation.errors();
            json.replayed = *replayed;
        }
        (Ok(_), Some(Decision::Reused(pin))) => {
            json.epoch = Some(app.shop.reading(pin.clone()).epoch());
            json.code = Some(Code::CommandIdReused.as_str());
        }
        (Ok(asked), Some(Decision::Pending) | None) => {
            json.status = "pending";
            json.ids = serde_json::to_value(ids_of(asked))?;
        }
    }
    serde_json::to_writer(body, &json)
}

fn ids_of((command_type, key): &(CommandType, SmolStr)) -> BTreeMap<&'static str, &str> {
    let name = command_type.description().resource.id_name();
    [(name, key.as_str())].into_iter().filter(|(name, _)| !name.is_empty()).collect()
}
