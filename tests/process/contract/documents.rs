//! The routes beside the shop: probes, figures, the document of the routes.

use crate::process::TestEnv;
use crate::process::http::assert_fields;
use crate::process::shop::{order, stock};
use std::collections::BTreeSet;

/// The contract's routes of the first issue.
const ROUTES: [&str; 27] = [
    "post /api/v1/commands",
    "put /api/v1/products/{id}",
    "get /api/v1/products/{id}",
    "post /api/v1/stock/{sku}/movements",
    "get /api/v1/stock/{sku}",
    "post /api/v1/orders",
    "get /api/v1/orders/{id}",
    "post /api/v1/orders/{id}/cancellations",
    "post /api/v1/orders/{id}/shipments",
    "post /api/v1/credits",
    "get /api/v1/credits/{id}",
    "post /api/v1/adjustments",
    "get /api/v1/adjustments/{id}",
    "get /api/v1/analytics/revenue",
    "get /api/v1/operations/{command_id}",
    "get /api/v1/epochs/latest",
    "get /api/v1/epochs/{n}",
    "get /api/v1/views",
    "get /api/v1/views/{view}",
    "get /api/v1/invariants",
    "get /health/live",
    "get /health/ready",
    "get /metrics",
    "get /openapi.json",
    "get /docs",
    "get /api/v1/products",
    "get /api/v1/stock",
];

#[test]
fn the_document_has_every_route() {
    let env = TestEnv::start();
    let answer = env.get("/openapi.json").ok();
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", document["openapi"]);
    let paths = document["paths"].as_object().expect("an object");
    let operations = |(path, item): (&String, &serde_json::Value)| {
        let methods = item.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        methods.into_iter().map(|method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    let found: BTreeSet<String> = paths.iter().flat_map(operations).collect();
    for route in ROUTES {
        assert!(found.contains(route), "{route} is in the document");
    }
    // Nothing is announced that is not there, other than by its code for what the path names.
    for route in &found {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let path = path.replace(['{', '}'], "");
        let answer = env.call(&method.to_uppercase(), &path, &[("idempotency-key", "k")], "");
        assert_ne!(answer.status, 405, "{route}");
        assert!(
            answer.status != 404 || !answer.json()["detail"].as_str().unwrap_or_default().contains("route"),
            "{route}"
        );
    }
}

#[test]
fn the_page_to_read_needs_no_other_place() {
    let env = TestEnv::start();
    let page = env.get("/docs").ok();
    assert!(page.header("content-type").starts_with("text/html"));
    for outside in ["http://", "https://", "src=\"//", "href=\"//", "@import"] {
        assert!(!page.text().contains(outside), "{outside} is in the page");
    }
}

#[test]
fn probes_say_how_the_node_is() {
    let env = TestEnv::start();
    env.get("/health/live").ok();
    let ready = env.get("/health/ready").ok().json();
    assert_fields(&ready, &["ready", "epoch", "kafka", "why"]);
    assert_eq!((&ready["ready"], ready["epoch"].is_u64()), (&true.into(), true));
}

#[test]
fn figures_are_in_the_form_that_prometheus_reads() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 1);
    env.post("/api/v1/orders", "k1", &order("A", 1)).expect(201);
    env.post("/api/v1/orders", "k2", &order("A", 1)).expect(409);
    let epoch = env.get("/api/v1/epochs/latest").ok().epoch();
    let answer = env.get("/metrics").ok();
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let mut declared = BTreeSet::new();
    let mut figures = std::collections::BTreeMap::new();
    for line in answer.text().lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.split(' ');
            let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            assert!(["HELP", "TYPE"].contains(&kind), "{line}");
            declared.insert(name.to_owned());
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line} has a value"));
        let bare = name.split('{').next().unwrap_or_default();
        let of = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end)).unwrap_or(bare);
        assert!(declared.contains(bare) || declared.contains(of), "{line} is declared");
        let is_ours = bare.starts_with("tradewind_") || bare.starts_with("process_");
        assert!(is_ours && name.contains('{') == name.ends_with('}'), "{line}");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line} has a number"));
        assert!(figures.insert(name.to_owned(), value).is_none(), "{name} is there once");
    }
    assert!(figures["tradewind_epoch"] >= epoch as f64);
    assert_eq!(figures["tradewind_commands_total{code=\"succeeded\"}"], 3.0);
    assert_eq!(figures["tradewind_commands_total{code=\"out_of_stock\"}"], 1.0);
}
