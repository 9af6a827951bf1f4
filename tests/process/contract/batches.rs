//! `POST /commands`: lines, in order, none stopping another.

use crate::process::TestEnv;
use crate::process::http::assert_fields;
use crate::process::shop::{order, product, received};
use serde_json::{Value, json};

fn line(id: &str, command_type: &str, data: &Value) -> Vec<u8> {
    format!("{}\n", json!({"id": id, "type": command_type, "data": data})).into_bytes()
}

fn with(mut data: Value, field: &str, value: &str) -> Value {
    data[field] = json!(value);
    data
}

#[test]
fn lines_are_decided_in_order_and_a_bad_one_stops_no_other() {
    let env = TestEnv::start();
    let sale = |quantity| with(order("A", quantity), "order_id", "o1");
    let lines: Vec<Vec<u8>> = vec![
        line("k1", "PutProduct", &with(product("reserve", &["A"]), "product_id", "p")),
        line("k2", "MoveStock", &with(received(3), "sku", "A")),
        line("k3", "PlaceOrder", &sale(2)),
        line("k3", "PlaceOrder", &sale(2)),
        line("k3", "PlaceOrder", &sale(1)),
        b"{\n".to_vec(),
        b"{\"id\":\"k4\",\"id\":\"k5\",\"type\":\"ShipOrder\",\"data\":{\"order_id\":\"o1\"}}\n".to_vec(),
        b"{\"id\":\"k4\",\"type\":\"ShipOrder\",\"data\":{\"order_id\":\"\xff\"}}\n".to_vec(),
        b"[1]\n".to_vec(),
        line("k6", "EatOrder", &json!({"order_id": "o1"})),
        line("k 7", "ShipOrder", &json!({"order_id": "o1"})),
        line("k8", "ShipOrder", &json!({"order_id": 1})),
        line("k9", "ShipOrder", &json!({})),
        b"\n".to_vec(),
        line("k10", "PlaceOrder", &order("A", 2)),
        line("k11", "ShipOrder", &json!({"order_id": "o1"})),
    ];
    let expected = [
        r#""k1" "PutProduct" "succeeded" null false"#,
        r#""k2" "MoveStock" "succeeded" null false"#,
        r#""k3" "PlaceOrder" "succeeded" null false"#,
        r#""k3" "PlaceOrder" "succeeded" null true"#,
        r#""k3" "PlaceOrder" "rejected" "command_id_reused" false"#,
        r#"null null "rejected" "malformed" false"#,
        r#"null null "rejected" "malformed" false"#,
        r#"null null "rejected" "malformed" false"#,
        r#"null null "rejected" "malformed" false"#,
        r#""k6" "EatOrder" "rejected" "invalid" false"#,
        r#"null "ShipOrder" "rejected" "invalid" false"#,
        r#""k8" "ShipOrder" "rejected" "invalid" false"#,
        r#""k9" "ShipOrder" "rejected" "invalid" false"#,
        r#""k10" "PlaceOrder" "rejected" "out_of_stock" false"#,
        r#""k11" "ShipOrder" "succeeded" null false"#,
    ];
    let body = lines.concat();
    let outcomes = env.batch(&body);
    let told = |outcome: &Value| {
        ["command_id", "type", "status", "code", "replayed"].map(|field| outcome[field].to_string()).join(" ")
    };
    assert_eq!(outcomes.iter().map(told).collect::<Vec<_>>(), expected);
    assert_fields(&outcomes[0], &["command_id", "type", "status", "epoch", "ids", "code", "errors", "replayed"]);
    assert_eq!((&outcomes[2]["ids"]["order_id"], &outcomes[2]["errors"]), (&json!("o1"), &json!([])));
    assert_eq!(outcomes[11]["errors"][0]["pointer"], "/order_id");
    assert_eq!(outcomes[13]["errors"][0]["pointer"], "/lines/0");
    let epochs: Vec<u64> = outcomes.iter().filter_map(|outcome| outcome["epoch"].as_u64()).collect();
    assert!(epochs.is_sorted() && epochs.len() == 7, "decided lines name their epoch: {epochs:?}");
    // All of it again: nothing happens, and everything decided says so.
    let again = env.batch(&body);
    let replayed = again.iter().filter(|outcome| outcome["replayed"] == true).count();
    assert_eq!(replayed, 6, "{again:?}");
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 1);
    // What was never in the log has no outcome.
    for id in ["k4", "k5", "k6", "k8", "k9"] {
        assert_eq!(env.get(&format!("/api/v1/operations/{id}")).problem(), (404, "not_found".to_owned()), "{id}");
    }
}

#[test]
fn a_batch_has_its_limits() {
    let env = TestEnv::start();
    let post =
        |content_type: &str, body: &[u8]| env.call("POST", "/api/v1/commands", &[("content-type", content_type)], body);
    let movement = |n: usize| line(&format!("k{n}"), "MoveStock", &with(received(1), "sku", "A"));
    env.batch(line("p", "PutProduct", &with(product("reserve", &["A"]), "product_id", "p")));
    let thousand: Vec<u8> = (0..1_000).flat_map(movement).collect();
    let outcomes = env.batch(&thousand);
    assert!(outcomes.len() == 1_000 && outcomes.iter().all(|outcome| outcome["status"] == "succeeded"));
    let more = [thousand, movement(1_000)].concat();
    assert_eq!(post("application/x-ndjson", &more).problem(), (413, "too_large".to_owned()));
    let large = vec![b' '; (8 << 20) + 1];
    assert_eq!(post("application/x-ndjson", &large).problem(), (413, "too_large".to_owned()));
    assert_eq!(post("application/json", &movement(1)).problem(), (415, "unsupported_media_type".to_owned()));
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 1_000);
    // A record beyond 1 MiB would be a dead letter; here it is refused, and the other line is not.
    let long = line("long", "MoveStock", &with(with(received(1), "sku", "A"), "reference", &"x".repeat(1 << 20)));
    let outcomes = env.batch([long, movement(1_001)].concat());
    assert_eq!((&outcomes[0]["code"], &outcomes[1]["status"]), (&json!("invalid"), &json!("succeeded")));
}

#[test]
fn a_batch_need_not_wait() {
    let env = TestEnv::start();
    let headers = [("content-type", "application/x-ndjson"), ("prefer", "respond-async")];
    let product = line("k1", "PutProduct", &with(product("reserve", &["A"]), "product_id", "p"));
    let answer = env.call("POST", "/api/v1/commands", &headers, product).ok();
    let outcome: Value = serde_json::from_str(answer.text()).expect("one line");
    assert_eq!(
        (&outcome["command_id"], &outcome["status"], &outcome["epoch"]),
        (&json!("k1"), &json!("pending"), &Value::Null)
    );
    assert_eq!(env.decided("k1").json()["status"], "succeeded");
}
