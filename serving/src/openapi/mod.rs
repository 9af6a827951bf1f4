//! The OpenAPI document, made from the list of routes. The schemas of commands and observations come from their types,
//! those of answers from a file, and a test holds each against what the code reads or writes.

use crate::http::problem::{ApiErrorKind, status_of};
use crate::routes::{Method, Param, Route, RouteKind};
use dataflows::contract::code::Code;
use dataflows::shop::command::CommandType;
use dataflows::shop::field::Schemas;
use dataflows::shop::searches::observation::ObservationType;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The codes that any command may be refused with.
const ANY_COMMAND: [Code; 2] = [Code::Invalid, Code::CommandIdReused];

/// The problems that any route under `/api` may answer beside its own.
const READ_FAULTS: &[ApiErrorKind] = &[
    ApiErrorKind::Malformed,
    ApiErrorKind::AsOfWithMinEpoch,
    ApiErrorKind::EpochUnknown,
    ApiErrorKind::EpochForgotten,
    ApiErrorKind::Overloaded,
    ApiErrorKind::Internal,
    ApiErrorKind::NotYetFresh,
    ApiErrorKind::Starting,
];
const COMMAND_FAULTS: &[ApiErrorKind] = &[
    ApiErrorKind::Malformed,
    ApiErrorKind::OriginRefused,
    ApiErrorKind::TooLarge,
    ApiErrorKind::UnsupportedMediaType,
    ApiErrorKind::Overloaded,
    ApiErrorKind::Internal,
    ApiErrorKind::NotYetFresh,
    ApiErrorKind::LogUnavailable,
    ApiErrorKind::StorageFull,
    ApiErrorKind::Starting,
];

/// The document.
pub fn document(routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.name().to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tradewind",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Stock, orders, payments and revenue of a shop. Every answer is exact for the epoch that its \
                header `Tradewind-Epoch` names. Another method than those of a path is answered with 405 \
                `method_not_allowed`, another path with 404 `not_found`, another host with 421 `misdirected`, a target \
                above 8 KiB with 414 `uri_too_long`, a head above 32 KiB or 100 fields with 431 `headers_too_large`."
        },
        "paths": paths,
        "components": { "schemas": schemas() }
    })
}

/// The schemas of bodies and records, by name.
pub fn schemas() -> Value {
    let mut schemas: Value = serde_json::from_str(include_str!("schemas.json")).expect("a test reads the file");
    let mut codes: Vec<_> = ApiErrorKind::ALL.iter().map(|fault| fault.as_str()).collect();
    // One is both: a request can be too large, and what a command would write.
    let decided = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !codes.contains(code)).collect::<Vec<_>>();
    codes.extend(decided);
    schemas["Problem"]["properties"]["code"] = json!({ "type": "string", "enum": codes });
    let mut inputs = Schemas::default();
    for command_type in CommandType::ALL {
        command_type.schema(&mut inputs);
    }
    for observation_type in ObservationType::ALL {
        observation_type.schema(&mut inputs);
    }
    for (name, schema) in inputs.into_map() {
        schemas[name] = schema;
    }
    schemas
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route),
        "responses": responses(route),
    });
    if let Some(body) = request_body(route) {
        operation["requestBody"] = body;
    }
    operation
}

/// `get_orders_id`: stable, and unlike any other.
fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1").replace(['/', '-', '.'], "_").replace(['{', '}'], "");
    format!("{}{path}", route.method.name().to_lowercase())
}

fn tag(path: &str) -> &str {
    match path.strip_prefix("/api/v1/") {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None => "node",
    }
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let header = |name: &str, kind: &str, about: &str| json!({ "name": name, "in": "header", "description": about, "schema": { "type": kind } });
    let query = |param: &Param| json!({ "name": param.name, "in": "query", "description": param.about, "schema": { "type": param.kind } });
    all.extend(route.query().map(|param| {
        let mut described = query(param);
        if route.kind == RouteKind::List && param.name == "limit" {
            described["schema"] = json!({ "type": param.kind, "minimum": 1,
                "maximum": if route.is_wide { 1_000 } else { 200 }, "default": 50 });
        }
        described
    }));
    if route.kind == RouteKind::Stream {
        all.push(header("Last-Event-ID", "integer", "go on behind this epoch, without a snapshot"));
    }
    if route.kind == RouteKind::Read {
        all.push(header("If-None-Match", "string", "an ETag: 304 if the body is still that one"));
    }
    if matches!(route.kind, RouteKind::Command(_) | RouteKind::Observation) {
        all.push(header(
            "Idempotency-Key",
            "string",
            "the command id, or the observation's, 1 to 200 visible ASCII characters",
        ));
    }
    if !matches!(route.kind, RouteKind::Plain | RouteKind::Observation) {
        all.push(header("Tradewind-Min-Epoch", "integer", "do not answer from before this epoch"));
        all.push(header("Prefer", "string", "`wait=S`: at most so many seconds; commands: `respond-async`, and `handling=lenient` to have unknown fields ignored"));
    }
    all
}

fn request_body(route: &Route) -> Option<Value> {
    match route.kind {
        RouteKind::Command(command_type) => {
            let about = "Ids that the path names may be left out.";
            let schema = reference(command_type.name());
            let required = !command_type.description().body_is_optional;
            Some(json!({ "required": required, "description": about,
                "content": { "application/json": { "schema": schema } } }))
        }
        RouteKind::Batch => {
            let about = "A command a line, at most 1,000 lines and 8 MiB.";
            let content = json!({ "application/x-ndjson": { "schema": reference("CommandLine") } });
            Some(json!({ "required": true, "description": about, "content": content }))
        }
        RouteKind::Read | RouteKind::List | RouteKind::Stream | RouteKind::Observation | RouteKind::Plain => {
            let required = route.kind == RouteKind::Observation;
            let content = |schema| json!({ "application/json": { "schema": reference(schema) } });
            route.body.map(|schema| json!({ "required": required, "content": content(schema) }))
        }
    }
}

fn responses(route: &Route) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for (status, about, schema) in answers(route) {
        let headers = json!({ "Tradewind-Epoch": {
            "description": "the epoch that the answer is exact for", "schema": { "type": "integer" } } });
        let content = schema.map(|(kind, schema)| json!({ kind: { "schema": schema } })).unwrap_or(json!({}));
        responses.insert(status.to_string(), json!({ "description": about, "headers": headers, "content": content }));
    }
    let mut codes: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, code) in problems(route) {
        let of_status = codes.entry(status).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    for (status, codes) in codes {
        let mut schema = reference("Problem");
        schema["properties"] = json!({ "code": { "enum": codes } });
        let about = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        let content = json!({ "application/problem+json": { "schema": schema } });
        responses.insert(status.to_string(), json!({ "description": about, "content": content }));
    }
    json!(responses)
}

type Answers = Vec<(u16, &'static str, Option<(&'static str, Value)>)>;

fn answers(route: &Route) -> Answers {
    const JSON: &str = "application/json";
    let one = || Some((JSON, reference(route.schema)));
    match route.kind {
        RouteKind::Read => vec![(200, "It", one()), (304, "It is as it was", None)],
        RouteKind::List => {
            let page = json!({ "type": "object", "properties": {
                "data": { "type": "array", "items": reference(route.schema) },
                "next_cursor": { "type": ["string", "null"] } } });
            vec![(200, "A page", Some((JSON, page)))]
        }
        RouteKind::Command(command_type) => {
            let mut answers = vec![(202, "It is in the log, and not decided yet", Some((JSON, reference("Pending"))))];
            if command_type.description().creates {
                answers.push((201, "Made: as of the deciding epoch", one()));
            }
            if !command_type.description().creates || command_type == CommandType::PutProduct {
                answers.push((200, "Done: as of the deciding epoch", one()));
            }
            answers
        }
        RouteKind::Batch => {
            vec![(200, "A line for each, in order", Some(("application/x-ndjson", reference(route.schema))))]
        }
        RouteKind::Observation => vec![(202, "It is in the log", one())],
        RouteKind::Stream => {
            let about = "Server-sent events: `snapshot` `{epoch, rows:[{key, value}]}`, one or more; `change` `{epoch, \
                key, value}`, the value null if the row is gone; `progress` `{epoch}` with the epoch as its id: all \
                of that epoch was sent. Before it closes for one that reads too slowly: `overloaded`.";
            vec![(200, about, Some(("text/event-stream", json!({ "type": "string" }))))]
        }
        RouteKind::Plain if route.path == "/" => vec![(302, "To `/docs`", None)],
        RouteKind::Plain if route.schema.is_empty() => vec![(200, "It", None)],
        RouteKind::Plain if route.schema == "Ready" => {
            vec![(200, "The node may be asked", one()), (503, "It may not", one())]
        }
        RouteKind::Plain if route.schema == "Checkpoint" => vec![(201, "It was taken", one())],
        RouteKind::Plain => vec![(200, "It", one())],
    }
}

/// The problems that a route may answer with: status and code.
fn problems(route: &Route) -> Vec<(u16, &'static str)> {
    let faults =
        |faults: &[ApiErrorKind]| faults.iter().map(|fault| (fault.status(), fault.as_str())).collect::<Vec<_>>();
    let mut problems = match route.kind {
        RouteKind::Read | RouteKind::Stream => faults(READ_FAULTS),
        RouteKind::List => [faults(READ_FAULTS), faults(&[ApiErrorKind::BadCursor])].concat(),
        RouteKind::Command(command_type) => {
            let description = command_type.description();
            let refusal = |code: &Code| (status_of(*code, description.path_names_sku()), code.as_str());
            let refusals = ANY_COMMAND.iter().chain(description.rejections).map(refusal);
            faults(COMMAND_FAULTS).into_iter().chain(refusals).collect()
        }
        RouteKind::Batch => faults(COMMAND_FAULTS),
        RouteKind::Observation => {
            let mut problems = faults(COMMAND_FAULTS);
            problems.push((422, Code::Invalid.as_str()));
            problems
        }
        RouteKind::Plain => Vec::new(),
    };
    if matches!(route.kind, RouteKind::Read | RouteKind::List | RouteKind::Stream) {
        let has_cursor = route.params.iter().any(|param| param.name == "cursor");
        problems.extend(has_cursor.then(|| (ApiErrorKind::BadCursor.status(), ApiErrorKind::BadCursor.as_str())));
        problems.push((422, Code::Invalid.as_str()));
        problems.extend(route.missing.map(|code| (404, code)));
    }
    problems
}

/// Each method and path of the routes.
pub fn listed(routes: &[Route]) -> Vec<(Method, &'static str)> {
    routes.iter().map(|route| (route.method, route.path)).collect()
}
