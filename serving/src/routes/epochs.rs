//! Epochs, and the state of every view at one.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::http::read_epoch;
use crate::shop::StoreSnapshot;
use dataflows::contract::changes::{ViewDigest, ViewDigests, digest_text};
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::sync::Arc;

#[derive(Serialize)]
struct EpochJson<'a> {
    epoch: Epoch,
    now: Timestamp,
    rules: u32,
    cut: &'a Cut,
    digest: String,
    views: ViewsJson<'a>,
}

struct ViewsJson<'a>(&'a ViewDigests);

#[derive(Serialize)]
struct StandingJson {
    rows: u64,
    digest: String,
}

impl From<ViewDigest> for StandingJson {
    fn from(ViewDigest { rows, digest }: ViewDigest) -> StandingJson {
        StandingJson { rows, digest: digest_text(digest) }
    }
}

impl Serialize for ViewsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut views = serializer.serialize_map(Some(View::ALL.len()))?;
        for view in View::ALL {
            views.serialize_entry(view.name(), &StandingJson::from(self.0.of(*view)))?;
        }
        views.end()
    }
}

fn body(reading: &StoreSnapshot<'_>) -> ApiResponse {
    let info = reading.info();
    let record = &info.record;
    ApiResponse::json(&EpochJson {
        epoch: record.epoch,
        now: record.now,
        rules: record.rules,
        cut: &record.cut,
        digest: digest_text(info.standings.digest()),
        views: ViewsJson(&info.standings),
    })
}

/// `GET /epochs/latest`
pub async fn latest(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let reading = read_epoch::open_snapshot(&app, &call).await?;
    read_epoch::ensure_valid(&reading, body(&reading).with_etag(call.if_none_match()))
}

/// `GET /epochs/{n}`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let text = call.id("n");
    let epoch = text.parse().map_err(|_| Problem::not_found("epoch", text))?;
    // Another epoch cannot be asked for, but one can be waited for.
    read_epoch::open_snapshot(&app, &call).await?;
    let reading = read_epoch::at(&app, Epoch(epoch))?;
    read_epoch::ensure_valid(&reading, body(&reading).with_etag(call.if_none_match()))
}
