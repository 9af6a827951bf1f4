//! A plain HTTP client, and answers with what the contract says of all of them.

use super::program::PATIENCE;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// A client of one node, with connections of its own.
pub struct Api {
    agent: ureq::Agent,
    base: String,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Api {
    /// A client of the node at `base`.
    pub fn new(base: &str) -> Api {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Api { agent: config.into(), base: base.to_owned() }
    }

    /// The node's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request; fails only where no answer comes.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec()?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// Sends a request that must be answered.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let body = Some(body.as_ref()).filter(|body| !body.is_empty());
        let mut sent = self.send(method, path, headers, body);
        if method == "GET" && sent.is_err() {
            // A connection that lay idle may be closed by the server just when it is used again.
            sent = self.send(method, path, headers, body);
        }
        sent.unwrap_or_else(|error| panic!("{method} {path} is not answered: {error}"))
    }

    /// Gets what is at a path, once there is a node that answers.
    pub fn get_first(&self, path: &str) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.send("GET", path, &[], None) {
                Ok(answer) => return answer,
                Err(error) => assert!(Instant::now() < deadline, "nobody listens: {error}"),
            }
            std::thread::yield_now();
        }
    }

    /// Gets what is at a path.
    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "")
    }

    /// Gets what is at a path, with headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", path, headers, "")
    }

    /// Posts JSON under a command id.
    pub fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.command("POST", path, key, body)
    }

    /// Sends a command under an id.
    pub fn command(&self, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        self.call(method, path, &[("idempotency-key", key), ("content-type", "application/json")], body.to_string())
    }

    /// Posts lines to `/commands` and returns the answer's lines.
    pub fn batch(&self, lines: impl AsRef<[u8]>) -> Vec<Value> {
        let headers = [("content-type", "application/x-ndjson"), ("prefer", "wait=30")];
        let answer = self.call("POST", "/api/v1/commands", &headers, lines);
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"), "{answer:?}");
        answer.text().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }

    /// The operation of a command, waited for from epoch to epoch until it has an outcome.
    pub fn decided(&self, command_id: &str) -> Answer {
        let path = format!("/api/v1/operations/{command_id}");
        let mut answer = self.get(&path);
        for _ in 0..100 {
            if answer.status == 200 && answer.json()["status"] != "pending" {
                return answer;
            }
            let next = (answer.epoch() + 1).to_string();
            answer = self.get_with(&path, &[("tradewind-min-epoch", &next), ("prefer", "wait=30")]);
        }
        panic!("{command_id} is not decided: {answer:?}");
    }

    /// Every row of a list, from all of its pages, which must all be of one epoch; and that epoch.
    pub fn rows(&self, path: &str) -> (Vec<Value>, u64) {
        let (mut rows, mut next, mut epochs) = (Vec::new(), Some(path.to_owned()), Vec::new());
        while let Some(path) = next {
            let page = self.get(&path).ok();
            epochs.push(page.epoch());
            let mut body = page.json();
            let Value::Array(data) = body["data"].take() else { panic!("a list has data: {body}") };
            rows.extend(data);
            next = page.next_page();
            assert_eq!(next.is_some(), body["next_cursor"].is_string(), "the link and the cursor go together");
        }
        epochs.dedup();
        assert_eq!(epochs.len(), 1, "all pages of {path} are at one epoch");
        (rows, epochs[0])
    }
}

/// Asserts that an object has these fields and no others.
pub fn assert_fields(body: &Value, expected: &[&str]) {
    let fields: BTreeSet<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, expected.iter().copied().collect(), "{body}");
}

/// Has every client send at the same moment, and returns what each got.
pub fn at_once<T: Send>(apis: &[Api], send: impl Fn(usize, &Api) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(apis.len());
    std::thread::scope(|scope| {
        let mut sent = Vec::with_capacity(apis.len());
        for (n, api) in apis.iter().enumerate() {
            let (barrier, send) = (&barrier, &send);
            sent.push(scope.spawn(move || {
                barrier.wait();
                send(n, api)
            }));
        }
        sent.into_iter().map(|sent| sent.join().expect("it was answered")).collect()
    })
}

impl Answer {
    /// A header; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("bodies are UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The epoch that the answer is exact for.
    pub fn epoch(&self) -> u64 {
        self.header("tradewind-epoch").parse().unwrap_or_else(|_| panic!("each answer names its epoch: {self:?}"))
    }

    /// The same, given that it has this status.
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The same, given that it is 200.
    pub fn ok(self) -> Answer {
        self.expect(200)
    }

    /// The place where the next page is.
    pub fn next_page(&self) -> Option<String> {
        let (path, rest) = self.header("link").strip_prefix('<')?.split_once('>')?;
        assert_eq!(rest.replace(' ', ""), ";rel=\"next\"");
        Some(path.to_owned())
    }

    /// Status and code of a problem, whose shape is the same for all.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_fields(&body, &["type", "title", "status", "detail", "code", "errors"]);
        assert_eq!(body["status"], self.status);
        for key in ["type", "title", "detail", "code"] {
            assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {body}");
        }
        for error in body["errors"].as_array().expect("a list") {
            assert!(error["pointer"].is_string() && error["code"].is_string() && error["detail"].is_string(), "{body}");
        }
        if self.status == 429 || self.status == 503 {
            assert!(self.header("retry-after").parse::<u32>().is_ok(), "{self:?}");
        }
        (self.status, body["code"].as_str().expect("seen above").to_owned())
    }
}
