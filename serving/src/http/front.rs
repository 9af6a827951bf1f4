//! The layer between a connection and the routes: admission, the headers of every answer, and the rest of a body that
//! no route read. Not for any one route.

use super::connection_slots::{ConnectionSlot, ConnectionSlots};
use super::guard::Guard;
use super::peer::Peer;
use super::problem::{ApiErrorKind, Problem};
use super::wire::{Exchange, WireLimits};
use crate::app::App;
use crate::routes::dated;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{
    ALLOW, CONNECTION, CONTENT_SECURITY_POLICY, EXPECT, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use dataflows::engine::budget::BytesReservation;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The headers of every answer for browsers, unless its route sets others.
const SAID: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// The bytes taken of the budget for a body of unknown length before it is read.
const CHUNKED_BYTES: usize = 64 << 10;

/// A listener with the routes that it serves.
pub struct ListenerRoutes {
    /// The parts of the room.
    pub app: Arc<App>,
    /// The routes.
    pub routes: TowerToHyperService<Router>,
    /// The hosts and origins.
    pub guard: Guard,
    /// The places for connections.
    pub places: Arc<ConnectionSlots>,
    /// The limits of connections.
    pub wire: Arc<WireLimits>,
    /// Those of connections beyond the limit.
    pub spare: Arc<WireLimits>,
}

/// A connection's requests.
pub struct RequestService {
    door: Arc<ListenerRoutes>,
    exchange: Arc<Exchange>,
    place: ConnectionSlot,
    local: IpAddr,
    requests: AtomicU64,
}

impl RequestService {
    /// Of a connection that has a place and came in at that address.
    pub fn new(
        door: Arc<ListenerRoutes>,
        exchange: Arc<Exchange>,
        place: ConnectionSlot,
        local: IpAddr,
    ) -> RequestService {
        RequestService { door, exchange, place, local, requests: AtomicU64::new(0) }
    }

    /// Answers a request, whatever it is.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let refusal = self.exchange.refusal(number);
        let is_last = refusal.is_some() || self.place.is_spare();
        let (mut parts, body) = request.into_parts();
        let origin = parts.headers.get(ORIGIN).cloned();
        let waits_to_send = parts.headers.contains_key(EXPECT);
        let body = Lent::of(body);
        let mut response = match self.admit(&mut parts, &body, refusal) {
            Err(problem) => self.problem(&problem),
            Ok(()) => match self.door.guard.preflight(&parts) {
                Some(Ok(allowed)) => (StatusCode::NO_CONTENT, allowed).into_response(),
                Some(Err(problem)) => self.problem(&problem),
                None if parts.method == Method::TRACE || parts.method == Method::CONNECT => {
                    let detail = format!("{} is taken nowhere", parts.method);
                    self.problem(&Problem::new(ApiErrorKind::MethodNotAllowed, detail))
                }
                None => match self.door.routes.call(Request::from_parts(parts, body.clone())).await {
                    Ok(response) => response,
                },
            },
        };
        let is_drained = self.drain(&body, waits_to_send).await;
        let headers = response.headers_mut();
        if is_last || !is_drained {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.say(headers, origin.as_ref());
        response.map(|body| ResponseBody { body, exchange: Arc::clone(&self.exchange) })
    }

    /// Lets a request in or not; the first reason in the contract's order wins.
    fn admit(&self, parts: &mut Parts, body: &Lent, refusal: Option<Problem>) -> Result<(), Problem> {
        let (guard, is_probe) = (&self.door.guard, is_probe(parts.uri.path()));
        // Where a head cannot be read, nothing in it is judged.
        if let Some(problem) = refusal.as_ref().filter(|problem| problem.status == 400) {
            return Err(problem.clone());
        }
        // A head that was cut off may have ended before it named a host.
        if refusal.is_none() && !is_probe || refusal.is_some() && parts.headers.contains_key(HOST) {
            guard.check_host(parts, self.local)?;
        }
        guard.check_origin(parts)?;
        if !is_probe {
            if self.place.is_spare() {
                return Err(Problem::new(ApiErrorKind::Overloaded, "there are too many connections"));
            }
            parts.extensions.insert(Arc::new(self.take(body)?));
            parts
                .extensions
                .insert(Peer { address: self.place.address(), hang_up: Arc::clone(&self.exchange.hang_up) });
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Takes what the body needs of the budget before it is read. What is too large is refused for that.
    fn take(&self, body: &Lent) -> Result<BytesReservation, Problem> {
        let app = &self.door.app;
        let bytes = match body.size_hint().exact() {
            Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
            None => CHUNKED_BYTES,
        };
        app.bytes
            .take(bytes.min(app.config.batch_bytes_max))
            .ok_or_else(|| Problem::new(ApiErrorKind::Overloaded, "too many bytes of bodies and answers are under way"))
    }

    fn problem(&self, problem: &Problem) -> Response<Body> {
        self.door.app.refusals.count(problem.code);
        let mut response = dated(&self.door.app, problem.answer()).into_response();
        if problem.status == 405 {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE"));
        }
        response
    }

    /// Reads what the route left of a small body, so that the next request on the connection can be read; false if it is
    /// too large or too slow for that.
    async fn drain(&self, body: &Lent, waits_to_send: bool) -> bool {
        let config = &self.door.app.config;
        if body.is_read() {
            return true;
        }
        if waits_to_send && !body.has_begun() || body.size_hint().lower() > config.unread_bytes_max as u64 {
            return false;
        }
        let read = async {
            let (mut body, mut bytes) = (body.clone(), 0);
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > config.unread_bytes_max {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(Duration::from_millis(config.unread_ms_max), read).await.unwrap_or(false)
    }

    fn say(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        for (name, value) in SAID {
            headers.entry(name).or_insert(value);
        }
        self.door.guard.share(origin, headers);
    }
}

/// Returns true for what probes and scrapers ask for, which know a node by its address and are answered at any time.
fn is_probe(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

/// A request's body, which a route may read and leave where it likes.
#[derive(Clone)]
struct Lent(Arc<Mutex<BodyState>>);

struct BodyState {
    body: Incoming,
    has_begun: bool,
    is_over: bool,
}

impl Lent {
    fn of(body: Incoming) -> Lent {
        let is_over = body.is_end_stream();
        Lent(Arc::new(Mutex::new(BodyState { body, has_begun: false, is_over })))
    }

    fn is_read(&self) -> bool {
        let owned = self.0.lock();
        owned.is_over || owned.body.is_end_stream()
    }

    fn has_begun(&self) -> bool {
        self.0.lock().has_begun
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut owned = self.0.lock();
        owned.has_begun = true;
        let polled = Pin::new(&mut owned.body).poll_frame(cx);
        owned.is_over |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_read()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}

/// An answer's body on its way out; when it is gone, the answer is.
pub struct ResponseBody {
    body: Body,
    exchange: Arc<Exchange>,
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.exchange.answered();
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
