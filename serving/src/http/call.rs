//! A request as handlers see it: path ids, parameters, the headers of the contract, the body within its limits.

use super::peer::Peer;
use super::problem::{ApiErrorKind, Problem};
use super::query::Query;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use dataflows::contract::epoch::Epoch;
use dataflows::engine::budget::BytesReservation;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use parking_lot::Mutex;
use std::sync::Arc;

/// The longest command id.
const COMMAND_ID_BYTES_MAX: usize = 255;
/// The bytes of a caller's key, at most.
const KEY_BYTES_MAX: usize = 200;
/// The mark that some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A request.
pub struct ApiRequest {
    /// Its path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its parameters.
    pub query: Query,
    /// The client.
    pub peer: Peer,
    path: RawPathParams,
    takes: Takes,
    /// The part of the budget that the body takes, as long as the request is under way.
    held: Option<Arc<BytesReservation>>,
    /// In a lock only so that calls may be shared: a body is read by one.
    body: Mutex<Body>,
}

/// The bodies that a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Of which types.
    pub types: &'static [&'static str],
    /// The bytes, at most.
    pub bytes_max: usize,
}

/// The preferences in `Prefer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// The seconds to wait.
    pub wait_s: Option<u64>,
    /// Not to wait for the decision.
    pub respond_async: bool,
    /// To ignore fields that are not known.
    pub is_lenient: bool,
}

impl ApiRequest {
    /// Takes a request apart. Ids that are no UTF-8 are refused, and bodies and parameters that the route does not take;
    /// without a list of these it takes any.
    pub async fn of(request: Request, takes: Takes, params: Option<&[&str]>) -> Result<ApiRequest, Problem> {
        let (mut parts, body) = request.into_parts();
        takes.check(&parts.method, &parts.headers, &body)?;
        let held = parts.extensions.remove();
        let peer = parts.extensions.remove().unwrap_or_default();
        let encoding = || Problem::new(ApiErrorKind::Malformed, "the path is not percent-encoded UTF-8");
        if !is_encoded(parts.uri.path()) {
            return Err(encoding());
        }
        let path = RawPathParams::from_request_parts(&mut parts, &()).await.map_err(|_| encoding())?;
        let query = Query::read(parts.uri.query());
        params.map_or(Ok(()), |params| query.check(params))?;
        Ok(ApiRequest {
            uri: parts.uri,
            headers: parts.headers,
            query,
            peer,
            path,
            takes,
            held,
            body: Mutex::new(body),
        })
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
        let text = key.to_str().ok().filter(|text| is_key(text) && given.next().is_none());
        text.map(Some).ok_or_else(|| {
            Problem::new(ApiErrorKind::Malformed, "an Idempotency-Key is 1 to 200 visible ASCII characters, given once")
        })
    }

    /// The epoch before which the caller wants no answer.
    pub fn min_epoch(&self) -> Result<Option<Epoch>, Problem> {
        let Some(given) = self.headers.get("tradewind-min-epoch") else { return Ok(None) };
        let epoch = given.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        epoch
            .and_then(|text| text.parse().ok())
            .map(|epoch| Some(Epoch(epoch)))
            .ok_or_else(|| Problem::new(ApiErrorKind::Malformed, "Tradewind-Min-Epoch is the number of an epoch"))
    }

    /// The preferences in `Prefer`; what cannot be read is not asked for (RFC 7240).
    pub fn prefer(&self) -> Prefer {
        let mut prefer = Prefer::default();
        let given = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for one in given.flat_map(|value| value.split(',')) {
            let one = one.split(';').next().unwrap_or_default().trim();
            if one.eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if one.eq_ignore_ascii_case("handling=lenient") {
                prefer.is_lenient = true;
            } else if let Some((name, seconds)) = one.split_once('=')
                && name.trim().eq_ignore_ascii_case("wait")
            {
                prefer.wait_s = prefer.wait_s.or(seconds.trim().trim_matches('"').parse().ok());
            }
        }
        prefer
    }

    /// The body, whole, if it is not too large.
    pub async fn body(&mut self) -> Result<Bytes, Problem> {
        let mut body = std::mem::take(self.body.get_mut());
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut whole = Vec::with_capacity(expected.min(self.takes.bytes_max));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::new(ApiErrorKind::Malformed, "the body broke off"))?;
            let Some(data) = frame.data_ref() else { continue };
            if !data.is_empty() && !self.headers.contains_key(CONTENT_TYPE) {
                return Err(self.takes.unsupported());
            }
            if whole.len() + data.len() > self.takes.bytes_max {
                return Err(self.takes.too_large());
            }
            if self.held.as_ref().is_some_and(|held| !held.grow_to(whole.len() + data.len())) {
                return Err(Problem::new(
                    ApiErrorKind::Overloaded,
                    "too many bytes of bodies and answers are under way",
                ));
            }
            whole.extend_from_slice(data);
        }
        let whole = Bytes::from(whole);
        let marked = whole.starts_with(BYTE_ORDER_MARK).then(|| whole.slice(BYTE_ORDER_MARK.len()..));
        Ok(marked.unwrap_or(whole))
    }
}

impl Takes {
    /// Refuses a body for what its head says of it: its length, then its type.
    pub fn check(&self, method: &Method, headers: &HeaderMap, body: &Body) -> Result<(), Problem> {
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        if is_safe || body.is_end_stream() {
            return Ok(());
        }
        if body.size_hint().lower() > self.bytes_max as u64 {
            return Err(self.too_large());
        }
        // A body in chunks may be empty, and then needs no type: that is seen when it is read.
        if body.size_hint().exact().is_none() && !headers.contains_key(CONTENT_TYPE) {
            return Ok(());
        }
        let mut given = headers.get_all(CONTENT_TYPE).iter().map(|value| value.to_str().unwrap_or_default());
        let is_known = given.next().is_some_and(|given| self.types.iter().any(|known| is_exactly(given, known)));
        let is_plain = headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
        if is_known && is_plain && given.next().is_none() {
            return Ok(());
        }
        Err(self.unsupported())
    }

    fn unsupported(&self) -> Problem {
        let detail = format!("send a body with the header Content-Type: {}, and not encoded", self.types.join(" or "));
        Problem::new(ApiErrorKind::UnsupportedMediaType, detail)
    }

    fn too_large(&self) -> Problem {
        Problem::new(ApiErrorKind::TooLarge, format!("at most {} bytes are taken here", self.bytes_max))
    }
}

/// Returns true if a type is that one, also with UTF-8 as its charset.
fn is_exactly(given: &str, known: &str) -> bool {
    let mut parts = given.split(';').map(str::trim);
    let is_known = parts.next().is_some_and(|given| given.eq_ignore_ascii_case(known));
    let is_utf8 = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or_default();
        name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    is_known && parts.next().is_none_or(is_utf8) && parts.next().is_none()
}

/// Returns true if every `%` is followed by two hex digits.
fn is_encoded(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Returns true if a text may be a caller's key.
fn is_key(text: &str) -> bool {
    is_command_id(text) && text.len() <= KEY_BYTES_MAX
}

/// Returns true if a text can be a command id.
pub fn is_command_id(text: &str) -> bool {
    (1..=COMMAND_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_exactly_the_routes() {
        let json = "application/json";
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""] {
            assert!(is_exactly(good, json), "{good}");
        }
        let bad = [
            "",
            "text/plain",
            "application/json; charset=latin1",
            "application/json; x=y",
            "application/json;",
            "application/json; charset=utf-8; charset=utf-8",
            "text/plain; application/json",
            "application/json, text/plain",
            "application/jsonp",
        ];
        for bad in bad {
            assert!(!is_exactly(bad, json), "{bad}");
        }
    }
}
