//! The hosts that a node answers for, and the origins whose pages may ask it. Not for authentication.

use super::problem::{ApiErrorKind, Problem};
use crate::config::Config;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HOST, ORIGIN, UPGRADE, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use std::net::{IpAddr, SocketAddr};

/// The time that a browser may remember what it was allowed.
const ALLOWED_S: HeaderValue = HeaderValue::from_static("600");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
const TAKEN: HeaderValue = HeaderValue::from_static(
    "content-type, idempotency-key, if-none-match, last-event-id, prefer, tradewind-min-epoch",
);
const SHOWN: HeaderValue = HeaderValue::from_static(
    "etag, idempotent-replayed, link, location, retry-after, tradewind-command-id, tradewind-epoch, tradewind-search-id",
);

/// The hosts and origins of a listener.
#[derive(Debug)]
pub struct Guard {
    /// Names and addresses, in lower case, without ports.
    hosts: Vec<String>,
    /// True if the address at which a connection came in is a host too: the listener is at all addresses.
    is_everywhere: bool,
    /// The origins whose pages may send what changes something.
    origins: Vec<String>,
    /// The origins whose pages may also read the answers.
    shared_with: Vec<String>,
    /// True if those may send what browsers know of their users.
    with_credentials: bool,
}

impl Guard {
    /// Of a listener at that address.
    pub fn new(config: &Config, listen: SocketAddr) -> Guard {
        let lower = |texts: &[String]| texts.iter().map(|text| text.to_ascii_lowercase()).collect::<Vec<_>>();
        let (hosts, is_everywhere) = if config.hosts.is_empty() {
            let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
            (own.into_iter().chain([as_host(listen.ip())]).collect(), listen.ip().is_unspecified())
        } else {
            (lower(&config.hosts), false)
        };
        let shared_with = lower(&config.cors_origins);
        let origins = lower(&config.origins).into_iter().chain(shared_with.iter().cloned()).collect();
        Guard { hosts, is_everywhere, origins, shared_with, with_credentials: config.cors_credentials }
    }

    /// Refuses a request for another host.
    pub fn check_host(&self, request: &Parts, local: IpAddr) -> Result<(), Problem> {
        let misdirected = |host: &str| {
            let detail = format!("this node does not answer for the host {host:?}: serving.hosts lists those it does");
            Problem::new(ApiErrorKind::Misdirected, detail)
        };
        let Some(host) = request.headers.get(HOST).and_then(|host| host.to_str().ok()) else {
            return Err(misdirected(""));
        };
        let is_known = |host: &str| {
            let name = without_port(host).to_ascii_lowercase();
            self.hosts.contains(&name) || self.is_everywhere && name == as_host(local)
        };
        if !is_known(host) {
            return Err(misdirected(host));
        }
        // A target that names a host has the last word for some readers (RFC 9112, 3.2.2), so it may name no other one.
        match request.uri.authority().filter(|_| request.method != Method::CONNECT) {
            Some(named) if !is_known(named.as_str()) => Err(misdirected(named.as_str())),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what a page of another origin must not ask for.
    pub fn check_origin(&self, request: &Parts) -> Result<(), Problem> {
        let is_safe = request.method == Method::GET || request.method == Method::HEAD;
        if request.method == Method::OPTIONS || is_safe && !request.headers.contains_key(UPGRADE) {
            return Ok(());
        }
        let refused = |what: &str| {
            let detail = format!("{what} may not ask for this: serving.origins lists the origins that may");
            Err(Problem::new(ApiErrorKind::OriginRefused, detail))
        };
        let mut origins = request.headers.get_all(ORIGIN).iter();
        if let Some(origin) = origins.next() {
            let text = origin.to_str().unwrap_or_default();
            let is_fine = origins.next().is_none() && (is_own(text, &request.headers) || contains(&self.origins, text));
            return if is_fine { Ok(()) } else { refused(&format!("a page of {text:?}")) };
        }
        let site = request.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        match site {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => refused("a page of another site"),
        }
    }

    /// The answer to a browser that asks whether a page may send something; `None` if it does not ask that.
    pub fn preflight(&self, request: &Parts) -> Option<Result<HeaderMap, Problem>> {
        let origin = request.headers.get(ORIGIN).filter(|_| request.method == Method::OPTIONS)?;
        request.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let text = origin.to_str().unwrap_or_default();
        if !contains(&self.shared_with, text) {
            let detail = format!("a page of {text:?} may not ask: serving.cors_origins lists the origins that may");
            return Some(Err(Problem::new(ApiErrorKind::OriginRefused, detail)));
        }
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, TAKEN),
            (ACCESS_CONTROL_MAX_AGE, ALLOWED_S),
        ];
        Some(Ok(allowed.into_iter().collect()))
    }

    /// Lets a page of a listed origin read the answer.
    pub fn share(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if self.shared_with.is_empty() {
            return;
        }
        answer.append(VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin else { return };
        if !contains(&self.shared_with, origin.to_str().unwrap_or_default()) {
            return;
        }
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
        if self.with_credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

fn contains(origins: &[String], text: &str) -> bool {
    origins.iter().any(|known| known.eq_ignore_ascii_case(text))
}

/// Returns true if an origin is that of the host which the request is for.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let without_default_port = |text: &str| text.strip_suffix(":80").unwrap_or(text).to_ascii_lowercase();
    let Some(named) = origin.strip_prefix("http://") else { return false };
    !host.is_empty() && without_default_port(named) == without_default_port(host)
}

/// An address as it is written in `Host`.
fn as_host(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => {
            // Without brackets, the last part of an IPv6 address is no port, and such an address is no host.
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(uri), |all, (name, value)| all.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn guard(config: &Config, listen: &str) -> Guard {
        Guard::new(config, listen.parse().unwrap())
    }

    #[test]
    fn a_node_answers_for_its_own_hosts_alone() {
        let local = "192.0.2.7".parse().unwrap();
        let asked = |guard: &Guard, host: &str| {
            guard.check_host(&parts("GET", "/", &[("host", host)]), local).map_err(|problem| problem.code)
        };
        let own = guard(&Config::default(), "127.0.0.1:8080");
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "127.0.0.1", "[::1]:99", "[::1]"] {
            assert_eq!(asked(&own, host), Ok(()), "{host}");
        }
        for host in ["evil.example.com", "127.0.0.1.evil.example.com", "192.0.2.7", "::1", "localhost:x", "local"] {
            assert_eq!(asked(&own, host), Err("misdirected"), "{host}");
        }
        let everywhere = guard(&Config::default(), "0.0.0.0:80");
        assert_eq!((asked(&everywhere, "192.0.2.7:80"), asked(&everywhere, "192.0.2.8")), (Ok(()), Err("misdirected")));
        let named = guard(&Config { hosts: vec!["Shop.example.com".to_owned()], ..Config::default() }, "0.0.0.0:80");
        assert_eq!((asked(&named, "shop.example.com"), asked(&named, "localhost")), (Ok(()), Err("misdirected")));
        let absolute = parts("GET", "http://evil.example.com/", &[("host", "localhost")]);
        assert!(own.check_host(&absolute, local).is_err());
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let config = Config {
            origins: vec!["https://admin.example.com".to_owned()],
            cors_origins: vec!["https://shop.example.com".to_owned()],
            ..Config::default()
        };
        let guard = guard(&config, "127.0.0.1:8080");
        let asked = |method: &str, headers: &[(&str, &str)]| {
            let headers = [&[("host", "localhost:8080")], headers].concat();
            guard.check_origin(&parts(method, "/", &headers)).map_err(|problem| problem.code)
        };
        let fine: [(&str, &[(&str, &str)]); 8] = [
            ("POST", &[]),
            ("POST", &[("origin", "http://localhost:8080")]),
            ("PUT", &[("origin", "https://admin.example.com")]),
            ("DELETE", &[("origin", "https://shop.example.com"), ("sec-fetch-site", "cross-site")]),
            ("POST", &[("sec-fetch-site", "same-origin")]),
            ("POST", &[("sec-fetch-site", "none")]),
            ("GET", &[("origin", "https://evil.example.com"), ("sec-fetch-site", "cross-site")]),
            ("HEAD", &[("sec-fetch-site", "cross-site")]),
        ];
        for (method, headers) in fine {
            assert_eq!(asked(method, headers), Ok(()), "{method} {headers:?}");
        }
        let refused: [(&str, &[(&str, &str)]); 8] = [
            ("POST", &[("origin", "null")]),
            ("POST", &[("origin", "https://localhost:8080")]),
            ("POST", &[("origin", "http://localhost:8081")]),
            ("POST", &[("origin", "https://shop.example.com.evil.example.com")]),
            ("POST", &[("origin", "http://localhost:8080"), ("origin", "https://evil.example.com")]),
            ("POST", &[("sec-fetch-site", "same-site")]),
            ("PATCH", &[("sec-fetch-site", "cross-site")]),
            ("GET", &[("upgrade", "websocket"), ("origin", "https://evil.example.com")]),
        ];
        for (method, headers) in refused {
            assert_eq!(asked(method, headers), Err("origin_refused"), "{method} {headers:?}");
        }
    }

    #[test]
    fn answers_are_shared_with_listed_origins_alone() {
        let shared = |config: &Config, origin: &str| {
            let mut answer = HeaderMap::new();
            guard(config, "127.0.0.1:1").share(Some(&HeaderValue::from_str(origin).unwrap()), &mut answer);
            let of = |name: &str| answer.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned());
            [of("access-control-allow-origin"), of("access-control-allow-credentials"), of("vary")]
        };
        assert_eq!(shared(&Config::default(), "https://shop.example.com"), ["", "", ""]);
        let mut config = Config { cors_origins: vec!["https://shop.example.com".to_owned()], ..Config::default() };
        assert_eq!(shared(&config, "https://shop.example.com"), ["https://shop.example.com", "", "origin"]);
        assert_eq!(shared(&config, "https://evil.example.com"), ["", "", "origin"]);
        config.cors_credentials = true;
        assert_eq!(shared(&config, "https://shop.example.com")[1], "true");
    }
}
