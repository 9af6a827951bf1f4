//! Commands: from a request to the log, and from the outcome back to an answer. Not for deciding anything.

pub mod batch;
pub mod decision;
pub mod in_flight;
pub mod outcome;

pub use decision::refusal_of as append_error;

use crate::app::App;
use crate::http::answer::{ApiResponse, ContentType};
use crate::http::call::{ApiRequest, Prefer};
use crate::http::problem::{ApiErrorKind, Problem};
use crate::http::{json, read_epoch};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use dataflows::ports::Publication;
use dataflows::shop::command::{Command, CommandType};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// The header that names the command of an answer, whether or not the client chose the id.
const COMMAND_ID: HeaderName = HeaderName::from_static("tradewind-command-id");

/// The characters of an id that are encoded in a path.
const ID: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A command that is asked for, ready for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCommand {
    /// The command.
    pub command: Command,
    /// Its record.
    pub publication: Publication,
    /// The digest that differs for another command under the same id.
    pub fingerprint: u128,
}

/// The bytes of a record's headers beside the command's id, at most.
const HEADERS_BYTES: usize = 512;

impl PendingCommand {
    /// A command under an id, if its record is not too large.
    pub fn of(command_id: &str, command: Command, record_bytes_max: usize) -> Result<PendingCommand, Problem> {
        let publication = Publication::of(command_id, &command);
        let Publication { key, command_id, data, .. } = &publication;
        if key.len() + command_id.len() + data.len() + HEADERS_BYTES > record_bytes_max {
            let detail = format!("written out, the command and its id take over {record_bytes_max} bytes");
            return Err(Problem::new(ApiErrorKind::TooLarge, detail));
        }
        let fingerprint = command.fingerprint(command.key().as_bytes());
        Ok(PendingCommand { command, publication, fingerprint })
    }
}

/// Takes a command to its decision, or as far as the caller waits.
pub async fn post(app: Arc<App>, mut call: ApiRequest, command_type: CommandType) -> Result<ApiResponse, Problem> {
    let command_id = match call.idempotency_key()? {
        Some(key) => SmolStr::new(key),
        None => new_command_id(&app)?,
    };
    let description = command_type.description();
    let min_epoch = call.min_epoch()?;
    let body = call.body().await?;
    let body: &[u8] = if body.is_empty() && description.body_is_optional { b"{}" } else { &body };
    json::check_object(body)?;
    let ids: Vec<_> = description.path_ids().map(|(field, name)| (field, call.id(name))).collect();
    let body = json::with_ids(body, &ids)?;
    let command = read(command_type, &command_id, &body, call.prefer())?;
    let asked = PendingCommand::of(&command_id, command, app.config.record_bytes_max)?;
    read_epoch::newest(&app, &call, min_epoch).await?;
    let wait = decision_wait(&app, call.prefer());
    let decision = decision::of(&app, vec![asked.clone()], wait).await?.pop();
    let mut answer = match decision {
        Some(decision) => outcome::answer(&app, &asked, decision)?,
        None => return Err(Problem::new(ApiErrorKind::Internal, "a command without a decision")),
    };
    answer.set_header_opt(COMMAND_ID, HeaderValue::from_str(&command_id).ok());
    Ok(answer)
}

/// Reads a command's data. Fields that it does not have are refused, unless they are to be ignored.
fn read(command_type: CommandType, command_id: &str, data: &[u8], prefer: Prefer) -> Result<Command, Problem> {
    let unknown = || format!("{} has no such field; `Prefer: handling=lenient` ignores it", command_type.name());
    Ok(if prefer.is_lenient {
        Command::read(command_type, command_id, data)?
    } else {
        Command::read_strictly(command_type, command_id, data, unknown)?
    })
}

/// The time that a decision is waited for.
fn decision_wait(app: &App, prefer: Prefer) -> Duration {
    match prefer {
        Prefer { wait_s: None, respond_async: true, is_lenient: _ } => Duration::ZERO,
        Prefer { wait_s, respond_async: _, is_lenient: _ } => app.wait(wait_s),
    }
}

/// The answer to a command that is not decided yet.
fn pending(command_id: &str) -> ApiResponse {
    #[derive(serde::Serialize)]
    struct PendingJson<'a> {
        command_id: &'a str,
        status: &'a str,
    }
    ApiResponse::json(&PendingJson { command_id, status: "pending" })
        .status(StatusCode::ACCEPTED)
        .with_location(&format!("/api/v1/operations/{}", encode_path_segment(command_id)))
}

/// An id, encoded for a path.
pub fn encode_path_segment(id: &str) -> String {
    utf8_percent_encode(id, ID).to_string()
}

/// A new command id: a UUID of version 4.
pub fn new_command_id(app: &App) -> Result<SmolStr, Problem> {
    let mut bytes = (app.entropy)().map_err(|why| Problem::new(ApiErrorKind::Internal, why))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(SmolStr::new(parts.join("-")))
}

/// Lines of JSON as an answer.
fn ndjson(bytes: Vec<u8>) -> ApiResponse {
    ApiResponse::new(StatusCode::OK, ContentType::Lines, bytes)
}
