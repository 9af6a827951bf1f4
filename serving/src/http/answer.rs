//! Answers: bytes with a status, the epoch that they are exact for, and the headers that go with them.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dataflows::contract::epoch::Epoch;
use dataflows::engine::budget::{Budget, BytesReservation};
use parking_lot::Mutex;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// The header that names the epoch of an answer.
pub const EPOCH: HeaderName = HeaderName::from_static("tradewind-epoch");
/// The header of an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The type of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `application/problem+json`
    Problem,
    /// `application/x-ndjson`
    Lines,
    /// The text form of Prometheus.
    Metrics,
    /// `text/html`
    Html,
    /// `image/x-icon`
    Icon,
    /// `text/event-stream`
    Events,
}

impl ContentType {
    const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            ContentType::Json => "application/json",
            ContentType::Problem => "application/problem+json",
            ContentType::Lines => "application/x-ndjson",
            ContentType::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            ContentType::Html => "text/html; charset=utf-8",
            ContentType::Icon => "image/x-icon",
            ContentType::Events => "text/event-stream",
        })
    }
}

/// An answer on its way out.
#[derive(Debug)]
pub struct ApiResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The epoch that it is exact for; the newest, if it depends on none.
    pub epoch: Option<Epoch>,
    kind: ContentType,
    body: Vec<u8>,
    /// In place of the bytes, for what comes bit by bit. In a lock only so that answers may be shared.
    stream: Option<Mutex<Body>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The part of the budget that the bytes take until they have left.
    held: Option<BytesReservation>,
}

/// Bytes that are counted until the last of them has left.
struct ChargedBody {
    body: Vec<u8>,
    _held: BytesReservation,
}

impl AsRef<[u8]> for ChargedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl ApiResponse {
    /// Those bytes.
    pub const fn new(status: StatusCode, kind: ContentType, body: Vec<u8>) -> ApiResponse {
        ApiResponse { status, epoch: None, kind, body, stream: None, headers: Vec::new(), held: None }
    }

    /// Bytes as they come.
    pub fn stream(kind: ContentType, stream: Body) -> ApiResponse {
        ApiResponse { stream: Some(Mutex::new(stream)), ..ApiResponse::new(StatusCode::OK, kind, Vec::new()) }
    }

    /// The bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Puts other bytes in their place: the same in another coding.
    pub fn replace_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    /// The bytes alone.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The same, exact for an epoch.
    pub const fn at(mut self, epoch: Epoch) -> ApiResponse {
        self.epoch = Some(epoch);
        self
    }

    /// The same with another status.
    pub const fn status(mut self, status: StatusCode) -> ApiResponse {
        self.status = status;
        self
    }

    /// The same, its bytes counted until they have left.
    pub fn charged(mut self, budget: &Arc<Budget>) -> ApiResponse {
        self.held = (!self.body.is_empty()).then(|| budget.overdraw(self.body.len()));
        self
    }

    /// Adds a header.
    pub fn header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.push((name, value));
    }

    /// Adds a header that can be written, if it can.
    pub fn set_header_opt(&mut self, name: HeaderName, value: Option<HeaderValue>) {
        self.headers.extend(value.map(|value| (name, value)));
    }

    /// Says where the thing is.
    pub fn with_location(mut self, path: &str) -> ApiResponse {
        self.headers.extend(HeaderValue::from_str(path).ok().map(|path| (LOCATION, path)));
        self
    }

    /// A single resource: tagged by its content, and left out if the caller has it already.
    pub fn with_etag(mut self, if_none_match: Option<&HeaderValue>) -> ApiResponse {
        // Weak, since the same body may leave with another content coding.
        let hash = xxh3_64(&self.body);
        let mut tag = *b"W/\"0000000000000000\"";
        for (at, digit) in tag[3..19].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(hash >> (60 - 4 * at) & 15) as usize];
        }
        if let Some(known) = if_none_match
            && names(known.as_bytes(), &tag[2..])
        {
            self.status = StatusCode::NOT_MODIFIED;
            self.body = Vec::new();
        }
        self.headers.extend(HeaderValue::from_bytes(&tag).ok().map(|tag| (ETAG, tag)));
        self
    }
}

/// Returns true if a list of tags has this one, or is `*`.
fn names(list: &[u8], tag: &[u8]) -> bool {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|entry| {
        let entry = entry.strip_prefix(b"W/").unwrap_or(entry);
        entry == tag || entry == b"*"
    })
}

impl IntoResponse for ApiResponse {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(EPOCH, HeaderValue::from(self.epoch.unwrap_or_default().0));
        if self.status != StatusCode::NOT_MODIFIED {
            headers.insert(CONTENT_TYPE, self.kind.content_type());
        }
        headers.extend(self.headers);
        *response.body_mut() = match (self.stream, self.held) {
            (Some(stream), _) => stream.into_inner(),
            (None, Some(held)) => Body::from(Bytes::from_owner(ChargedBody { body: self.body, _held: held })),
            (None, None) => Body::from(self.body),
        };
        response
    }
}
