//! Dead letters: for operators. Not a part of the shop: they depend on the node that is asked.

use crate::app::App;
use crate::dead_letter_admin::{DeadLetterAdmin, EditJson, LetterError, LetterJson, LetterQuery};
use crate::http::answer::ApiResponse;
use crate::http::blocking::run_blocking;
use crate::http::call::ApiRequest;
use crate::http::json;
use crate::http::problem::{ApiErrorKind, Problem};
use dataflows::contract::topic::Origin;
use serde::Serialize;
use std::sync::Arc;

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 1_000;

#[derive(Serialize)]
struct LettersPage {
    data: Vec<LetterJson>,
    /// `after` of the next page.
    next: Option<String>,
}

/// `GET /api/v1/dead-letters`
pub async fn list(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let after = call.query.get("after").map(|text| {
        let invalid = || Problem::invalid("/after", "the place of a letter, like orders.commands/3/17");
        Origin::from_text(text).ok_or_else(invalid)
    });
    let is_open = match call.query.get("state") {
        None | Some("open") => true,
        Some("all") => false,
        Some(_) => return Err(Problem::invalid("/state", "open or all")),
    };
    let limit = call.query.number("limit")?.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::invalid("/limit", format!("1 to {LIMIT_MAX}")));
    }
    let wanted = LetterQuery { is_open, after: after.transpose()?, count_max: limit };
    let data = with_letters(&app, String::new(), move |letters| letters.list(wanted)).await?;
    let next = data.last().filter(|_| data.len() == limit).map(|last| last.origin.to_string());
    Ok(ApiResponse::json(&LettersPage { data, next }))
}

/// `GET /api/v1/dead-letters/{topic}/{partition}/{offset}`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let origin = origin(&call)?;
    Ok(ApiResponse::json(&with_letters(&app, origin.to_string(), move |letters| letters.show(origin)).await?))
}

/// `DELETE /api/v1/dead-letters/{topic}/{partition}/{offset}`
pub async fn discard(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let origin = origin(&call)?;
    Ok(ApiResponse::json(&with_letters(&app, origin.to_string(), move |letters| letters.discard(origin)).await?))
}

/// `POST /api/v1/dead-letters/{topic}/{partition}/{offset}/redrives`
pub async fn redrive(app: Arc<App>, mut call: ApiRequest) -> Result<ApiResponse, Problem> {
    let origin = origin(&call)?;
    let body = call.body().await?;
    let edit = if body.is_empty() {
        EditJson::default()
    } else {
        json::check_object(&body)?;
        serde_json::from_slice(&body).map_err(|error| Problem::invalid("", error.to_string()))?
    };
    Ok(ApiResponse::json(&with_letters(&app, origin.to_string(), move |letters| letters.redrive(origin, edit)).await?))
}

fn origin(call: &ApiRequest) -> Result<Origin, Problem> {
    let text = format!("{}/{}/{}", call.id("topic"), call.id("partition"), call.id("offset"));
    Origin::from_text(&text).ok_or_else(|| Problem::not_found("dead letter", &text))
}

/// Asks the dead letters, which may wait for a disk.
async fn with_letters<T: Send + 'static>(
    app: &Arc<App>,
    what: String,
    act: impl FnOnce(&dyn DeadLetterAdmin) -> Result<T, LetterError> + Send + 'static,
) -> Result<T, Problem> {
    let letters = Arc::clone(&app.letters);
    run_blocking(move || act(letters.as_ref())).await?.map_err(|error| match error {
        LetterError::NotThere => Problem::not_found("dead letter", &what),
        LetterError::Invalid(why) => Problem::invalid("", why),
        LetterError::Unavailable(why) => Problem::new(ApiErrorKind::LogUnavailable, why),
    })
}
