//! The OpenAPI and AsyncAPI documents against the contract's routes and codes, and against what the code reads and writes.

use super::env::{PRODUCT, TestEnv, order};
use crate::routes;
use dataflows::contract::topic::Topic;
use dataflows::shop::command::{Command, CommandType};
use dataflows::shop::row::View;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The contract's routes that this room has so far.
const ROUTES: &str = "
    POST /api/v1/commands
    PUT /api/v1/products/{id}
    GET /api/v1/products/{id}
    GET /api/v1/products
    PUT /api/v1/products/{id}/variants/{sku}/price
    DELETE /api/v1/products/{id}
    POST /api/v1/stock/{sku}/movements
    POST /api/v1/stock/{sku}/transfers
    GET /api/v1/stock/{sku}
    GET /api/v1/stock
    POST /api/v1/orders
    GET /api/v1/orders/{id}
    GET /api/v1/customers/{id}/orders
    POST /api/v1/orders/{id}/cancellations
    POST /api/v1/orders/{id}/shipments
    POST /api/v1/orders/{id}/shipment-failures
    POST /api/v1/orders/{id}/deliveries
    POST /api/v1/orders/{id}/returns
    POST /api/v1/orders/{id}/refunds
    POST /api/v1/credits
    POST /api/v1/adjustments
    GET /api/v1/changes
    GET /api/v1/checkpoints
    POST /api/v1/checkpoints
    GET /api/v1/export
    POST /api/v1/export/verifications
    POST /api/v1/export/compactions
    POST /api/v1/export/vacuums
    GET /api/v1/dead-letters
    GET /api/v1/dead-letters/{topic}/{partition}/{offset}
    DELETE /api/v1/dead-letters/{topic}/{partition}/{offset}
    POST /api/v1/dead-letters/{topic}/{partition}/{offset}/redrives
    GET /api/v1/credits/{id}
    GET /api/v1/adjustments/{id}
    POST /api/v1/payments/{order_id}/results
    GET /api/v1/orders/{id}/invoice
    GET /api/v1/analytics/revenue
    GET /api/v1/analytics/search
    POST /api/v1/activity
    GET /api/v1/search
    GET /api/v1/search/suggest
    GET /api/v1/operations/{command_id}
    GET /api/v1/epochs/latest
    GET /api/v1/epochs/{n}
    GET /api/v1/views
    GET /api/v1/views/{view}
    GET /api/v1/invariants
    PUT /api/v1/policy
    GET /api/v1/policy
    GET /api/v1/status
    GET /
    GET /favicon.ico
    GET /health/live
    GET /health/ready
    GET /metrics
    GET /openapi.json
    GET /asyncapi.json
    GET /docs";

/// The contract's codes and their statuses.
const CODES: &[(u16, &[&str])] = &[
    (400, &["malformed", "as_of_with_min_epoch", "bad_cursor"]),
    (404, &["not_found", "epoch_unknown", "unknown_sku"]),
    (409, &["out_of_stock", "insufficient_stock", "already_exists", "sku_taken", "invalid_transition"]),
    (410, &["epoch_forgotten"]),
    (413, &["too_large"]),
    (415, &["unsupported_media_type"]),
    (403, &["origin_refused"]),
    (414, &["uri_too_long"]),
    (421, &["misdirected"]),
    (431, &["headers_too_large"]),
    (
        422,
        &[
            "invalid",
            "unknown_sku",
            "not_sold",
            "currency_mismatch",
            "amount_mismatch",
            "unknown_payment",
            "over_return",
            "over_refund",
            "overflow",
            "command_id_reused",
        ],
    ),
    (405, &["method_not_allowed"]),
    (500, &["internal"]),
    (503, &["not_yet_fresh", "log_unavailable", "overloaded", "storage_full", "starting"]),
];

async fn document() -> Value {
    TestEnv::new().get("/openapi.json").await.json()
}

#[tokio::test]
async fn the_document_has_the_contracts_routes() {
    let expected: BTreeSet<String> =
        ROUTES.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let document = document().await;
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        found.extend(methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert_eq!(found, expected);
    let ids: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), expected.len());
}

#[tokio::test]
async fn the_document_has_the_contracts_codes_at_their_statuses() {
    let document = document().await;
    let mut expected: BTreeSet<(String, String)> = BTreeSet::new();
    for (status, codes) in CODES {
        expected.extend(codes.iter().map(|code| (status.to_string(), (*code).to_owned())));
    }
    let mut found = BTreeSet::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|methods| methods.as_object().unwrap().values())
    {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let codes = response.pointer("/content/application~1problem+json/schema/properties/code/enum");
            for code in codes.into_iter().flat_map(|codes| codes.as_array().unwrap()) {
                found.insert((status.clone(), code.as_str().unwrap().to_owned()));
            }
        }
    }
    // The answers that any request may get are in the description.
    for (status, code) in
        [("405", "method_not_allowed"), ("414", "uri_too_long"), ("421", "misdirected"), ("431", "headers_too_large")]
    {
        assert!(document["info"]["description"].as_str().unwrap().contains(&format!("{status} `{code}`")));
        found.insert((status.to_owned(), code.to_owned()));
    }
    assert_eq!(found, expected);
    let listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, expected.into_iter().map(|(_, code)| code).collect());
}

#[tokio::test]
async fn every_schema_that_is_named_is_there() {
    let document = document().await;
    let text = document.to_string();
    for named in text.split("#/components/schemas/").skip(1) {
        let name = named.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
    assert!(routes::all().iter().all(|route| route.path.starts_with('/')));
    let docs = TestEnv::new().get("/docs").await;
    assert_eq!((docs.status.as_u16(), docs.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!docs.text().contains("http://") && !docs.text().contains("https://"), "the page works offline");
}

/// A value of a schema, with every property.
fn sample(schemas: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return sample(schemas, &schemas[name.rsplit('/').next().unwrap()]);
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str().unwrap() {
        "object" if schema["properties"].is_object() => schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, of)| (name.clone(), sample(schemas, of)))
            .collect(),
        "object" => json!({"colour": "red"}),
        "array" => json!([sample(schemas, &schema["items"])]),
        "string" if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        "string" if schema["pattern"].is_string() => json!("1.50"),
        "string" => json!("text"),
        "integer" => json!(1),
        "boolean" => json!(true),
        other => panic!("no sample of {other}"),
    }
}

/// The names of all fields, at every depth.
fn names(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), names(value))).collect(),
        Value::Array(items) => items.iter().map(names).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
    }
}

#[tokio::test]
async fn a_commands_schema_is_what_is_read() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    for command_type in CommandType::ALL {
        let schema = &schemas[command_type.name()];
        let full = sample(schemas, schema);
        let read = Command::read(*command_type, "id", full.to_string().as_bytes()).unwrap();
        let written: Value = serde_json::from_slice(&read.data()).unwrap();
        assert_eq!(names(&written), names(&full), "{command_type:?}");
        for name in schema["properties"].as_object().unwrap().keys() {
            let mut part = full.clone();
            part.as_object_mut().unwrap().remove(name);
            let is_required = schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
            let read = Command::read(*command_type, "id", part.to_string().as_bytes());
            assert_eq!(read.is_err(), is_required, "{command_type:?} without {name}");
        }
    }
}

/// Returns true if a property may be left out.
fn is_optional(schema: &Value, name: &str) -> bool {
    schema["x-optional"].as_array().is_some_and(|all| all.contains(&json!(name)))
}

/// Checks that a value has the properties of its schema, all of them, at every depth.
pub fn matches(schemas: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return matches(schemas, &schemas[name], value, &format!("{at}:{name}"));
    }
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            let is_there = |name: &&String| !is_optional(schema, name) || fields.contains_key(*name);
            let expected: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().filter(is_there).collect();
            assert_eq!(fields.keys().collect::<BTreeSet<_>>(), expected, "{at}");
            for (name, value) in fields {
                matches(schemas, &schema["properties"][name], value, &format!("{at}/{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                matches(schemas, &schema["items"], item, at);
            }
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn an_answers_schema_is_what_is_written() {
    let env = TestEnv::stocked().await;
    env.order("o1", 2).await;
    env.order("o2", 99).await;
    env.call("POST", "/api/v1/orders/o1/shipments", &[], "").await;
    let credit = r#"{"credit_id":"c1","currency":"GBP","country":"GB","lines":[{"sku":"A","quantity":1,
        "unit_price":{"amount":"1","currency":"GBP"}}]}"#;
    assert_eq!(env.call("POST", "/api/v1/credits", &[("idempotency-key", "kc")], credit).await.status, 201);
    let adjustment =
        r#"{"adjustment_id":"a1","currency":"GBP","country":"GB","amount":{"amount":"-1","currency":"GBP"}}"#;
    assert_eq!(env.call("POST", "/api/v1/adjustments", &[], adjustment).await.status, 201);
    let window = r#"{"price":{"amount":"1","currency":"GBP"},"valid_to":"2027-01-01T00:00:00Z"}"#;
    assert_eq!(env.call("PUT", "/api/v1/products/p1/variants/A/price", &[], window).await.status, 200);
    let document = env.get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    for (path, operation) in [
        ("/api/v1/products/p1", "/products/{id}"),
        ("/api/v1/stock/A", "/stock/{sku}"),
        ("/api/v1/stock/B", "/stock/{sku}"),
        ("/api/v1/orders/o1", "/orders/{id}"),
        ("/api/v1/orders/o2", "/orders/{id}"),
        ("/api/v1/orders/o1/invoice", "/orders/{id}/invoice"),
        ("/api/v1/credits/c1", "/credits/{id}"),
        ("/api/v1/adjustments/a1", "/adjustments/{id}"),
        ("/api/v1/operations/kc", "/operations/{command_id}"),
        ("/api/v1/operations/o2", "/operations/{command_id}"),
        ("/api/v1/epochs/latest", "/epochs/latest"),
        ("/api/v1/views", "/views"),
        ("/api/v1/policy", "/policy"),
        ("/api/v1/status", "/status"),
        ("/api/v1/products", "/products"),
        ("/api/v1/views/orders", "/views/{view}"),
    ] {
        let reply = env.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let response = &document["paths"][format!("/api/v1{operation}")]["get"]["responses"]["200"];
        matches(schemas, &response["content"]["application/json"]["schema"], &reply.json(), path);
    }
    let ready = env.get("/health/ready").await.json();
    matches(schemas, &schemas["Ready"], &ready, "ready");
    let line = format!(r#"{{"id":"b1","type":"PlaceOrder","data":{}}}"#, order(1).replace('\n', ""));
    let ndjson = [("content-type", "application/x-ndjson")];
    let result = env.call("POST", "/api/v1/commands", &ndjson, line).await;
    matches(schemas, &schemas["CommandResult"], &result.json(), "result");
    assert!(serde_json::from_str::<Value>(PRODUCT).is_ok());
}

/// Every written record is as the document of the topics describes it, field by field: the golden files are compared
/// with what the code writes.
#[tokio::test]
async fn the_document_of_the_topics_has_every_golden_record() {
    let document = TestEnv::new().get("/asyncapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let named = |prefix: &str| -> BTreeMap<String, Value> {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/golden")).unwrap();
        let read = |path: &Path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        files
            .map(|file| file.unwrap().path())
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_prefix(prefix)?.strip_suffix(".v1.json")?.to_owned();
                Some((name, read(&path)))
            })
            .collect()
    };
    let messages = |channel: &str| document["channels"][channel]["messages"].as_object().unwrap().clone();
    let described = |channels: &[&str]| -> BTreeMap<String, Value> {
        channels.iter().flat_map(|channel| messages(channel)).collect()
    };
    let events = described(&["catalog_events", "stock_events", "orders_events", "payments_events"]);
    let golden = named("event.");
    assert_eq!(golden.keys().collect::<Vec<_>>(), events.keys().collect::<Vec<_>>());
    for (name, record) in &golden {
        matches(schemas, &events[name]["payload"], &record["data"], name);
    }
    let commands = described(&["policy_commands", "catalog_commands", "stock_commands", "orders_commands"]);
    assert_eq!(named("command.").keys().collect::<Vec<_>>(), commands.keys().collect::<Vec<_>>());
    let rows = named("view.");
    assert_eq!(rows.len(), View::ALL.len());
    for (view, record) in rows {
        matches(schemas, &messages(&format!("views_{view}"))["row"]["payload"], &record["value"], &view);
    }
    assert_eq!(document["channels"].as_object().unwrap().len(), Topic::ALL.len() + Topic::outputs().count());
    let text = document.to_string();
    for named in text.split("\"#/").skip(1) {
        let pointer = format!("/{}", named.split('"').next().unwrap());
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
    }
}
