//! Credits and adjustments: recorded once, never changed.

use crate::app::App;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::fresh;
use crate::http::problem::Problem;
use crate::shop::Reading;
use std::sync::Arc;

/// A credit as its `GET` shows it.
pub fn credit_body(reading: &Reading<'_>, id: &str) -> Option<Answer> {
    reading.views().credits.get(id, reading.at()).map(|credit| Answer::json(credit.as_ref()))
}

/// An adjustment as its `GET` shows it.
pub fn adjustment_body(reading: &Reading<'_>, id: &str) -> Option<Answer> {
    reading.views().adjustments.get(id, reading.at()).map(|adjustment| Answer::json(adjustment.as_ref()))
}

/// `GET /credits/{id}`
pub async fn get_credit(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let reading = fresh::reading(&app, &call).await?;
    let id = call.id("id");
    let answer = credit_body(&reading, id).ok_or_else(|| Problem::not_found("credit", id).at(reading.epoch()))?;
    fresh::exact(&reading, answer.tagged(call.if_none_match()))
}

/// `GET /adjustments/{id}`
pub async fn get_adjustment(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let reading = fresh::reading(&app, &call).await?;
    let id = call.id("id");
    let answer =
        adjustment_body(&reading, id).ok_or_else(|| Problem::not_found("adjustment", id).at(reading.epoch()))?;
    fresh::exact(&reading, answer.tagged(call.if_none_match()))
}
