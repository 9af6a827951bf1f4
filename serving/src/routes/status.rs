//! `GET /api/v1/status`: what an operator asks first. Not a part of the shop: it depends on the node that is asked.

use crate::app::App;
use crate::http::answer::ApiResponse;
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::node_status::OutputsFloor;
use crate::progress::Progress;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Serialize)]
struct StatusJson {
    ready: bool,
    why: Option<String>,
    epoch: Epoch,
    epoch_floor: Option<Epoch>,
    now: Option<Timestamp>,
    replay: ReplayJson,
    lag_records: u64,
    rates: RatesJson,
    commands_in_flight: usize,
    waiting_requests: usize,
    dead_letters: BTreeMap<&'static str, u64>,
    log_bytes: u64,
    history_bytes: usize,
    uptime_s: u64,
    kafka: Option<String>,
    stalled: BTreeMap<&'static str, String>,
    outputs_floor: Option<OutputsFloor>,
    gauges: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct ReplayJson {
    replaying: bool,
    epoch: Epoch,
    to_epoch: Option<Epoch>,
    /// At the pace of `rates`.
    seconds_left: Option<u64>,
}

#[derive(Serialize)]
struct RatesJson {
    commands_per_s: u64,
    epochs_per_s: u64,
}

/// `GET /api/v1/status`
pub async fn get(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    let (vitals, shop) = ((app.vitals)(), &app.shop);
    let (readiness, rates) = (app.readiness(&vitals), shop.rates());
    let lag_records = vitals.lag(&shop.cut());
    let progress = Progress::of(shop, &vitals).filter(|_| !readiness.ready);
    Ok(ApiResponse::json(&StatusJson {
        ready: readiness.ready,
        why: readiness.why,
        epoch: shop.applied(),
        epoch_floor: shop.floor(),
        now: shop.read_latest().map(|reading| reading.now()),
        replay: ReplayJson {
            replaying: shop.is_replaying(),
            epoch: shop.applied(),
            to_epoch: vitals.replay_to,
            seconds_left: progress.and_then(|progress| progress.seconds_left),
        },
        lag_records,
        rates: RatesJson {
            commands_per_s: rates.commands_per_s.round() as u64,
            epochs_per_s: rates.epochs_per_s.round() as u64,
        },
        commands_in_flight: app.flights.len(),
        waiting_requests: shop.waiting(),
        dead_letters: shop.figures().dead_letters().map(|(code, count)| (code.as_str(), count)).collect(),
        log_bytes: vitals.log_bytes,
        history_bytes: shop.views().stats().iter().map(|(_, stats)| stats.undo_bytes).sum(),
        uptime_s: app.started.elapsed().as_secs(),
        kafka: vitals.kafka,
        stalled: vitals.standstills.into_iter().map(|standstill| (standstill.sink, standstill.why)).collect(),
        outputs_floor: vitals.outputs_floor,
        gauges: vitals.gauges.iter().map(|gauge| (gauge.name, gauge.value)).collect(),
    }))
}
