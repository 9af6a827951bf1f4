//! The AsyncAPI document: the topics, their writers, and what their records look like. Payloads that REST has too are
//! those of the OpenAPI document; a test compares the others with every golden record.

use crate::openapi;
use crate::shop::schema;
use dataflows::contract::topic::Topic;
use dataflows::shop::command::CommandType;

use dataflows::shop::searches::observation::ObservationType;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const RULE: &str = "A record may come again: take it only if (`tw_epoch`, `tw_n`) is beyond the last that you took from \
    its partition.";

/// The document.
pub fn document() -> Value {
    let events: EventProperties =
        serde_json::from_str(include_str!("asyncapi/events.json")).expect("a test reads the file");
    let mut schemas: Map<String, Value> =
        serde_json::from_str(include_str!("asyncapi/schemas.json")).expect("a test reads the file");
    if let Value::Object(of_rest) = openapi::schemas() {
        schemas.extend(of_rest);
    }
    let (mut channels, mut operations) = (Map::new(), Map::new());
    for topic in Topic::ALL.into_iter().chain(Topic::outputs()) {
        let (doing, about) = traffic(topic);
        let id = topic.name().replace(['.', '-'], "_");
        channels.insert(id.clone(), channel(topic, about, &events));
        operations.insert(
            format!("{doing}_{id}"),
            json!({ "action": doing, "channel": { "$ref": format!("#/channels/{id}") }, "summary": about }),
        );
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tradewind",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The topics of a shop, of Apache Kafka or of a node's own log: `/health/ready` names the \
                address. `receive` is what the shop reads, `send` what it writes. Records are CloudEvents 1.0 in the \
                binary mode of the Kafka binding; the structured mode is read too. Publishers place records by murmur2 of \
                the key, as the Java client does (librdkafka: `partitioner=murmur2_random`)."
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "schemas": schemas,
            "messageTraits": { "taken": taken_trait(), "event": event_trait(), "row": row_trait() }
        }
    })
}

/// The properties of events beside those that all have, by topic and name.
type EventProperties = BTreeMap<String, BTreeMap<String, Map<String, Value>>>;

/// The direction, `send` or `receive`, and the purpose of a topic.
const fn traffic(topic: Topic) -> (&'static str, &'static str) {
    match topic {
        Topic::Policy => ("receive", "Commands about the shop's rules, keyed `policy`"),
        Topic::Catalog => ("receive", "Commands about products, keyed by product id"),
        Topic::Stock => ("receive", "Commands about goods, keyed by SKU"),
        Topic::Orders => ("receive", "Commands about orders, credits and adjustments, keyed by the id of each"),
        Topic::Activity => {
            ("receive", "What was observed, keyed by customer or session id: it is counted, not decided")
        }
        Topic::Epochs => ("send", "Where each epoch ends; the shop's own, not to be written by others"),
        Topic::Events(_) => ("send", "What was decided, in order"),
        Topic::View(_) => ("send", "The changes of a view: a row as it is now, or null where it is gone"),
        Topic::Progress => ("send", "The epochs that are complete in the topics of the views"),
        Topic::DeadLetters => {
            ("send", "Records that could not be read, with the bytes and headers that they came with")
        }
    }
}

fn channel(topic: Topic, about: &str, events: &EventProperties) -> Value {
    let messages: Map<String, Value> = match topic {
        Topic::Policy | Topic::Catalog | Topic::Stock | Topic::Orders => {
            let of_topic = CommandType::ALL.iter().filter(|command_type| command_type.topic() == topic);
            of_topic.map(|command_type| taken(command_type.name())).collect()
        }
        Topic::Activity => ObservationType::ALL.iter().map(|observation_type| taken(observation_type.name())).collect(),
        Topic::Events(_) => {
            let of_topic = events.get(topic.name()).into_iter().flatten();
            of_topic.map(|(name, own)| (name.clone(), event(name, own))).collect()
        }
        Topic::View(view) => one("row", traited("row", reference(schema(view)))),
        Topic::Progress => one("progress", traited("row", reference("ViewProgress"))),
        Topic::Epochs => one("epoch", json!({ "payload": reference("EpochRecord") })),
        Topic::DeadLetters => one("letter", dead_letter()),
    };
    json!({
        "address": format!("{{prefix}}{}", topic.name()),
        "description": about,
        "parameters": { "prefix": { "default": "tradewind.", "description": "of all topics of this shop" } },
        "messages": messages
    })
}

fn one(name: &str, message: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), message)])
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn traited(of: &str, payload: Value) -> Value {
    json!({ "traits": [{ "$ref": format!("#/components/messageTraits/{of}") }], "payload": payload })
}

/// The type of a record's data is in its header.
fn named(of: &str, name: &str, payload: Value) -> Value {
    let mut message = traited(of, payload);
    message["name"] = json!(format!("tradewind.{name}.v1"));
    message
}

/// A message that comes in, named by its type.
fn taken(name: &str) -> (String, Value) {
    (name.to_owned(), named("taken", name, reference(name)))
}

fn event(name: &str, own: &Map<String, Value>) -> Value {
    let time = reference("Time");
    let mut properties = json!({
        "epoch": { "type": "integer" },
        "n": { "type": "integer", "minimum": 1, "description": "its place in the epoch" },
        "cause": { "type": "string", "description": "the command's id, or `timer:<what>`" },
        "at": time, "occurred_at": time
    });
    if let Value::Object(properties) = &mut properties {
        properties.extend(own.clone());
    }
    let required: Vec<String> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    named("event", name, json!({ "type": "object", "required": required, "properties": properties }))
}

fn headers(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The headers that give a record's epoch and its place in it.
fn place() -> Map<String, Value> {
    let number = json!({ "type": "string", "pattern": "^[0-9]+$" });
    Map::from_iter([("tw_epoch".to_owned(), number.clone()), ("tw_n".to_owned(), number)])
}

fn cloud_event(id: &str) -> Map<String, Value> {
    let text = json!({ "type": "string" });
    Map::from_iter([
        ("ce_specversion".to_owned(), json!({ "type": "string", "const": "1.0" })),
        ("ce_id".to_owned(), json!({ "type": "string", "description": id })),
        ("ce_type".to_owned(), json!({ "type": "string", "description": "the message's name" })),
        ("ce_source".to_owned(), text.clone()),
        ("content-type".to_owned(), text),
    ])
}

fn taken_trait() -> Value {
    let about = "1 to 255 visible ASCII characters; of a command its id: a second record with it has the first outcome";
    let properties = json!(cloud_event(about));
    json!({ "headers": headers(&properties, &["ce_specversion", "ce_id", "ce_type", "ce_source"]) })
}

fn event_trait() -> Value {
    let mut properties = cloud_event("`<epoch>-<n>`");
    properties.extend(place());
    let required = ["ce_specversion", "ce_id", "ce_type", "ce_source", "content-type", "tw_epoch", "tw_n"];
    json!({ "description": RULE, "headers": headers(&json!(properties), &required) })
}

fn row_trait() -> Value {
    json!({ "description": RULE, "headers": headers(&json!(place()), &["tw_epoch", "tw_n"]) })
}

fn dead_letter() -> Value {
    let mut properties = place();
    for name in ["topic", "partition", "offset", "code", "detail"] {
        properties.insert(format!("tw_dlq_{name}"), json!({ "type": "string" }));
    }
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({ "description": RULE, "headers": { "type": "object", "properties": properties, "required": required } })
}
