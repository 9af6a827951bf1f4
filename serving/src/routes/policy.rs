//! The policy: what decisions depend on beside the commands.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::StoreSnapshot;
use dataflows::shop::policy::Policy;
use std::sync::Arc;

/// The policy as its `GET` shows it: the one put last, or the one that holds before any was.
pub fn body(reading: &StoreSnapshot<'_>) -> ApiResponse {
    match reading.views().policy.get("policy", reading.at()) {
        Some(policy) => ApiResponse::json(policy.as_ref()),
        None => ApiResponse::json(&Policy::default()),
    }
}

/// `GET /policy`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    read_epoch::ensure_valid(&reading, body(&reading).with_etag(call.if_none_match()))
}
