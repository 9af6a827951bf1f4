//! Every code of the contract's table that a client can bring about, each once, at its status.
//! The others are where what brings them about is: `command_id_reused` in `repeats.rs`, `too_large` and
//! `unsupported_media_type` in `unread.rs`, `epoch_forgotten` and `not_yet_fresh` in `epochs.rs`, `overloaded`,
//! `log_unavailable` and `storage_full` in `limits.rs`, `starting` in `online_retail.rs` and among the serving room's
//! tests. `internal` is for what must not happen: only the serving room's tests can make it.

use crate::process::TestEnv;
use crate::process::shop::{credit, gbp, order, product, received, stock, unpaid_order};
use serde_json::{Value, json};

struct Case {
    status: u16,
    code: &'static str,
    method: &'static str,
    path: &'static str,
    body: Value,
    /// The place where the first error points; nothing if there need be none.
    pointer: &'static str,
}

fn case(status: u16, code: &'static str, request: &'static str, body: Value, pointer: &'static str) -> Case {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    Case { status, code, method, path, body, pointer }
}

/// What the cases meet: `A` in stock, `LEFT` no longer sold, orders in several states.
fn shop() -> TestEnv {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 10);
    env.command("PUT", "/api/v1/products/p", "p1", &product("reserve", &["KEPT", "LEFT"])).expect(201);
    env.command("PUT", "/api/v1/products/p", "p2", &product("reserve", &["KEPT"])).ok();
    env.post("/api/v1/orders", "paid", &order("A", 1)).expect(201);
    env.post("/api/v1/orders", "waiting", &unpaid_order("A", 1)).expect(201);
    env.post("/api/v1/orders", "shipped", &order("A", 2)).expect(201);
    env.post("/api/v1/orders/shipped/shipments", "ship", &json!({})).expect(201);
    let returned = json!({"return_id": "back", "lines": [{"line": 1, "quantity": 1}]});
    env.post("/api/v1/orders/shipped/returns", "return", &returned).expect(201);
    let refund = json!({"refund_id": "goodwill", "amount": gbp("1")});
    env.post("/api/v1/orders/shipped/refunds", "refund", &refund).expect(201);
    env.post("/api/v1/credits", "credit", &credit("c1", "A", 1)).expect(201);
    env.post("/api/v1/adjustments", "adjustment", &adjustment("taken")).expect(201);
    env
}

fn adjustment(id: &str) -> Value {
    json!({"adjustment_id": id, "currency": "GBP", "country": "GB", "amount": gbp("1")})
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there")) = value;
    body
}

fn placed(order_id: &str, mut body: Value) -> Value {
    body["order_id"] = json!(order_id);
    body
}

fn priced(amount: &str, currency: &str, quantity: i64) -> Value {
    let mut body = order("A", quantity);
    body["lines"][0]["unit_price"] = json!({"amount": amount, "currency": currency});
    body
}

/// What never reaches the log, and what the path names.
fn requests() -> Vec<Case> {
    let none = || Value::Null;
    vec![
        case(400, "malformed", "POST /api/v1/orders", json!([]), ""),
        case(400, "as_of_with_min_epoch", "GET /api/v1/stock/A?as_of=1", none(), ""),
        case(400, "bad_cursor", "GET /api/v1/views/stock?cursor=00", none(), ""),
        case(404, "not_found", "GET /api/v1/orders/nothing", none(), ""),
        case(404, "not_found", "GET /api/v1/products/nothing", none(), ""),
        case(404, "not_found", "GET /api/v1/credits/nothing", none(), ""),
        case(404, "not_found", "GET /api/v1/adjustments/nothing", none(), ""),
        case(404, "not_found", "GET /api/v1/operations/nothing", none(), ""),
        case(404, "not_found", "GET /api/v1/views/nothing", none(), ""),
        case(404, "not_found", "GET /api/v1/epochs/first", none(), ""),
        case(404, "not_found", "GET /api/v1/nothing", none(), ""),
        case(404, "not_found", "GET /nothing", none(), ""),
        case(404, "unknown_sku", "GET /api/v1/stock/nothing", none(), ""),
        case(404, "epoch_unknown", "GET /api/v1/epochs/1000000000", none(), ""),
        case(405, "method_not_allowed", "DELETE /api/v1/orders", none(), ""),
        case(405, "method_not_allowed", "PATCH /api/v1/orders/paid", json!({}), ""),
        case(405, "method_not_allowed", "POST /api/v1/epochs/latest", json!({}), ""),
        case(422, "invalid", "GET /api/v1/views/stock?limit=0", none(), "/limit"),
        case(
            422,
            "invalid",
            "POST /api/v1/stock/A/movements",
            json!({"sku": "B", "quantity": 1, "reason": "received"}),
            "/sku",
        ),
        case(422, "invalid", "POST /api/v1/orders/paid/cancellations", json!({"order_id": "other"}), "/order_id"),
        case(422, "invalid", "PUT /api/v1/products/p", with(product("reserve", &["A"]), "/title", json!(7)), "/title"),
        case(
            422,
            "invalid",
            "POST /api/v1/orders",
            with(order("A", 1), "/lines/0/quantity", json!("1")),
            "/lines/0/quantity",
        ),
        case(
            422,
            "invalid",
            "POST /api/v1/orders",
            with(order("A", 1), "/payment/method", json!("barter")),
            "/payment/method",
        ),
    ]
}

/// The cases that are decided.
fn refusals() -> Vec<Case> {
    let orders = "POST /api/v1/orders";
    let movements = "POST /api/v1/stock/A/movements";
    let results = |order_id: &str, status: &str, amount: &str| json!({"payment_id": order_id, "status": status, "amount": gbp(amount)});
    let two_lines = with(order("A", 1), "/lines", json!([{"sku": "A", "quantity": 6}, {"sku": "A", "quantity": 6}]));
    let (returns, refunds) = ("POST /api/v1/orders/shipped/returns", "POST /api/v1/orders/shipped/refunds");
    let returned = |id: &str, quantity: i64| json!({"return_id": id, "lines": [{"line": 1, "quantity": quantity}]});
    let refund = |id: &str, amount: &str| json!({"refund_id": id, "amount": gbp(amount)});
    vec![
        case(404, "not_found", "POST /api/v1/orders/nothing/cancellations", json!({}), ""),
        case(404, "not_found", "POST /api/v1/orders/nothing/shipments", json!({}), ""),
        case(404, "unknown_sku", "POST /api/v1/stock/nothing/movements", received(1), "/sku"),
        case(409, "out_of_stock", orders, two_lines, "/lines/1"),
        case(409, "insufficient_stock", movements, json!({"quantity": -100, "reason": "written_off"}), "/quantity"),
        case(409, "already_exists", orders, placed("paid", order("A", 1)), ""),
        case(409, "already_exists", "POST /api/v1/credits", credit("c1", "A", 1), ""),
        case(409, "already_exists", "POST /api/v1/adjustments", adjustment("taken"), ""),
        // Returns and refunds of an order share their ids.
        case(409, "already_exists", returns, returned("goodwill", 1), ""),
        case(409, "already_exists", refunds, refund("back", "1"), ""),
        case(409, "sku_taken", "PUT /api/v1/products/other", product("reserve", &["A"]), "/variants/0/sku"),
        case(409, "invalid_transition", "POST /api/v1/orders/waiting/shipments", json!({}), ""),
        case(409, "invalid_transition", "POST /api/v1/orders/shipped/shipments", json!({}), ""),
        case(422, "invalid", orders, order("A", 0), "/lines/0/quantity"),
        case(422, "invalid", orders, order("A", 1_000_000_001), "/lines/0/quantity"),
        case(422, "invalid", orders, with(order("A", 1), "/lines", json!([])), "/lines"),
        case(422, "invalid", orders, with(order("A", 1), "/currency", json!("gbp")), "/currency"),
        case(422, "invalid", orders, with(order("A", 1), "/country", json!("")), "/country"),
        case(422, "invalid", orders, placed(&"x".repeat(129), order("A", 1)), "/order_id"),
        case(422, "invalid", orders, placed("a\nb", order("A", 1)), "/order_id"),
        case(422, "invalid", movements, json!({"quantity": 0, "reason": "received"}), "/quantity"),
        case(
            422,
            "invalid",
            movements,
            json!({"quantity": 1, "reason": "received", "occurred_at": "2999-01-01T00:00:00Z"}),
            "/occurred_at",
        ),
        case(422, "invalid", "PUT /api/v1/products/other", product("reserve", &[]), "/variants"),
        case(422, "unknown_sku", orders, order("nothing", 1), "/lines/0"),
        case(422, "unknown_sku", "POST /api/v1/credits", credit("c2", "nothing", 1), "/lines/0"),
        case(422, "not_sold", orders, order("LEFT", 1), "/lines/0"),
        case(422, "currency_mismatch", orders, priced("1", "EUR", 1), "/lines/0"),
        case(
            422,
            "currency_mismatch",
            "POST /api/v1/adjustments",
            with(adjustment("a1"), "/amount/currency", json!("EUR")),
            "",
        ),
        case(422, "overflow", orders, priced("900000000000000", "GBP", 1_000_000), "/lines/0"),
        case(
            422,
            "amount_mismatch",
            "POST /api/v1/payments/waiting/results",
            results("waiting", "processed", "1"),
            "/amount",
        ),
        case(
            422,
            "unknown_payment",
            "POST /api/v1/payments/waiting/results",
            results("other", "processed", "12.50"),
            "/payment_id",
        ),
        case(422, "over_return", returns, returned("r1", 3), "/lines/0"),
        case(422, "over_refund", refunds, refund("r2", "99"), "/amount"),
    ]
}

fn run(env: &TestEnv, n: usize, case: &Case) {
    let Case { status, code, method, path, body, pointer } = case;
    let key = format!("case-{n}");
    let mut headers = vec![("idempotency-key", key.as_str())];
    if path.contains("as_of") {
        headers.push(("tradewind-min-epoch", "1"));
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let answer = env.call(method, path, &headers, text);
    let case = format!("{method} {path} {body}");
    assert_eq!(answer.problem(), (*status, (*code).to_owned()), "{case}");
    assert!(answer.epoch() > 0, "{case}");
    let errors = answer.json()["errors"].take();
    if !pointer.is_empty() {
        assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!(pointer), &json!(code)), "{case}: {errors}");
    }
}

#[test]
fn what_cannot_be_asked_has_no_outcome() {
    let env = shop();
    let before = env.digests();
    for (n, case) in requests().iter().enumerate() {
        run(&env, n, case);
        assert_eq!(env.get(&format!("/api/v1/operations/case-{n}")).status, 404, "{}", case.path);
    }
    assert_eq!(env.digests(), before);
}

#[test]
fn what_is_refused_has_its_code_and_changes_nothing_else() {
    let env = shop();
    let before = env.digests();
    for (n, case) in refusals().iter().enumerate() {
        run(&env, n, case);
        let operation = env.get(&format!("/api/v1/operations/case-{n}")).ok().json();
        assert_eq!(
            (&operation["status"], &operation["code"]),
            (&json!("rejected"), &json!(case.code)),
            "{}",
            case.path
        );
    }
    let after = env.digests();
    for view in ["products", "stock", "credits", "adjustments", "revenue"] {
        assert_eq!(after[view], before[view], "{view}");
    }
    env.assert_sound();
}

#[test]
fn an_answer_names_every_line_that_failed() {
    let env = shop();
    let lines = json!([
        {"sku": "LEFT", "quantity": 1}, {"sku": "A", "quantity": 1}, {"sku": "nothing", "quantity": 1},
        {"sku": "A", "quantity": 1, "unit_price": {"amount": "1", "currency": "EUR"}},
    ]);
    let answer = env.post("/api/v1/orders", "k1", &with(order("A", 1), "/lines", lines));
    assert_eq!(answer.problem(), (422, "not_sold".to_owned()));
    let errors = answer.json()["errors"].take();
    let told: Vec<_> = errors
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| (error["pointer"].clone(), error["code"].clone()))
        .collect();
    let expected = [("/lines/0", "not_sold"), ("/lines/2", "unknown_sku"), ("/lines/3", "currency_mismatch")];
    assert_eq!(told, expected.map(|(pointer, code)| (json!(pointer), json!(code))));
}
