//! `GET /metrics`: figures in the text form of Prometheus.

mod process;

use crate::app::App;
use crate::http::answer::{ApiResponse, ContentType};
use crate::http::call::ApiRequest;
use crate::http::problem::Problem;
use crate::http::route_metrics::BUCKETS_US;
use crate::node_status::SINKS;
use axum::http::StatusCode;
use process::Figure;
use std::fmt::Write as _;
use std::sync::Arc;

/// The figures in the making.
struct MetricsText(String);

impl MetricsText {
    /// Begins a figure of the shop: its name, its meaning, and whether it only grows.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.family(&format!("tradewind_{name}"), kind, help);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "tradewind_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.value(name, "", value);
    }
}

/// `GET /metrics`
pub async fn get(app: Arc<App>, _call: ApiRequest) -> Result<ApiResponse, Problem> {
    let mut figures = MetricsText(String::with_capacity(16 << 10));
    build(&mut figures);
    process(&mut figures);
    progress(&mut figures, &app);
    outcomes(&mut figures, &app);
    store(&mut figures, &app);
    requests(&mut figures, &app);
    Ok(ApiResponse::new(StatusCode::OK, ContentType::Metrics, figures.0.into_bytes()))
}

fn build(figures: &mut MetricsText) {
    figures.head("build_info", "gauge", "1, with the version of the program");
    figures.value("build_info", &format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
}

/// The system's figures of this process, under the names that every client library of Prometheus gives them.
fn process(figures: &mut MetricsText) {
    for Figure { name, kind, help, value } in process::figures() {
        figures.family(name, kind, help);
        let _ = writeln!(figures.0, "{name} {value}");
    }
}

fn progress(figures: &mut MetricsText, app: &App) {
    let (shop, vitals) = (&app.shop, (app.vitals)());
    let now_s = shop.read_latest().map_or(0.0, |reading| reading.now().micros() as f64 / 1e6);
    figures.one("ready", "gauge", "whether the node may be asked", u8::from(app.readiness(&vitals).ready));
    figures.one("replaying", "gauge", "whether the node takes in what the log held", u8::from(shop.is_replaying()));
    figures.one("epoch", "gauge", "the last epoch that the store holds", shop.applied());
    figures.one("epoch_floor", "gauge", "the oldest epoch that can be read", shop.floor().unwrap_or_default());
    figures.one("now_seconds", "gauge", "the time of the newest epoch, since 1970", now_s);
    figures.one("lag_records", "gauge", "records of the log that no epoch holds", vitals.lag(&shop.cut()));
    figures.one("log_bytes", "gauge", "what the log takes", vitals.log_bytes);
    figures.one("uptime_seconds", "gauge", "how long the process runs", app.started.elapsed().as_secs_f64());
    figures.head("stalled", "gauge", "whether what follows the core stands still; the status says why");
    for sink in SINKS {
        let is_stalled = vitals.standstills.iter().any(|standstill| standstill.sink == sink);
        figures.value("stalled", &format!("{{sink=\"{sink}\"}}"), u8::from(is_stalled));
    }
    for gauge in vitals.gauges {
        figures.one(gauge.name, "gauge", gauge.help, gauge.value);
    }
    figures.head("stage_seconds", "histogram", "how long the stages of an epoch took");
    for times in &vitals.stages {
        let stage = times.stage();
        for (end_s, count) in times.buckets() {
            figures.value("stage_seconds_bucket", &format!("{{stage=\"{stage}\",le=\"{end_s}\"}}"), count);
        }
        figures.value("stage_seconds_bucket", &format!("{{stage=\"{stage}\",le=\"+Inf\"}}"), times.count());
        figures.value("stage_seconds_sum", &format!("{{stage=\"{stage}\"}}"), times.sum().as_secs_f64());
        figures.value("stage_seconds_count", &format!("{{stage=\"{stage}\"}}"), times.count());
    }
}

fn outcomes(figures: &mut MetricsText, app: &App) {
    let counted = app.shop.figures();
    figures.head("commands_total", "counter", "commands decided since the start, by outcome");
    let succeeded = counted.succeeded.load(std::sync::atomic::Ordering::Relaxed);
    figures.value("commands_total", "{code=\"succeeded\"}", succeeded);
    for (code, count) in counted.rejected() {
        figures.value("commands_total", &format!("{{code=\"{code}\"}}"), count);
    }
    figures.head("dead_letters_total", "counter", "records that could not be read since the start, by code");
    for (code, count) in counted.dead_letters() {
        figures.value("dead_letters_total", &format!("{{code=\"{}\"}}", code.as_str()), count);
    }
    let epochs = counted.epochs.load(std::sync::atomic::Ordering::Relaxed);
    figures.one("epochs_total", "counter", "epochs taken in since the start", epochs);
    figures.head("search_observations_total", "counter", "searches answered here, by what became of their observation");
    figures.value("search_observations_total", "{result=\"published\"}", app.activity.published());
    figures.value("search_observations_total", "{result=\"dropped\"}", app.activity.dropped());
    figures.value("search_observations_total", "{result=\"unobserved\"}", app.activity.unobserved());
    figures.one("commands_in_flight", "gauge", "commands sent and not yet decided", app.flights.len());
    figures.one("followers", "gauge", "streams of changes", app.shop.followers());
    let unsent = app.shop.unsent().bytes();
    figures.one("followers_unsent_bytes", "gauge", "bytes that clients of streams have not taken yet", unsent);
    figures.one("waiting_requests", "gauge", "requests that wait for an epoch", app.shop.waiting());
}

fn store(figures: &mut MetricsText, app: &App) {
    let stats = app.shop.views().stats();
    figures.head("store_rows", "gauge", "rows of the newest epoch, by order");
    for (name, stats) in &stats {
        figures.value("store_rows", &format!("{{order=\"{name}\"}}"), stats.rows);
    }
    figures.head("store_history_bytes", "gauge", "what earlier epochs take, by order");
    for (name, stats) in &stats {
        figures.value("store_history_bytes", &format!("{{order=\"{name}\"}}"), stats.undo_bytes);
    }
}

fn requests(figures: &mut MetricsText, app: &App) {
    let about = "requests that came to no route, by code, and connections that were closed unanswered";
    figures.head("http_refused_total", "counter", about);
    for (code, count) in app.refusals.counted() {
        figures.value("http_refused_total", &format!("{{code=\"{code}\"}}"), count);
    }
    figures.one("http_bytes_in_flight", "gauge", "bytes of bodies and answers under way", app.bytes.used());
    figures.head("http_requests_total", "counter", "answers, by route and first digit of the status");
    for (method, path, traffic) in &app.traffic {
        for digit in 1..=5 {
            let count = traffic.answers(digit);
            if count > 0 {
                let labels = format!("{{method=\"{method}\",route=\"{path}\",status=\"{digit}xx\"}}");
                figures.value("http_requests_total", &labels, count);
            }
        }
    }
    figures.head("http_request_seconds", "histogram", "how long answers took, by route");
    for (method, path, traffic) in &app.traffic {
        let counts: Vec<u64> = traffic.buckets().collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            continue;
        }
        let mut below = 0;
        for (count, end_us) in counts.iter().zip(BUCKETS_US) {
            below += count;
            let end_s = end_us as f64 / 1e6;
            let labels = format!("{{method=\"{method}\",route=\"{path}\",le=\"{end_s}\"}}");
            figures.value("http_request_seconds_bucket", &labels, below);
        }
        let labels = format!("{{method=\"{method}\",route=\"{path}\",le=\"+Inf\"}}");
        figures.value("http_request_seconds_bucket", &labels, total);
        let labels = format!("{{method=\"{method}\",route=\"{path}\"}}");
        figures.value("http_request_seconds_sum", &labels, traffic.sum_us() as f64 / 1e6);
        figures.value("http_request_seconds_count", &labels, total);
    }
}
