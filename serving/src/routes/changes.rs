//! A view, or a row of it, followed: a snapshot, then every change, epoch by epoch, as server-sent events.
//! Pulled by the client: nothing is made before it can be sent.

use crate::app::App;
use crate::config::Config;
use crate::http::answer::{ApiResponse, ContentType};
use crate::http::call::ApiRequest;
use crate::http::list::row_json;
use crate::http::problem::{ApiErrorKind, Problem};
use crate::http::read_epoch;
use crate::shop::{EpochInfo, Next, Share, Subscription};
use crate::store::Pin;
use axum::body::{Body, Bytes};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use dataflows::contract::changes::{ErasedChanges, ViewChanges};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use smol_str::SmolStr;
use std::convert::Infallible;
use std::io::Write;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A stream of events on its way.
struct EventStream {
    follower: Subscription,
    phase: Phase,
    /// The last epoch that was reported complete.
    said: Epoch,
    bytes_at_once: usize,
    progress: Duration,
    share: Arc<Share>,
}

enum Phase {
    /// The rows of an epoch, from a key on.
    Snapshot(Pin<EpochInfo>, Bound<SmolStr>),
    /// The changes.
    Following,
    /// The rest of an epoch's changes, from one of them on. They are not held: a client that takes nothing would keep
    /// them for as long.
    Epoch(Epoch, usize),
    /// Nothing.
    Over,
}

/// `GET /changes?view=&key=&from=`
pub async fn get(app: Arc<App>, call: ApiRequest) -> Result<ApiResponse, Problem> {
    let view = view(&call)?;
    let key = call.query.get("key").map(SmolStr::new);
    let last_seen = last_event_id(&call)?;
    let from = call.query.number("from")?;
    let reading = match last_seen.or(from) {
        Some(epoch) => read_epoch::at(&app, Epoch(epoch))?,
        None => read_epoch::open_snapshot(&app, &call).await?,
    };
    let epoch = reading.epoch();
    let Some(follower) = app.shop.follow(view, key, epoch) else {
        return Err(Problem::new(ApiErrorKind::Overloaded, "too many follow changes"));
    };
    let (phase, said) = match last_seen {
        Some(_) => (Phase::Following, epoch),
        None => (Phase::Snapshot(reading.pin().clone(), Bound::Unbounded), Epoch(0)),
    };
    let Config { follow_bytes_at_once: bytes_at_once, follow_progress_ms, .. } = app.config;
    let progress = Duration::from_millis(follow_progress_ms);
    let share = app.shop.unsent().share(Arc::clone(&call.peer.hang_up));
    let events = EventStream { follower, phase, said, bytes_at_once, progress, share };
    let stream = futures_util::stream::unfold(events, |mut events| async {
        let bytes = events.next().await?;
        Some((Ok::<_, Infallible>(bytes), events))
    });
    let mut answer = ApiResponse::stream(ContentType::Events, Body::from_stream(stream)).at(epoch);
    answer.header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn view(call: &ApiRequest) -> Result<View, Problem> {
    let name = call.query.get("view").unwrap_or_default();
    View::from_name(name).ok_or_else(|| {
        let names: Vec<_> = View::ALL.iter().map(|view| view.name()).collect();
        Problem::invalid("/view", format!("view is one of {}, not {name:?}", names.join(", ")))
    })
}

/// The epoch that a client that broke off has seen whole.
fn last_event_id(call: &ApiRequest) -> Result<Option<u64>, Problem> {
    let Some(given) = call.headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    let epoch = given.to_str().ok().and_then(|text| text.parse().ok());
    epoch.map(Some).ok_or_else(|| Problem::new(ApiErrorKind::Malformed, "Last-Event-ID is the number of an epoch"))
}

impl EventStream {
    /// The next events; `None` when there are no more.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        let due = Instant::now() + self.progress;
        while out.is_empty() {
            if self.share.is_cut() {
                return None;
            }
            match std::mem::replace(&mut self.phase, Phase::Following) {
                Phase::Snapshot(pin, start) => self.snapshot(&pin, start, &mut out),
                Phase::Epoch(epoch, from) => match self.follower.rows(epoch) {
                    Some(rows) => self.changes(epoch, &rows, from, &mut out),
                    None => self.overloaded(&mut out),
                },
                Phase::Following => self.follow(due, &mut out).await,
                Phase::Over => return None,
            }
        }
        Some(self.share.count(out))
    }

    fn snapshot(&mut self, pin: &Pin<EpochInfo>, start: Bound<SmolStr>, out: &mut Vec<u8>) {
        let (epoch, key) = (Epoch(pin.epoch()), self.follower.key());
        let (start, rows_max) = match key {
            Some(key) => (Bound::Included(key.clone()), 1),
            None => (start, usize::MAX),
        };
        let (mut last, mut rows, mut is_cut_short) = (None, 0, false);
        let _ = write!(out, "event: snapshot\ndata: {{\"epoch\":{epoch},\"rows\":[");
        self.follower.shop().views().rows(self.follower.view(), start, pin.epoch(), rows_max, |name, value| {
            if key.is_some_and(|key| key != name) {
                return false;
            }
            if rows > 0 {
                out.push(b',');
            }
            row_json(out, name, value);
            rows += 1;
            last = Some(name.clone());
            is_cut_short = out.len() >= self.bytes_at_once;
            !is_cut_short
        });
        out.extend_from_slice(b"]}\n\n");
        if !pin.is_valid() {
            // What was written may be wrong, and is not sent.
            out.clear();
            return self.overloaded(out);
        }
        self.phase = match last {
            Some(last) if key.is_none() && is_cut_short => Phase::Snapshot(pin.clone(), Bound::Excluded(last)),
            Some(_) | None => {
                self.complete(epoch, out);
                Phase::Following
            }
        };
    }

    /// Writes changes of an epoch, from one of them on.
    fn changes(&mut self, epoch: Epoch, rows: &ViewChanges, from: usize, out: &mut Vec<u8>) {
        let changed = rows.of(self.follower.view());
        if let Some(key) = self.follower.key() {
            change(epoch, changed, changed.find(key), out);
            return self.complete(epoch, out);
        }
        for at in from..changed.count() {
            if out.len() >= self.bytes_at_once {
                self.phase = Phase::Epoch(epoch, at);
                return;
            }
            change(epoch, changed, Some(at), out);
        }
        self.complete(epoch, out);
    }

    /// Takes the next step; waits if there is none.
    async fn follow(&mut self, due: Instant, out: &mut Vec<u8>) {
        match self.follower.advance() {
            Next::Changed(epoch, rows) => self.changes(epoch, &rows, 0, out),
            Next::NoChange => tokio::task::yield_now().await,
            Next::UpToDate(epoch) if epoch > self.said && Instant::now() >= due => self.complete(epoch, out),
            Next::UpToDate(epoch) => {
                // A client that has seen the newest epoch is sent a later one once it is time.
                let due = if epoch > self.said { due } else { due.max(Instant::now() + self.progress) };
                tokio::select! {
                    () = self.follower.woken() => {}
                    () = tokio::time::sleep_until(due) => {}
                }
            }
            Next::Lagged => self.overloaded(out),
            Next::Closed => self.phase = Phase::Over,
        }
    }

    /// Says that an epoch was sent whole.
    fn complete(&mut self, epoch: Epoch, out: &mut Vec<u8>) {
        let _ = write!(out, "event: progress\nid: {epoch}\ndata: {{\"epoch\":{epoch}}}\n\n");
        self.said = epoch;
    }

    fn overloaded(&mut self, out: &mut Vec<u8>) {
        let detail = "the changes that come next were forgotten before they were read";
        let _ = write!(out, "event: overloaded\ndata: {{\"code\":\"overloaded\",\"detail\":\"{detail}\"}}\n\n");
        self.phase = Phase::Over;
    }
}

fn change(epoch: Epoch, changed: &dyn ErasedChanges, at: Option<usize>, out: &mut Vec<u8>) {
    let Some(at) = at else { return };
    let _ = write!(out, "event: change\ndata: {{\"epoch\":{epoch},\"key\":");
    serde_json::to_writer(&mut *out, changed.key(at).as_ref()).expect("a text can be written to memory");
    out.extend_from_slice(b",\"value\":");
    out.extend_from_slice(changed.value(at).as_deref().unwrap_or(b"null"));
    out.extend_from_slice(b"}\n\n");
}
