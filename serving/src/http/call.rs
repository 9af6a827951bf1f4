//! A request as handlers see it: path ids, parameters, the headers of the contract, the body within its limits.

use super::problem::{Fault, Problem};
use super::query::Query;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Uri};
use dataflows::epoch::Epoch;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use parking_lot::Mutex;
use std::time::Duration;

/// The longest command id.
const COMMAND_ID_BYTES_MAX: usize = 255;

/// A request.
pub struct Call {
    /// Its path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its parameters.
    pub query: Query,
    path: RawPathParams,
    /// Behind a lock only so that calls may be shared: a body is read by one.
    body: Mutex<Body>,
}

/// What `Prefer` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// How many seconds to wait.
    pub wait_s: Option<u64>,
    /// Not to wait for the decision.
    pub respond_async: bool,
}

impl Call {
    /// Takes a request apart. Ids that are no UTF-8 are refused.
    pub async fn of(request: Request) -> Result<Call, Problem> {
        let (mut parts, body) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|_| Problem::new(Fault::Malformed, "the path is not percent-encoded UTF-8"))?;
        let query = Query::read(parts.uri.query());
        Ok(Call { uri: parts.uri, headers: parts.headers, query, path, body: Mutex::new(body) })
    }

    /// An id of the path, decoded.
    pub fn id(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The tags that the caller has.
    pub fn if_none_match(&self) -> Option<&HeaderValue> {
        self.headers.get(IF_NONE_MATCH)
    }

    /// The command id, if the caller chose one.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let mut given = self.headers.get_all("idempotency-key").iter();
        let Some(key) = given.next() else { return Ok(None) };
        let text = key.to_str().ok().filter(|text| is_command_id(text) && given.next().is_none());
        text.map(Some).ok_or_else(|| {
            Problem::new(Fault::Malformed, "an Idempotency-Key is 1 to 255 visible ASCII characters, given once")
        })
    }

    /// The epoch before which the caller wants no answer.
    pub fn min_epoch(&self) -> Result<Option<Epoch>, Problem> {
        let Some(given) = self.headers.get("tradewind-min-epoch") else { return Ok(None) };
        let epoch = given.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        epoch
            .and_then(|text| text.parse().ok())
            .map(|epoch| Some(Epoch(epoch)))
            .ok_or_else(|| Problem::new(Fault::Malformed, "Tradewind-Min-Epoch is the number of an epoch"))
    }

    /// What `Prefer` asks for; what cannot be read is not asked for (RFC 7240).
    pub fn prefer(&self) -> Prefer {
        let mut prefer = Prefer::default();
        let given = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for one in given.flat_map(|value| value.split(',')) {
            let one = one.split(';').next().unwrap_or_default().trim();
            if one.eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if let Some((name, seconds)) = one.split_once('=')
                && name.trim().eq_ignore_ascii_case("wait")
            {
                prefer.wait_s = prefer.wait_s.or(seconds.trim().trim_matches('"').parse().ok());
            }
        }
        prefer
    }

    /// The body, whole, if it is of that type and not too large or too slow.
    pub async fn body(&mut self, content_type: &str, bytes_max: usize, wait: Duration) -> Result<Bytes, Problem> {
        self.check_type(content_type)?;
        let body = Limited::new(std::mem::take(self.body.get_mut()), bytes_max);
        let collected = tokio::time::timeout(wait, body.collect())
            .await
            .map_err(|_| Problem::new(Fault::Malformed, "the body did not arrive in time"))?;
        collected.map(|body| body.to_bytes()).map_err(|error| {
            if error.is::<LengthLimitError>() {
                Problem::new(Fault::TooLarge, format!("at most {bytes_max} bytes are taken here"))
            } else {
                Problem::new(Fault::Malformed, "the body broke off")
            }
        })
    }

    fn check_type(&self, wanted: &str) -> Result<(), Problem> {
        let unsupported = || Problem::new(Fault::UnsupportedMediaType, format!("send {wanted}, not encoded"));
        if self.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(unsupported());
        }
        let Some(given) = self.headers.get(CONTENT_TYPE) else { return Ok(()) };
        let given = given.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default();
        if given.trim().eq_ignore_ascii_case(wanted) { Ok(()) } else { Err(unsupported()) }
    }
}

/// Whether a text can be a command id.
pub fn is_command_id(text: &str) -> bool {
    (1..=COMMAND_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
