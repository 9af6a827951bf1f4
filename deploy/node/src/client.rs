//! A client of a node's REST surface, as anyone might write one: plain HTTP, bounded waits, retries that are safe since
//! a command's id is decided once. Not for reading what answers mean beyond their status.

use anyhow::{Context, Result, anyhow, bail, ensure};
use dataflows::shop::command::Command;
use serde_json::Value;
use std::time::Duration;

/// The default address of a node.
pub const NODE: &str = "http://127.0.0.1:8080";

/// The time that a connection may take to be made.
const CONNECT_S_MAX: u64 = 5;
/// The time that a node may take to answer a probe.
const PROBE_S_MAX: u64 = 2;
/// The time that a long request may take.
const LONG_S_MAX: u64 = 600;
/// The time that an answer may take beyond the requested wait.
const ANSWER_S_MAX: u64 = 30;
/// The size of an answer, at most.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The number of retries and their pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The number of tries in all.
    pub tries_max: u32,
    /// The first pause; each further one is twice as long.
    pub pause_ms_min: u64,
    /// The longest pause, also where the node asks for more.
    pub pause_ms_max: u64,
}

impl RetryPolicy {
    /// One that outlasts a node's restart: about a minute.
    pub const RESTART: RetryPolicy = RetryPolicy { tries_max: 18, pause_ms_min: 100, pause_ms_max: 5_000 };

    /// The pause after that many tries.
    pub fn pause(self, tries: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.pause_ms_min.saturating_mul(1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX));
        let pause = asked.unwrap_or_default().max(Duration::from_millis(doubled));
        pause.min(Duration::from_millis(self.pause_ms_max))
    }
}

/// The answer of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, where it is given in seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("the answer ({}) is no JSON", self.status))
    }

    /// The text of a problem, for people.
    pub fn problem(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let texts: Vec<&str> = ["code", "title", "detail"].iter().filter_map(|key| problem[*key].as_str()).collect();
        format!("{} {}", self.status, texts.join(": ")).trim_end().to_owned()
    }

    /// Returns true if the node asks to be tried again.
    fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }
}

/// A node, as a client sees it.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    /// A client of the node at `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Result<Client> {
        ensure!(base.starts_with("http://"), "{base} is no address of a node; one looks like {NODE}");
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(CONNECT_S_MAX)))
            .build();
        Ok(Client { agent: config.into(), base: base.trim_end_matches('/').to_owned() })
    }

    /// The node's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Gets what is at `path`.
    pub fn get(&self, path: &str) -> Result<Answer> {
        let request = self.agent.get(format!("{}{path}", self.base)).config();
        let request = request.timeout_global(Some(Duration::from_secs(ANSWER_S_MAX))).build();
        self.answer(request.call())
    }

    /// Gets what is at `path`, if a node answers at once.
    pub fn probe(&self, path: &str) -> Result<Answer> {
        let request = self.agent.get(format!("{}{path}", self.base)).config();
        let request = request.timeout_global(Some(Duration::from_secs(PROBE_S_MAX))).build();
        self.answer(request.call())
    }

    /// Fails if nothing answers at the address: checked before anything is prepared for a node.
    pub fn ensure_reachable(&self) -> Result<()> {
        let answered = self.probe("/health/live").map(drop);
        answered.map_err(|error| anyhow!("{error:#}; start one with `tradewind up`, or name another with --to"))
    }

    /// Posts an empty body to `path`, which names the action.
    pub fn post(&self, path: &str) -> Result<Answer> {
        let request = self.agent.post(format!("{}{path}", self.base)).config();
        let request = request.timeout_global(Some(Duration::from_secs(LONG_S_MAX))).build();
        self.answer(request.send_empty())
    }

    /// Posts JSON to `path`.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.agent.post(format!("{}{path}", self.base)).config();
        let request = request.timeout_global(Some(Duration::from_secs(ANSWER_S_MAX))).build();
        self.answer(request.header("content-type", "application/json").send(body.to_string()))
    }

    /// Deletes what is at `path`.
    pub fn delete(&self, path: &str) -> Result<Answer> {
        let request = self.agent.delete(format!("{}{path}", self.base)).config();
        let request = request.timeout_global(Some(Duration::from_secs(ANSWER_S_MAX))).build();
        self.answer(request.call())
    }

    /// Posts commands, a line of JSON each, and waits at most `wait_s` for their decisions.
    pub fn post_commands(&self, lines: &[u8], wait_s: u64) -> Result<Answer> {
        let request = self.agent.post(format!("{}/api/v1/commands", self.base)).config();
        let request = request.timeout_global(Some(Duration::from_secs(wait_s + ANSWER_S_MAX))).build();
        let request = request.header("content-type", "application/x-ndjson").header("prefer", format!("wait={wait_s}"));
        self.answer(request.send(lines))
    }

    fn answer(&self, result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer> {
        let mut response = result.map_err(|error| self.unanswered(&error))?;
        let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let body = body.map_err(|error| self.unanswered(&error))?;
        Ok(Answer { status, retry_after: seconds.map(Duration::from_secs), body })
    }

    fn unanswered(&self, error: &ureq::Error) -> anyhow::Error {
        anyhow!("no node answers at {}: {error}", self.base)
    }
}

/// A command as a line of `POST /commands`.
pub fn command_line(command_id: &str, command: &Command) -> Vec<u8> {
    let id = serde_json::Value::from(command_id);
    let mut line = format!(r#"{{"id":{id},"type":"{}","data":"#, command.command_type().name()).into_bytes();
    line.extend_from_slice(&command.data());
    line.extend_from_slice(b"}\n");
    line
}

/// A segment of a path with everything but letters, digits and `-._~` percent-encoded.
pub fn percent_encoded(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

/// Tries until the answer is not "later", or the tries are used up. `pause` waits, and may report why.
pub fn retry(
    patience: RetryPolicy,
    attempt: &mut dyn FnMut() -> Result<Answer>,
    pause: &mut dyn FnMut(Duration, &str),
) -> Result<Answer> {
    for tries in 1..patience.tries_max {
        let (why, asked) = match attempt() {
            Ok(answer) if answer.is_busy() => (answer.problem(), answer.retry_after),
            Ok(answer) => return Ok(answer),
            Err(error) => (format!("{error:#}"), None),
        };
        pause(patience.pause(tries, asked), &why);
    }
    let last = attempt().with_context(|| format!("given up after {} tries", patience.tries_max))?;
    if last.is_busy() {
        bail!("given up after {} tries: {}", patience.tries_max, last.problem());
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after_s: Option<u64>) -> Answer {
        Answer { status, retry_after: retry_after_s.map(Duration::from_secs), body: String::new() }
    }

    fn tried(mut answers: Vec<Result<Answer>>) -> (Result<u16, String>, Vec<u64>) {
        answers.reverse();
        let mut pauses = Vec::new();
        let patience = RetryPolicy { tries_max: 4, pause_ms_min: 100, pause_ms_max: 2_000 };
        let last = retry(patience, &mut || answers.pop().expect("no more tries than answers"), &mut |pause, _| {
            pauses.push(u64::try_from(pause.as_millis()).unwrap())
        });
        (last.map(|answer| answer.status).map_err(|error| format!("{error:#}")), pauses)
    }

    #[test]
    fn what_is_answered_is_not_tried_again() {
        assert_eq!(tried(vec![Ok(answer(200, None))]), (Ok(200), vec![]));
        assert_eq!(tried(vec![Ok(answer(413, None))]), (Ok(413), vec![]));
    }

    #[test]
    fn a_busy_or_silent_node_is_tried_again_and_its_wish_is_honoured() {
        let answers =
            vec![Err(anyhow!("refused")), Ok(answer(503, Some(1))), Ok(answer(429, Some(60))), Ok(answer(200, None))];
        assert_eq!(tried(answers), (Ok(200), vec![100, 1_000, 2_000]));
    }

    #[test]
    fn patience_ends() {
        let (last, pauses) = tried((0..4).map(|_| Err(anyhow!("refused"))).collect());
        assert_eq!(last, Err("given up after 4 tries: refused".to_owned()));
        assert_eq!(pauses, [100, 200, 400]);
        let (last, _) = tried((0..4).map(|_| Ok(answer(503, None))).collect());
        assert_eq!(last, Err("given up after 4 tries: 503".to_owned()));
    }

    #[test]
    fn an_address_without_a_scheme_is_no_address() {
        assert!(Client::new("127.0.0.1:8080").is_err());
        assert_eq!(Client::new("http://127.0.0.1:8080/").unwrap().base(), "http://127.0.0.1:8080");
    }
}
