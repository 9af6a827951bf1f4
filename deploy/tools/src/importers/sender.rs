//! Sends commands to a node in order, as many to a request as it takes, and learns the outcome of each. Not for making
//! them.

use anyhow::{Context, Result, bail, ensure};
use dataflows::shop::command::Command;
use node::client::{Answer, Client, RetryPolicy, command_line, percent_encoded, retry};
use serde::Deserialize;
use std::time::Duration;

/// The most commands in a request.
const LINES_MAX: usize = 1_000;
/// The most bytes in a request.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// The time that a request waits for its commands to be decided.
const DECIDE_S_MAX: u64 = 30;
/// The number of times that a command that was not decided by then is asked for.
const ASKED_MAX: u32 = 240;
/// The pause before it is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The refusals that are reported in full, at most.
const TOLD_MAX: usize = 5;

/// The outcomes of the commands so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of decided commands.
    pub decided: u64,
    /// The number of them that had been decided before.
    pub replayed: u64,
    /// The number of refused commands.
    pub rejected: u64,
    /// The first refusals.
    pub refusals: Vec<String>,
}

/// The node as the sender needs it, so that tests can replace it.
pub trait Node {
    /// Posts lines of commands and returns the last answer.
    fn post(&mut self, lines: &[u8]) -> Result<Answer>;
    /// Gets the outcome of a command.
    fn operation(&mut self, command_id: &str) -> Result<Answer>;
    /// Waits before something is asked again.
    fn pause(&mut self, pause: Duration, why: &str);
}

/// A node over HTTP.
pub struct HttpNode<'a> {
    /// Its client.
    pub client: &'a Client,
    /// The function that is given the reason of a delay.
    pub tell: &'a dyn Fn(&str),
}

impl HttpNode<'_> {
    fn patiently(&mut self, attempt: &mut dyn FnMut() -> Result<Answer>) -> Result<Answer> {
        retry(RetryPolicy::RESTART, attempt, &mut |pause, why| self.pause(pause, why))
    }
}

impl Node for HttpNode<'_> {
    fn post(&mut self, lines: &[u8]) -> Result<Answer> {
        let client = self.client;
        self.patiently(&mut || client.post_commands(lines, DECIDE_S_MAX))
    }

    fn operation(&mut self, command_id: &str) -> Result<Answer> {
        let client = self.client;
        self.patiently(&mut || client.get(&format!("/api/v1/operations/{}", percent_encoded(command_id))))
    }

    fn pause(&mut self, pause: Duration, why: &str) {
        (self.tell)(why);
        std::thread::sleep(pause);
    }
}

/// Gathers commands into requests.
pub struct Sender<N: Node> {
    node: N,
    body: Vec<u8>,
    waiting: Vec<String>,
    tally: Tally,
}

/// A line of the answer, or an operation.
#[derive(Deserialize)]
struct Outcome {
    #[serde(rename = "type")]
    command_type: Option<String>,
    status: Status,
    code: Option<String>,
    #[serde(default)]
    errors: serde_json::Value,
    #[serde(default)]
    replayed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Succeeded,
    Rejected,
}

impl<N: Node> Sender<N> {
    /// Creates a sender that has sent nothing.
    pub fn new(node: N) -> Sender<N> {
        Sender { node, body: Vec::new(), waiting: Vec::new(), tally: Tally::default() }
    }

    /// Adds a command; sends what has gathered when it is full.
    pub fn add(&mut self, command_id: &str, command: &Command) -> Result<()> {
        let line = command_line(command_id, command);
        if self.waiting.len() == LINES_MAX || self.body.len() + line.len() > BYTES_MAX {
            self.flush()?;
        }
        self.body.extend_from_slice(&line);
        self.waiting.push(command_id.to_owned());
        Ok(())
    }

    /// Sends what is left and returns the outcomes of everything.
    pub fn finish(mut self) -> Result<Tally> {
        self.flush()?;
        Ok(self.tally)
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let answer = self.node.post(&self.body)?;
        ensure!(answer.status == 200, "the node refused the commands: {}", answer.problem());
        let lines: Vec<&str> = answer.body.lines().filter(|line| !line.is_empty()).collect();
        let ids = std::mem::take(&mut self.waiting);
        ensure!(lines.len() == ids.len(), "{} commands were answered with {} lines", ids.len(), lines.len());
        for (id, line) in ids.iter().zip(lines) {
            let outcome: Outcome = serde_json::from_str(line).with_context(|| format!("unreadable answer: {line}"))?;
            self.count(id, outcome)?;
        }
        self.body.clear();
        Ok(())
    }

    fn count(&mut self, id: &str, outcome: Outcome) -> Result<()> {
        let outcome = if outcome.status == Status::Pending { self.decided(id)? } else { outcome };
        let Outcome { command_type, status, code, errors, replayed } = outcome;
        self.tally.decided += 1;
        self.tally.replayed += u64::from(replayed);
        if status == Status::Rejected {
            self.tally.rejected += 1;
            if self.tally.refusals.len() < TOLD_MAX {
                let (what, code) = (command_type.unwrap_or_default(), code.unwrap_or_default());
                self.tally.refusals.push(format!("{what} {id}: {code} {errors}"));
            }
        }
        Ok(())
    }

    /// Asks for a command until it is decided.
    fn decided(&mut self, id: &str) -> Result<Outcome> {
        for _ in 0..ASKED_MAX {
            let answer = self.node.operation(id)?;
            match answer.status {
                200 => {
                    let outcome: Outcome = serde_json::from_str(&answer.body)
                        .with_context(|| format!("unreadable answer: {}", answer.body))?;
                    if outcome.status != Status::Pending {
                        return Ok(outcome);
                    }
                }
                // It is in the log, and not yet seen.
                404 => {}
                _ => bail!("the node does not say what became of {id}: {}", answer.problem()),
            }
            self.node.pause(ASK_AGAIN, "waiting for the last commands to be decided");
        }
        bail!("{id} was not decided in time; the import can be repeated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::shop::stock::{MoveReason, MoveStock};

    /// A node that answers posts and questions as prepared, and notes what it was sent.
    #[derive(Default)]
    struct Twin {
        outcomes: Vec<String>,
        operations: Vec<(u16, &'static str)>,
        posts: Vec<usize>,
        pauses: usize,
    }

    impl Node for &mut Twin {
        fn post(&mut self, lines: &[u8]) -> Result<Answer> {
            let count = lines.iter().filter(|byte| **byte == b'\n').count();
            self.posts.push(count);
            let body = self.outcomes.drain(..count.min(self.outcomes.len())).collect::<Vec<_>>().join("\n");
            Ok(Answer { status: 200, retry_after: None, body })
        }

        fn operation(&mut self, _command_id: &str) -> Result<Answer> {
            let (status, body) = self.operations.remove(0);
            Ok(Answer { status, retry_after: None, body: body.to_owned() })
        }

        fn pause(&mut self, _pause: Duration, _why: &str) {
            self.pauses += 1;
        }
    }

    fn sent(twin: &mut Twin, count: usize, reference_bytes: usize) -> Result<Tally, String> {
        let movement = MoveStock {
            sku: "a".into(),
            location: "main".into(),
            quantity: 1,
            reason: MoveReason::Received,
            reference: Some("r".repeat(reference_bytes).into()),
            occurred_at: None,
        };
        let mut sender = Sender::new(twin);
        for n in 0..count {
            sender.add(&format!("id-{n}"), &Command::MoveStock(movement.clone())).map_err(|error| error.to_string())?;
        }
        sender.finish().map_err(|error| error.to_string())
    }

    fn outcomes(count: usize, outcome: &str) -> Vec<String> {
        vec![outcome.to_owned(); count]
    }

    #[test]
    fn a_request_has_at_most_so_many_lines_and_bytes() {
        let mut twin = Twin { outcomes: outcomes(2_001, r#"{"status":"succeeded"}"#), ..Twin::default() };
        assert_eq!(sent(&mut twin, 2_001, 1).map(|tally| tally.decided), Ok(2_001));
        assert_eq!(twin.posts, [1_000, 1_000, 1]);
        let mut twin = Twin { outcomes: outcomes(9, r#"{"status":"succeeded"}"#), ..Twin::default() };
        assert_eq!(sent(&mut twin, 9, 1 << 20).map(|tally| tally.decided), Ok(9));
        assert_eq!(twin.posts, [7, 2]);
        assert_eq!(sent(&mut Twin::default(), 0, 1), Ok(Tally::default()));
    }

    #[test]
    fn replays_and_refusals_are_told_apart() {
        let outcomes = vec![
            r#"{"command_id":"id-0","type":"MoveStock","status":"succeeded","replayed":true,"errors":[]}"#.to_owned(),
            r#"{"command_id":"id-1","type":"MoveStock","status":"rejected","code":"invalid","errors":[1]}"#.to_owned(),
        ];
        let mut twin = Twin { outcomes, ..Twin::default() };
        let refusals = vec!["MoveStock id-1: invalid [1]".to_owned()];
        assert_eq!(sent(&mut twin, 2, 1), Ok(Tally { decided: 2, replayed: 1, rejected: 1, refusals }));
    }

    #[test]
    fn what_is_pending_is_asked_for_until_it_is_decided() {
        let operations =
            vec![(404, "{}"), (200, r#"{"status":"pending"}"#), (200, r#"{"status":"succeeded","code":null}"#)];
        let mut twin = Twin { outcomes: outcomes(1, r#"{"status":"pending"}"#), operations, ..Twin::default() };
        assert_eq!(sent(&mut twin, 1, 1).map(|tally| tally.decided), Ok(1));
        assert_eq!(twin.pauses, 2);
        let outcomes = outcomes(1, r#"{"status":"pending"}"#);
        let mut twin = Twin { outcomes, operations: vec![(404, "{}"); ASKED_MAX as usize], ..Twin::default() };
        assert_eq!(sent(&mut twin, 1, 1), Err("id-0 was not decided in time; the import can be repeated".to_owned()));
    }

    #[test]
    fn every_command_must_be_answered() {
        let mut twin = Twin { outcomes: outcomes(1, r#"{"status":"succeeded"}"#), ..Twin::default() };
        assert_eq!(sent(&mut twin, 2, 1), Err("2 commands were answered with 1 lines".to_owned()));
    }
}
