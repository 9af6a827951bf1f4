//! The events of one epoch, in order, and the refusals that commands end in instead.

use serde_json::{Map, Value, json};

use super::time;

/// The number of errors are named.
const ERRORS_MAX: usize = 100;

/// Collects an epoch's events and stamps each with its place, cause and times.
#[derive(Clone)]
pub struct EventLog {
    pub epoch: u64,
    pub now: i64,
    pub occurred_at: i64,
    cause: String,
    events: Vec<Value>,
}

impl EventLog {
    pub fn new(epoch: u64, now: i64) -> EventLog {
        EventLog { epoch, now, occurred_at: now, cause: String::new(), events: Vec::new() }
    }

    /// What follows is caused by this command or timer.
    pub fn begin(&mut self, cause: &str, occurred_at: i64) {
        self.cause = cause.to_string();
        self.occurred_at = occurred_at;
    }

    pub fn emit(&mut self, type_name: &str, fields: Value) {
        let mut event = Map::new();
        event.insert("type".to_string(), json!(type_name));
        event.insert("epoch".to_string(), json!(self.epoch));
        event.insert("n".to_string(), json!(self.events.len() + 1));
        event.insert("cause".to_string(), json!(self.cause));
        event.insert("at".to_string(), json!(time::write(self.now)));
        event.insert("occurred_at".to_string(), json!(time::write(self.occurred_at)));
        if let Value::Object(fields) = fields {
            event.extend(fields);
        }
        self.events.push(Value::Object(event));
    }

    /// The number of them.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// The bytes of the longest event after so many.
    pub fn longest_after(&self, count: usize) -> usize {
        let bytes = |event: &Value| {
            let name = event["type"].as_str().map_or(0, str::len);
            // The type is in the record's header.
            event.to_string().len() - r#""type":"","#.len() - name
        };
        self.events[count..].iter().map(bytes).max().unwrap_or(0)
    }

    pub fn into_events(self) -> Vec<Value> {
        self.events
    }
}

/// Why a command was refused: its code, and what failed where.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: &'static str,
    pub errors: Vec<(String, &'static str)>,
}

/// A refusal that no field in particular is to blame for.
pub fn refuse(code: &'static str) -> Refusal {
    refuse_at("", code)
}

pub fn refuse_at(pointer: &str, code: &'static str) -> Refusal {
    Refusal { code, errors: vec![(pointer.to_string(), code)] }
}

impl Refusal {
    /// A refusal of lines: the first failing line gives the code.
    pub fn of_lines(failing: &[(usize, &'static str)]) -> Option<Refusal> {
        let (_, code) = failing.first()?;
        let entry = |(place, code): &(usize, &'static str)| (format!("/lines/{place}"), *code);
        Some(Refusal { code, errors: failing.iter().map(entry).collect() })
    }

    pub fn errors_json(&self) -> Value {
        let entry = |(pointer, code): &(String, &'static str)| json!({"pointer": pointer, "code": code, "detail": ""});
        self.errors.iter().take(ERRORS_MAX).map(entry).collect()
    }
}
