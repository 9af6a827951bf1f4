//! The bytes that outsiders rely on, compared with files that never change: commands as they stand in the log, events,
//! rows of views, epoch records, headers. Not for what decisions lead to: that is the model's.
//!
//! Each file of `golden/` is one type at one version; its fields are the type's JSON, byte for byte. A new command,
//! event or view fails here until it has a sample in this folder and a file:
//!
//! ```text
//! TRADEWIND_TEST_GOLDEN=write cargo test --test tradewind-tests contract
//! ```
//!
//! writes the files that are missing, and never one that is there; read them before they are committed. A changed
//! meaning is a new version: it gets a sample and a file of its own (`….v2.json`), and the old ones stay, so that the
//! old log can still be read. A new optional field is a further file (`….v1.with_<field>.json`), since the old data
//! must keep giving the old bytes.

mod commands;
mod documents;
mod events;
mod rows;

use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::event::Event;
use dataflows::contract::money::{Currency, Money};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::ports::Publication;
use dataflows::shop::command::{Command, CommandType};
use dataflows::shop::row::View;
use serde::Serialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The id of every sample command.
const COMMAND_ID: &str = "c-1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/golden")
}

/// Holds what a type gives now against its file.
fn check(name: &str, found: &impl Serialize) {
    let mut text = serde_json::to_string_pretty(found).expect("samples are JSON");
    text.push('\n');
    let path = folder().join(name);
    match std::fs::read_to_string(&path) {
        Ok(golden) => assert_eq!(
            text, golden,
            "{name}: these bytes are in logs and with clients. Restore them, or make a new version: see tests/contract/mod.rs"
        ),
        Err(_) => {
            let may_write = std::env::var("TRADEWIND_TEST_GOLDEN").is_ok_and(|value| value == "write");
            assert!(may_write, "{name} has no golden file; see tests/contract/mod.rs. It would be:\n{text}");
            std::fs::write(path, text).expect("the folder of the golden files can be written");
        }
    }
}

/// JSON as it is, without reading it as anything.
fn raw(json: impl Into<Vec<u8>>) -> Box<RawValue> {
    let text = String::from_utf8(json.into()).expect("JSON is UTF-8");
    RawValue::from_string(text).expect("it was written as JSON")
}

/// A moment of the samples, that many seconds after the first.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-01-02T03:04:05.6Z").expect("a time").plus_s(seconds)
}

fn pounds(amount: i64) -> Money {
    Money::new(amount, currency())
}

fn currency() -> Currency {
    Currency::parse("GBP").expect("a currency")
}

fn text(text: &str) -> SmolStr {
    SmolStr::new(text)
}

#[derive(Serialize)]
struct CommandBytes {
    command_id: &'static str,
    given: Box<RawValue>,
    key: String,
    data: Box<RawValue>,
    fingerprint: String,
}

fn command(command_type: CommandType) -> (&'static str, Command) {
    let given = commands::given(command_type);
    (given, Command::read(command_type, COMMAND_ID, given.as_bytes()).expect("the sample is of its type's shape"))
}

#[test]
fn commands_have_their_golden_bytes() {
    for command_type in CommandType::ALL {
        let (given, command) = command(*command_type);
        let found = CommandBytes {
            command_id: COMMAND_ID,
            given: raw(given),
            key: command.key().to_owned(),
            data: raw(command.data()),
            fingerprint: format!("{:032x}", command.fingerprint(command.key().as_bytes())),
        };
        check(&format!("command.{}.v1.json", command_type.name()), &found);
        let again = Command::read(*command_type, COMMAND_ID, &command.data()).expect("our own data can be read");
        assert_eq!(again, command, "what is written to the log is read from it");
    }
}

#[derive(Serialize)]
struct EventBytes {
    key: String,
    data: Box<RawValue>,
}

#[test]
fn events_have_their_golden_bytes() {
    let mut names = Vec::new();
    for fact in events::facts() {
        let (name, version) = (fact.name(), events::version(&fact));
        let cause = text(COMMAND_ID);
        let event = Event { epoch: Epoch(7), n: 3, cause, at: moment(9), occurred_at: moment(0), fact };
        let data = serde_json::to_vec(&event).expect("an event is JSON");
        check(
            &format!("event.{name}.v{version}.json"),
            &EventBytes { key: event.fact.key().to_owned(), data: raw(data) },
        );
        names.push(name);
    }
    assert_eq!(names, events::NAMES, "each event of the contract has one sample");
}

#[derive(Serialize)]
struct RowBytes {
    key: String,
    value: Box<RawValue>,
}

#[test]
fn rows_have_their_golden_bytes() {
    for view in View::ALL {
        let (key, value) = rows::row(*view);
        check(&format!("view.{}.v1.json", view.name()), &RowBytes { key, value: raw(value) });
    }
}

#[test]
fn epoch_records_have_their_golden_bytes() {
    let mut cut = Cut::default();
    for (topic, partition, next) in [(Topic::Orders, 10, 123), (Topic::Orders, 2, 5), (Topic::Policy, 0, 1)] {
        cut.set(TopicPartition::new(topic, partition), next);
    }
    let record = EpochRecord { v: 1, epoch: Epoch(7), now: moment(0), rules: 1, cut };
    check("epoch.v1.json", &raw(serde_json::to_vec(&record).expect("an epoch record is JSON")));
}

#[derive(Serialize)]
struct RecordBytes {
    topic: &'static str,
    key: String,
    headers: Vec<(String, String)>,
    value: Box<RawValue>,
}

#[test]
fn records_have_their_golden_headers() {
    let (_, command) = command(CommandType::PlaceOrder);
    let publication = Publication::of(COMMAND_ID, &command);
    let topic = publication.topic.name();
    let record = ingest::input::codec::encode(publication, 0);
    let shown = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("our headers are text");
    let headers =
        record.headers.iter().map(|(name, value)| (name.to_string(), shown(value.as_deref().unwrap_or_default())));
    let found = RecordBytes {
        topic,
        key: shown(record.key.as_deref().expect("a command has a key")),
        headers: headers.collect(),
        value: raw(record.value.as_deref().expect("a command has data")),
    };
    check("record.command.v1.json", &found);
}

#[test]
fn every_golden_file_is_held_against_something() {
    let mut known: BTreeSet<String> =
        CommandType::ALL.iter().map(|command| format!("command.{}.v1.json", command.name())).collect();
    known.extend(events::facts().iter().map(|fact| format!("event.{}.v{}.json", fact.name(), events::version(fact))));
    known.extend(View::ALL.iter().map(|view| format!("view.{}.v1.json", view.name())));
    known.extend(["epoch.v1.json".to_owned(), "record.command.v1.json".to_owned()]);
    let files = folder().read_dir().expect("the folder is there").flatten();
    let there: BTreeSet<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let orphans: Vec<_> = there.difference(&known).collect();
    assert!(orphans.is_empty(), "old files stay, and so does the sample that gives them: {orphans:?}");
}
