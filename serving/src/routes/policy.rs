//! The policy: what decisions depend on beside the commands.

use crate::app::App;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::fresh;
use crate::http::problem::Problem;
use crate::shop::Reading;
use dataflows::shop::policy::Policy;
use std::sync::Arc;

/// The policy as its `GET` shows it: the one put last, or the one that holds before any was.
pub fn body(reading: &Reading<'_>) -> Answer {
    match reading.views().policy.get("policy", reading.at()) {
        Some(policy) => Answer::json(policy.as_ref()),
        None => Answer::json(&Policy::default()),
    }
}

/// `GET /policy`
pub async fn get(app: Arc<App>, call: Call) -> Result<Answer, Problem> {
    let reading = fresh::reading(&app, &call).await?;
    fresh::exact(&reading, body(&reading).tagged(call.if_none_match()))
}
