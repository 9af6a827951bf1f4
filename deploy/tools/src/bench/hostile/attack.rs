//! The means of a case: the node that it is sent to, clients, the time that is left, and a list of the breaches of
//! the contract. Not for what is sent: each case defines that.

use super::wire;
use anyhow::{Context, Result};
use node::client::{Answer, Client};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The time after which the attacker gives up on an answer of the node.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The bytes reported of an answer that was not expected.
const TOLD_BYTES_MAX: usize = 200;

/// A case under way.
pub struct Attack {
    /// The address of HTTP.
    pub node: SocketAddr,
    /// The address that Kafka clients connect to.
    pub kafka: SocketAddr,
    /// The folder of all state.
    pub data: PathBuf,
    /// A client of the attacker.
    pub client: Client,
    /// The time by which the case must have sent everything.
    pub until: Instant,
    /// The breaches of the contract.
    pub unexpected: Vec<String>,
    /// Notes on the run: how much was sent, what was scaled.
    pub notes: Vec<String>,
}

impl Attack {
    /// Returns true if the time is over.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Notes an unexpected fact, unless `is`.
    pub fn expect(&mut self, is: bool, what: impl FnOnce() -> String) {
        if !is {
            let mut what = what();
            let end = (0..=TOLD_BYTES_MAX.min(what.len())).rev().find(|at| what.is_char_boundary(*at));
            what.truncate(end.unwrap_or(0));
            if !self.unexpected.contains(&what) {
                self.unexpected.push(what);
            }
        }
    }

    /// Adds a note.
    pub fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// Sends a raw request over a fresh connection, and expects one of these answers, each as `415 code`.
    pub fn refused(&mut self, what: &str, request: &[u8], allowed: &[&str]) {
        let told = match wire::ask(self.node, request, PATIENCE) {
            Ok(answer) => answer.told(),
            Err(error) => format!("{error:#}"),
        };
        let is = allowed.iter().any(|allowed| told == *allowed);
        self.expect(is, || format!("{what}: {told} instead of {}", allowed.join(" or ")));
    }

    /// Sends commands, a line each, and returns how many had which outcome: a code, `succeeded` or `pending`. Of a batch
    /// that is refused as a whole every line has its status and code.
    pub fn commands(&mut self, lines: &[Value]) -> Result<BTreeMap<String, usize>> {
        let mut body = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut body, line)?;
            body.push(b'\n');
        }
        self.lines(&body, lines.len())
    }

    /// The same, of lines that are written already.
    pub fn lines(&mut self, body: &[u8], count: usize) -> Result<BTreeMap<String, usize>> {
        let answer = self.client.post_commands(body, 30)?;
        let mut outcomes = BTreeMap::new();
        if answer.status != 200 {
            outcomes.insert(told(&answer), count);
            return Ok(outcomes);
        }
        for line in answer.body.lines() {
            let line: Value = serde_json::from_str(line).context("a line of an answer is no JSON")?;
            let outcome = line["code"].as_str().or(line["status"].as_str()).unwrap_or("?").to_owned();
            *outcomes.entry(outcome).or_default() += 1;
        }
        Ok(outcomes)
    }

    /// Sends commands, and expects that each has one of these outcomes.
    pub fn expect_outcomes(&mut self, what: &str, lines: &[Value], allowed: &[&str]) -> Result<()> {
        let outcomes = self.commands(lines)?;
        self.expect_only(what, &outcomes, allowed);
        Ok(())
    }

    /// Expects no other outcomes than these.
    pub fn expect_only(&mut self, what: &str, outcomes: &BTreeMap<String, usize>, allowed: &[&str]) {
        let others = outcomes.keys().any(|outcome| !allowed.contains(&outcome.as_str()));
        self.expect(!others, || format!("{what}: {outcomes:?} instead of {}", allowed.join(" or ")));
    }

    /// Gets JSON that must be there.
    pub fn json(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(path)?;
        anyhow::ensure!(answer.status == 200, "{path}: {}", told(&answer));
        answer.json()
    }

    /// The number of bytes of an answer.
    pub fn answer_bytes(&self, path: &str) -> Result<usize> {
        Ok(self.client.get(path)?.body.len())
    }
}

/// Status and code of an answer, such as `413 too_large`.
pub fn told(answer: &Answer) -> String {
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    format!("{} {}", answer.status, problem["code"].as_str().unwrap_or_default()).trim_end().to_owned()
}

/// A line of `POST /commands`.
pub fn line(id: &str, command_type: &str, data: Value) -> Value {
    json!({"id": id, "type": command_type, "data": data})
}

/// Money of pounds.
pub fn pounds(amount: &str) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

/// The product of the cases: one variant without stock, in a category of one segment of so many characters.
pub fn product(id: &str, category_characters: usize) -> Value {
    json!({"product_id": id, "title": "A thing", "category": ["c".repeat(category_characters)],
        "variants": [{"sku": id, "price": pounds("1.00"), "inventory_policy": "none"}]})
}

/// A product whose every text is as long as its bound allows.
pub fn longest_product(sku: &str) -> Value {
    let category: Vec<String> = (0..10).map(|n| format!("{n}{}", "c".repeat(99))).collect();
    json!({"product_id": sku, "title": "t".repeat(256), "category": category,
        "variants": [{"sku": sku, "price": pounds("1.00"), "inventory_policy": "none"}]})
}

/// An id of 128 characters.
pub fn longest_id(start: &str) -> String {
    format!("{start}{}", "i".repeat(128 - start.len()))
}

/// The order of the cases: settled, with so many lines of a SKU.
pub fn order(id: &str, sku: &str, lines: usize) -> Value {
    json!({"order_id": id, "currency": "GBP", "country": "GB", "payment": {"method": "settled"},
        "lines": vec![json!({"sku": sku, "quantity": 1}); lines]})
}
