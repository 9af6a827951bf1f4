//! Values at their bounds and beyond.

use super::{TestEnv, gbp, order};
use serde_json::{Value, json};

/// A product with every text and list as large as it may be, but for the one at `pointer`.
fn product(pointer: &str, value: Value) -> Value {
    let long = |chars: usize| "ä".repeat(chars);
    let mut data = json!({"product_id": long(128), "title": long(256), "description": long(10_000), "brand": long(256),
        "category": vec![long(100); 10], "attributes": {long(100): long(1_000), "a/b~c": ""},
        "variants": [{"sku": long(128), "title": long(256), "price": gbp("1")}]});
    if !pointer.is_empty() {
        *data.pointer_mut(pointer).unwrap() = value;
    }
    data
}

#[test]
fn texts_and_lists_of_a_product_have_bounds() {
    let mut env = TestEnv::new();
    env.given("PutProduct", product("", Value::Null));
    env.given("PutProduct", product("/description", json!("several\r\nlines\tand tabs")));
    let long = |chars: usize| json!("ä".repeat(chars));
    let named = |count: usize| (0..count).map(|n| (n.to_string(), json!("v"))).collect::<serde_json::Map<_, _>>();
    env.given("PutProduct", product("/attributes", Value::Object(named(200))));
    for (pointer, value) in [
        ("/title", json!("")),
        ("/title", long(257)),
        ("/title", json!("two\nlines")),
        ("/description", long(10_001)),
        ("/description", json!("a\u{0}b")),
        ("/brand", json!("")),
        ("/brand", long(257)),
        ("/brand", json!("\u{85}")),
        ("/category", json!(vec!["c"; 11])),
        ("/category/9", long(101)),
        ("/category/3", json!("")),
        ("/category/3", json!("tab\t")),
        ("/attributes", Value::Object(named(201))),
        ("/attributes", json!({"n".repeat(101): "v"})),
        ("/attributes", json!({"n\u{7}": "v"})),
        ("/attributes/a~1b~0c", long(1_001)),
        ("/attributes/a~1b~0c", json!("a\nb")),
        ("/variants/0/title", json!("")),
        ("/variants/0/title", long(257)),
        ("/variants/0/sku", long(129)),
        ("/variants", json!([])),
    ] {
        assert_eq!(env.when("PutProduct", product(pointer, value)).outcome, format!("invalid {pointer}"));
    }
}

#[test]
fn a_product_has_a_thousand_variants() {
    let mut env = TestEnv::new();
    let with = |count: usize| {
        let variants: Vec<_> = (0..count).map(|n| json!({"sku": format!("V{n}"), "price": gbp("1")})).collect();
        json!({"product_id": "p", "title": "t", "variants": variants})
    };
    env.given("PutProduct", with(1_000));
    assert_eq!(env.when("PutProduct", with(1_001)).outcome, "invalid /variants");
}

#[test]
fn texts_of_other_commands_have_bounds() {
    let mut env = TestEnv::stocked();
    env.given_paid("o1", 1);
    let document = json!({"credit_id": "c", "adjustment_id": "a", "currency": "GBP", "country": "GB",
        "amount": gbp("1"), "lines": [{"sku": "A", "quantity": 1, "unit_price": gbp("1")}]});
    let stock = json!({"sku": "A", "quantity": 1, "reason": "received", "from": "main", "to": "east"});
    let of_order = json!({"order_id": "o1", "payment_id": "o1", "refund_id": "r", "status": "processed",
        "amount": gbp("1")});
    let long = |chars: usize| json!("ä".repeat(chars));
    let (text, note) = ([json!(""), long(257), json!("a\nb")], [long(10_001), json!("\u{1b}[0m")]);
    let mut sandbox = order("o2", "sandbox", &[("A", 1)]);
    sandbox["payment"]["token"] = json!("");
    let mut cases: Vec<(&str, &Value, &str, Value)> = Vec::new();
    for (command, data, pointer) in [
        ("MoveStock", &stock, "/reference"),
        ("TransferStock", &stock, "/reference"),
        ("RecordCredit", &document, "/reference"),
        ("RecordAdjustment", &document, "/reference"),
        ("ShipOrder", &of_order, "/carrier"),
        ("ShipOrder", &of_order, "/tracking"),
    ] {
        cases.extend(text.iter().map(|text| (command, data, pointer, text.clone())));
    }
    for command in ["CancelOrder", "RecordShipmentFailure", "RecordPaymentResult", "IssueRefund"] {
        cases.extend(note.iter().map(|note| (command, &of_order, "/reason", note.clone())));
    }
    for country in [json!(""), long(65), json!("D\u{0}E"), json!("D\nE")] {
        for (command, data) in [("PlaceOrder", &sandbox), ("RecordCredit", &document), ("RecordAdjustment", &document)]
        {
            cases.push((command, data, "/country", country.clone()));
        }
    }
    for token in [long(2_049), json!("a\tb")] {
        cases.push(("PlaceOrder", &sandbox, "/payment/token", token));
    }
    for (command, data, pointer, value) in cases {
        let mut data = data.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        data.pointer_mut(parent).unwrap()[field] = value.clone();
        assert_eq!(env.when(command, data).outcome, format!("invalid {pointer}"), "{command} {value}");
    }
    sandbox["payment"]["token"] = long(2_048);
    env.given("PlaceOrder", sandbox);
    env.given("CancelOrder", json!({"order_id": "o2", "reason": "ä\n".repeat(5_000)}));
    env.given("MoveStock", json!({"sku": "A", "quantity": 1, "reason": "received", "reference": "ä".repeat(256)}));
}

#[test]
fn the_policy_allows_up_to_five_thousand_lines() {
    let mut env = TestEnv::stocked();
    let lines = |count: usize| order(&format!("o{count}"), "settled", &vec![("D", 1); count]);
    env.given("PlaceOrder", lines(1_500));
    assert_eq!(env.when("PlaceOrder", lines(1_501)).outcome, "invalid /lines");
    for lines in [0, 5_001] {
        assert_eq!(env.when("PutPolicy", json!({"order_lines_max": lines})).outcome, "invalid /order_lines_max");
    }
    env.given("PutPolicy", json!({"order_lines_max": 5_000})).given("PlaceOrder", lines(5_000));
    let entries = vec![json!({"line": 1, "quantity": 1}); 5_001];
    let returned = json!({"order_id": "o5000", "return_id": "r", "lines": entries});
    assert_eq!(env.when("ReturnItems", returned).outcome, "invalid /lines");
}

#[test]
fn a_refusal_names_a_hundred_errors_and_keeps_ids_within_their_bound() {
    let mut env = TestEnv::stocked();
    let then = env.when_id("k", "PlaceOrder", order("o1", "settled", &vec![("X", 1); 300]));
    assert!(then.outcome.starts_with("unknown_sku /lines/0 ") && then.outcome.ends_with(" /lines/99"));
    assert_eq!(env.operation("k")["errors"].as_array().map(Vec::len), Some(100));
    assert_eq!(then.events[0]["errors"].as_array().map(Vec::len), Some(100));
    let long = "x".repeat(129);
    env.when_id("long", "IssueRefund", json!({"order_id": long, "refund_id": long, "amount": gbp("1")}));
    assert_eq!(env.operation("long")["ids"], json!({}));
    env.when_id("part", "IssueRefund", json!({"order_id": "o", "refund_id": long, "amount": gbp("1")}));
    assert_eq!(env.operation("part")["ids"], json!({"order_id": "o"}));
}

#[test]
fn a_sku_has_a_hundred_windows_and_those_that_are_over_are_dropped() {
    let mut env = TestEnv::stocked();
    let window = |to: &str| json!({"product_id": "p-A", "sku": "A", "price": gbp("1"), "valid_to": to});
    let windows = |env: &TestEnv| env.product("p-A")["variants"][0]["scheduled"].as_array().map_or(0, Vec::len);
    for _ in 0..99 {
        env.given("SetPrice", window("2026-01-01T00:10:00Z"));
    }
    env.given("SetPrice", window("2026-01-01T00:20:00Z"));
    assert_eq!(env.when("SetPrice", window("2026-01-01T00:20:00Z")).outcome, "invalid /sku");
    // One that is over gets its event, and is not kept.
    let then = env.when("SetPrice", window("2026-01-01T00:00:01Z"));
    assert_eq!((then.outcome.as_str(), then.events.len(), windows(&env)), ("succeeded", 1, 100));
    env.wait(600);
    env.given("SetPrice", window("2026-01-01T00:20:00Z"));
    assert_eq!(windows(&env), 2);
    env.wait(600);
    env.given("ArchiveProduct", json!({"product_id": "p-A"}));
    assert_eq!(windows(&env), 0);
}

#[test]
fn a_variant_that_is_left_out_loses_its_windows() {
    let mut env = TestEnv::stocked();
    env.given(
        "SetPrice",
        json!({"product_id": "p-A", "sku": "A", "price": gbp("1"), "valid_from": "2026-01-01T00:00:00Z"}),
    );
    let with = |sku: &str| json!({"product_id": "p-A", "title": "t", "variants": [{"sku": sku, "price": gbp("2")}]});
    env.given("PutProduct", with("A2")).given("PutProduct", with("A"));
    assert_eq!(env.product("p-A")["variants"][0]["scheduled"], json!([]));
}

#[test]
fn a_sku_has_stock_at_a_thousand_locations() {
    let mut env = TestEnv::stocked();
    let at = |location: &str| json!({"sku": "A", "location": location, "quantity": 1, "reason": "received"});
    for n in 2..1_000 {
        env.given("MoveStock", at(&format!("l{n}")));
    }
    assert_eq!(env.when("MoveStock", at("one more")).outcome, "invalid /location");
    let transfer = json!({"sku": "A", "from": "main", "to": "one more", "quantity": 1});
    assert_eq!(env.when("TransferStock", transfer).outcome, "invalid /to");
    env.given("MoveStock", at("l500"));
}

#[test]
fn an_order_has_two_hundred_returns_and_as_many_refunds() {
    let mut env = TestEnv::new();
    let variant = json!({"sku": "D", "price": gbp("1"), "inventory_policy": "none"});
    env.given("PutProduct", json!({"product_id": "p", "title": "t", "variants": [variant]}));
    env.given("PlaceOrder", order("o1", "settled", &[("D", 1_000)]));
    env.given("ShipOrder", json!({"order_id": "o1"}));
    let back =
        |n: usize| json!({"order_id": "o1", "return_id": format!("r{n}"), "lines": [{"line": 1, "quantity": 1}]});
    let refund = |n: usize| json!({"order_id": "o1", "refund_id": format!("f{n}"), "amount": gbp("0.01")});
    for n in 0..200 {
        env.given("ReturnItems", back(n)).given("IssueRefund", refund(n));
    }
    assert_eq!(env.when("ReturnItems", back(200)).outcome, "invalid /return_id");
    assert_eq!(env.when("IssueRefund", refund(200)).outcome, "invalid /refund_id");
}

#[test]
fn stock_beyond_64_bits_is_refused() {
    let mut env = TestEnv::stocked();
    env.set_stock("A", &[("main", i64::MAX - 5, 0), ("east", 0, 0)]);
    let at = |location: &str, quantity: i64| json!({"sku": "A", "location": location, "quantity": quantity, "reason": "received"});
    assert_eq!(env.when("MoveStock", at("main", 6)).outcome, "overflow");
    assert_eq!(env.when("MoveStock", at("east", 6)).outcome, "overflow");
    env.given("MoveStock", at("east", 5));
    env.set_stock("T", &[("main", i64::MIN + 5, 0)]);
    assert_eq!(env.when("PlaceOrder", order("o1", "settled", &[("T", 6)])).outcome, "overflow");
    env.given("PlaceOrder", order("o2", "settled", &[("T", 5)]));
}
