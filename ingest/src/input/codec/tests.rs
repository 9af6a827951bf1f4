//! Records against their golden bytes, and every way to be a dead letter.

use super::*;
use DeadLetterCode::{BadCommandId, TooLarge, UnknownType, Unreadable, WrongKey};

const ORDERS: Origin = Origin { topic: Topic::Orders, partition: 2, offset: 7 };
const CANCEL: &str = r#"{"order_id":"o-1","reason":"late"}"#;
const PLACE: &str =
    r#"{"currency":"GBP","country":"GB","lines":[{"sku":"a","quantity":1}],"payment":{"method":"settled"}}"#;

/// A record in the making: a good one of binary mode, to be spoilt.
#[derive(Clone)]
struct RecordBuilder(Record);

fn binary(event_type: &str, key: &str, data: &str) -> RecordBuilder {
    RecordBuilder(Record { key: Some(Bytes::copy_from_slice(key.as_bytes())), ..Record::default() })
        .value(data)
        .header("ce_specversion", "1.0")
        .header("ce_id", "c-1")
        .header("ce_type", event_type)
        .header("ce_source", "/kcat")
        .header("content-type", "application/json")
}

fn cancel() -> RecordBuilder {
    binary("tradewind.CancelOrder.v1", "o-1", CANCEL)
}

fn structured(value: &str) -> RecordBuilder {
    let record = Record { key: Some(Bytes::from_static(b"o-1")), ..Record::default() };
    RecordBuilder(record).value(value).header("content-type", "application/cloudevents+json; charset=UTF-8")
}

fn event(members: &str) -> String {
    format!(r#" {{"specversion":"1.0","id":"c-1","source":"/x","type":"tradewind.CancelOrder.v1"{members}}}"#)
}

impl RecordBuilder {
    fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> RecordBuilder {
        self.0.headers.push((SmolStr::new(name), Some(Bytes::copy_from_slice(value.as_ref()))));
        self
    }

    fn without(mut self, name: &str) -> RecordBuilder {
        self.0.headers.retain(|(other, _)| other != name);
        self
    }

    fn with(self, name: &str, value: impl AsRef<[u8]>) -> RecordBuilder {
        self.without(name).header(name, value)
    }

    fn value(mut self, value: impl AsRef<[u8]>) -> RecordBuilder {
        self.0.value = Some(Bytes::copy_from_slice(value.as_ref()));
        self
    }

    fn key(mut self, key: Option<&'static [u8]>) -> RecordBuilder {
        self.0.key = key.map(Bytes::from_static);
        self
    }

    fn dead(self) -> Option<DeadLetterCode> {
        match decode(ORDERS, &self.0) {
            Input::Command(_) | Input::Observation(_) => None,
            Input::Dead(letter) => {
                assert_eq!(letter.origin, ORDERS);
                assert!(!letter.detail.is_empty() && letter.detail.chars().count() <= DETAIL_CHARS_MAX + 1);
                Some(letter.code)
            }
        }
    }

    fn read(self) -> CommandEnvelope {
        match decode(ORDERS, &self.0) {
            Input::Command(envelope) => *envelope,
            other @ (Input::Observation(_) | Input::Dead(_)) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_command_has_the_documented_record() {
    let command = Command::read(CommandType::CancelOrder, "c-1", CANCEL.as_bytes()).unwrap();
    let record = encode(Publication::of("c-1", &command), 1234);
    let header = |name: &str, value: &'static str| (SmolStr::new(name), Some(Bytes::from_static(value.as_bytes())));
    let golden = Record {
        key: Some(Bytes::from_static(b"o-1")),
        value: Some(Bytes::from_static(br#"{"order_id":"o-1","reason":"late","occurred_at":null}"#)),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "c-1"),
            header("ce_type", "tradewind.CancelOrder.v1"),
            header("ce_source", "/tradewind"),
            header("content-type", "application/json"),
        ],
        timestamp_ms: 1234,
    };
    assert_eq!(record, golden);
    let fingerprint = command.fingerprint(b"o-1");
    let expected = CommandEnvelope { origin: ORDERS, command_id: SmolStr::new("c-1"), fingerprint, command };
    assert_eq!(decode(ORDERS, &record), Input::Command(Box::new(expected)));
}

#[test]
fn both_modes_read_the_same() {
    let expected = cancel().read();
    let base64 = STANDARD_CANCEL;
    for value in [
        event(&format!(r#","data":{CANCEL}"#)),
        event(&format!(r#","datacontenttype":"application/json; charset=utf-8","data":{CANCEL},"data_base64":null"#)),
        event(&format!(r#","data_base64":"{base64}","extension":[1]"#)),
        event(&format!(r#","data":null,"data_base64":"{base64}","time":"whenever""#)),
        event(&format!(r#","data":{CANCEL}"#)).replace("/x", "\\u002fx"),
    ] {
        assert_eq!(structured(&value).read(), expected, "{value}");
    }
}

/// `CANCEL` in base64.
const STANDARD_CANCEL: &str = "eyJvcmRlcl9pZCI6Im8tMSIsInJlYXNvbiI6ImxhdGUifQ==";

#[test]
fn what_is_harmless_is_read() {
    let all = [
        ("content type absent", cancel().without("content-type")),
        ("parameters", cancel().with("content-type", "Application/JSON;charset=\"UTF-8\"; x=y")),
        ("a JSON of its own", cancel().with("content-type", "application/vnd.shop+json")),
        ("header in capitals", cancel().without("content-type").header("Content-Type", "application/json")),
        ("other headers, twice", cancel().header("trace", "a").header("trace", "b").header("ce_time", "no time")),
        ("unknown fields", cancel().value(r#"{"order_id":"o-1","reason":"late","else":{}}"#)),
        ("a null header", {
            let mut given = cancel();
            given.0.headers.push((SmolStr::new("ce_id"), None));
            given
        }),
    ];
    let expected = cancel().read();
    for (what, given) in all {
        assert_eq!(given.read(), expected, "{what}");
    }
}

#[test]
fn every_fault_has_its_code() {
    let long_id = "x".repeat(256);
    let large = format!(r#"{{"order_id":"o-1","reason":"{}"}}"#, "x".repeat(RECORD_BYTES_MAX));
    let all = [
        (TooLarge, "1 MiB", cancel().value(&large)),
        (Unreadable, "tombstone", {
            let mut given = cancel();
            given.0.value = None;
            given
        }),
        (Unreadable, "plain JSON", RecordBuilder(Record { value: cancel().0.value, ..Record::default() })),
        (Unreadable, "no specversion", cancel().without("ce_specversion")),
        (Unreadable, "specversion 0.3", cancel().with("ce_specversion", "0.3")),
        (Unreadable, "no type", cancel().without("ce_type")),
        (Unreadable, "no source", cancel().without("ce_source")),
        (Unreadable, "empty source", cancel().with("ce_source", "")),
        (Unreadable, "id twice", cancel().header("ce_id", "c-1")),
        (Unreadable, "content type twice", cancel().header("Content-Type", "application/json")),
        (Unreadable, "other content", cancel().with("content-type", "text/plain")),
        (Unreadable, "other charset", cancel().with("content-type", "application/json; charset=latin1")),
        (Unreadable, "content type of bytes", cancel().with("content-type", b"\xff")),
        (Unreadable, "other form", cancel().with("content-type", "application/cloudevents-batch+json")),
        (BadCommandId, "no id", cancel().without("ce_id")),
        (BadCommandId, "empty id", cancel().with("ce_id", "")),
        (BadCommandId, "long id", cancel().with("ce_id", &long_id)),
        (BadCommandId, "id with a space", cancel().with("ce_id", "a b")),
        (BadCommandId, "id of bytes", cancel().with("ce_id", b"\xff\xfe")),
        (UnknownType, "no such", cancel().with("ce_type", "tradewind.Cancel.v1")),
        (UnknownType, "other version", cancel().with("ce_type", "tradewind.CancelOrder.v2")),
        (UnknownType, "no prefix", cancel().with("ce_type", "CancelOrder")),
        (UnknownType, "another topic's", cancel().with("ce_type", "tradewind.MoveStock.v1")),
        (UnknownType, "long, quoted shortly", cancel().with("ce_type", "x".repeat(5000))),
        (UnknownType, "bytes", cancel().with("ce_type", b"\xff")),
        (Unreadable, "no JSON", cancel().value("{")),
        (Unreadable, "empty value", cancel().value("")),
        (Unreadable, "bad UTF-8", cancel().value(b"{\"order_id\":\"\xff\"}")),
        (Unreadable, "an array", cancel().value(r#"["o-1",null,null]"#)),
        (Unreadable, "a missing field", cancel().value("{}")),
        (Unreadable, "a doubled field", cancel().value(r#"{"order_id":"o-1","order_id":"o-1"}"#)),
        (WrongKey, "no key", cancel().key(None)),
        (WrongKey, "other key", cancel().key(Some(b"o-2"))),
        (WrongKey, "key of bytes", cancel().key(Some(b"\xff"))),
    ];
    for (code, what, given) in all {
        assert_eq!(given.dead(), Some(code), "{what}");
    }
}

#[test]
fn every_fault_of_structured_mode_has_its_code() {
    let data = format!(r#","data":{CANCEL}"#);
    let good = event(&data);
    let all = [
        (Unreadable, "no data", event("")),
        (Unreadable, "null data", event(r#","data":null"#)),
        (Unreadable, "data as text", event(r#","data":"{}""#)),
        (Unreadable, "data twice", event(&format!("{data}{data}"))),
        (Unreadable, "both kinds of data", event(&format!(r#"{data},"data_base64":"{STANDARD_CANCEL}""#))),
        (Unreadable, "bad base64", event(r#","data_base64":"?""#)),
        (Unreadable, "other content", event(&format!(r#"{data},"datacontenttype":"text/xml""#))),
        (Unreadable, "an array", r#"["1.0","c-1","/x","tradewind.CancelOrder.v1",null,{}]"#.to_owned()),
        (Unreadable, "no JSON", "no".to_owned()),
        (Unreadable, "id is a number", good.replace(r#""c-1""#, "1")),
        (Unreadable, "other version", good.replace(r#""1.0""#, r#""1.1""#)),
        (Unreadable, "no source", good.replace("source", "sauce")),
        (Unreadable, "no type", good.replace(r#""type""#, r#""typ""#)),
        (BadCommandId, "no id", good.replace(r#""id""#, r#""di""#)),
        (BadCommandId, "null id", good.replace(r#""c-1""#, "null")),
        (BadCommandId, "id with é", good.replace("c-1", "é")),
        (UnknownType, "other type", good.replace("CancelOrder", "MoveStock")),
        (WrongKey, "other id", good.replace("o-1", "o-2")),
    ];
    for (code, what, value) in all {
        assert_eq!(structured(&value).dead(), Some(code), "{what}");
    }
}

#[test]
fn the_first_fault_in_the_documented_order_counts() {
    let mut given = cancel().key(None).value(format!("[{}]", " ".repeat(RECORD_BYTES_MAX)));
    given = given.with("ce_type", "?").with("ce_id", "").without("ce_source");
    assert_eq!(given.clone().dead(), Some(TooLarge));
    given = given.value("[]");
    assert_eq!(given.clone().dead(), Some(Unreadable));
    given = given.with("ce_source", "/x");
    assert_eq!(given.clone().dead(), Some(BadCommandId));
    given = given.with("ce_id", "c-1");
    assert_eq!(given.clone().dead(), Some(UnknownType));
    given = given.with("ce_type", "tradewind.CancelOrder.v1");
    assert_eq!(given.clone().dead(), Some(Unreadable));
    given = given.value(CANCEL);
    assert_eq!(given.clone().dead(), Some(WrongKey));
    assert_eq!(given.key(Some(b"o-1")).dead(), None);
}

#[test]
fn an_order_without_an_id_takes_the_commands_and_any_key() {
    let place = |key: Option<&'static [u8]>, data: &str| binary("tradewind.PlaceOrder.v1", "", data).key(key);
    for key in [None, Some(&b"anything"[..]), Some(b"c-1")] {
        for data in [PLACE.to_owned(), PLACE.replace('{', "{ ").replacen("{ ", r#"{"order_id":null,"#, 1)] {
            let envelope = place(key, &data).read();
            assert_eq!(envelope.command.key(), "c-1");
            assert_eq!(envelope.fingerprint, envelope.command.fingerprint(key.unwrap_or_default()));
        }
    }
    let given = PLACE.replacen('{', r#"{"order_id":"c-1","#, 1);
    assert_eq!(place(Some(b"c-1"), &given).dead(), None);
    assert_eq!(place(Some(b"other"), &given).dead(), Some(WrongKey));
    assert_eq!(place(None, &given).dead(), Some(WrongKey));
}

#[test]
fn a_policy_has_the_key_policy() {
    let origin = Origin { topic: Topic::Policy, partition: 0, offset: 0 };
    let policy = binary("tradewind.PutPolicy.v1", "policy", "{}");
    assert!(matches!(decode(origin, &policy.0), Input::Command(_)));
    let other = policy.key(Some(b"Policy"));
    assert!(matches!(decode(origin, &other.0), Input::Dead(DeadLetter { code: WrongKey, .. })));
}

const ACTIVITY: Origin = Origin { topic: Topic::Activity, partition: 1, offset: 3 };
const SEARCHED: &str = r#"{"search_id":"s-1","query":"Red Lamp","results":3,"customer_id":"c-1"}"#;
const CLICKED: &str = r#"{"search_id":"s-1","product_id":"p-1","position":2}"#;

fn searched() -> RecordBuilder {
    binary("tradewind.SearchPerformed.v1", "c-1", SEARCHED)
}

fn dead_observation(given: RecordBuilder) -> Option<DeadLetterCode> {
    match decode(ACTIVITY, &given.0) {
        Input::Dead(letter) => Some(letter.code),
        Input::Observation(_) => None,
        Input::Command(envelope) => panic!("{envelope:?}"),
    }
}

#[test]
fn an_observation_has_the_documented_record_and_is_read_from_it() {
    let observation = Observation::read(ObservationType::SearchPerformed, SEARCHED.as_bytes()).unwrap();
    let publication = Publication::observed("e-1", &observation);
    assert_eq!((publication.topic, publication.key.as_str()), (Topic::Activity, "c-1"));
    let record = encode(publication, 5);
    let header = |name: &str, value: &'static str| (SmolStr::new(name), Some(Bytes::from_static(value.as_bytes())));
    let golden = Record {
        key: Some(Bytes::from_static(b"c-1")),
        value: Some(Bytes::from_static(
            br#"{"search_id":"s-1","query":"Red Lamp","results":3,"epoch":null,"customer_id":"c-1","session_id":null,"occurred_at":null}"#,
        )),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "e-1"),
            header("ce_type", "tradewind.SearchPerformed.v1"),
            header("ce_source", "/tradewind"),
            header("content-type", "application/json"),
        ],
        timestamp_ms: 5,
    };
    assert_eq!(record, golden);
    assert_eq!(
        decode(ACTIVITY, &record),
        Input::Observation(Box::new(ObservationEnvelope { origin: ACTIVITY, observation }))
    );
}

#[test]
fn an_observation_that_cannot_be_read_says_why() {
    assert_eq!(dead_observation(searched()), None);
    assert_eq!(dead_observation(binary("tradewind.SearchResultClicked.v1", "anyone", CLICKED)), None);
    assert_eq!(dead_observation(searched().key(Some(b"c-2"))), Some(WrongKey));
    assert_eq!(dead_observation(searched().key(None)), Some(WrongKey));
    assert_eq!(dead_observation(binary("tradewind.SearchResultClicked.v1", "", CLICKED).key(None)), Some(WrongKey));
    assert_eq!(dead_observation(searched().value(r#"{"search_id":"s-1"}"#)), Some(Unreadable));
    assert_eq!(dead_observation(searched().without("ce_id")), Some(BadCommandId));
    assert_eq!(dead_observation(searched().value(vec![b' '; RECORD_BYTES_MAX + 1])), Some(TooLarge));
    for other in ["tradewind.CancelOrder.v1", "tradewind.SearchPerformed.v2", "SearchPerformed"] {
        assert_eq!(dead_observation(searched().with("ce_type", other)), Some(UnknownType), "{other}");
    }
}

#[test]
fn an_observation_on_a_topic_of_commands_is_of_an_unknown_type() {
    assert_eq!(searched().dead(), Some(UnknownType));
}
