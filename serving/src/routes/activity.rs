//! Observations of clients: what customers did, reported as it happened. Not for commands: nothing is decided, and only
//! the log is waited for.

use crate::app::App;
use crate::commands::{append_error, new_command_id};
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::json;
use crate::http::problem::{ApiErrorKind, Problem};
use axum::http::StatusCode;
use dataflows::contract::topic::Origin;
use dataflows::ports::Publication;
use dataflows::shop::command::CommandReadError;
use dataflows::shop::searches::observation::{Observation, ObservationType};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

#[derive(Deserialize)]
struct ActivityBody<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ActivityJson<'a> {
    event_id: &'a str,
    r#type: &'a str,
    origin: Origin,
}

/// `POST /activity`
pub async fn post(app: Arc<App>, mut call: ApiRequest) -> Result<ApiResponse, Problem> {
    let event_id = match call.idempotency_key()? {
        Some(key) => SmolStr::new(key),
        None => new_command_id(&app)?,
    };
    let body = call.body().await?;
    json::check_object(&body)?;
    let observation = read(&body)?;
    let publication = Publication::observed(event_id.clone(), &observation);
    if publication.data.len() > app.config.record_bytes_max {
        let detail = format!("written out, the observation takes over {} bytes", app.config.record_bytes_max);
        return Err(Problem::new(ApiErrorKind::TooLarge, detail));
    }
    let (send, receive) = oneshot::channel();
    app.log.append(
        vec![publication],
        Box::new(move |appended| {
            // A request that ended meanwhile needs no answer.
            let _ = send.send(appended);
        }),
    );
    let away = |detail: &'static str| Problem::new(ApiErrorKind::LogUnavailable, detail);
    let appended = timeout(Duration::from_millis(app.config.append_ms_max), receive).await;
    let appended = appended.map_err(|_| away("the log did not acknowledge in time"))?;
    let origins = appended.map_err(|_| away("the log is gone"))?.map_err(|error| append_error(&error))?;
    let origin = *origins.first().ok_or_else(|| Problem::new(ApiErrorKind::Internal, "the log named no place"))?;
    let taken = ActivityJson { event_id: &event_id, r#type: observation.observation_type().name(), origin };
    Ok(ApiResponse::json(&taken).status(StatusCode::ACCEPTED))
}

fn read(body: &[u8]) -> Result<Observation, Problem> {
    let given: ActivityBody<'_> =
        serde_json::from_slice(body).map_err(|error| Problem::invalid("/type", format!("type is a text: {error}")))?;
    let ActivityBody { r#type: name, data } = given;
    let known = name.as_deref().and_then(ObservationType::from_name).ok_or_else(|| {
        let names: Vec<_> = ObservationType::ALL.iter().map(|known| known.name()).collect();
        Problem::invalid("/type", format!("type is {}", names.join(" or ")))
    })?;
    let data = data.ok_or_else(|| Problem::invalid("/data", "data is an object"))?;
    Observation::read(known, data.get().as_bytes()).map_err(|why| match why {
        CommandReadError::Shape(mut errors) => {
            for error in &mut errors {
                error.pointer = format!("/data{}", error.pointer).into();
            }
            Problem::all_invalid(errors)
        }
        why @ CommandReadError::UnknownType(_) => Problem::from(why),
    })
}
