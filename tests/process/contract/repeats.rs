//! One command id, one outcome: repeats, spellings, races, and ids used for something else.

use crate::process::shop::{gbp, order, product, received, stock};
use crate::process::{TestEnv, at_once};
use serde_json::{Value, json};

#[test]
fn a_repeat_has_the_first_answer_and_does_nothing() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let first = env.post("/api/v1/orders", "k1", &order("A", 2)).expect(201);
    let again = env.post("/api/v1/orders", "k1", &order("A", 2)).expect(201);
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(again.json(), first.json());
    // The body is the resource as of the answer's epoch.
    env.post("/api/v1/orders/k1/cancellations", "k2", &json!({})).ok();
    let again = env.post("/api/v1/orders", "k1", &order("A", 2)).expect(201);
    assert_eq!((again.header("idempotent-replayed"), &again.json()["status"]), ("true", &json!("cancelled")));
    // Refusals are remembered too, whatever has happened since.
    env.post("/api/v1/orders", "k3", &order("A", 6)).expect(409);
    env.post("/api/v1/stock/A/movements", "k4", &received(5)).expect(201);
    let again = env.post("/api/v1/orders", "k3", &order("A", 6));
    assert_eq!((again.problem(), again.header("idempotent-replayed")), ((409, "out_of_stock".to_owned()), "true"));
    // That a product was new is remembered, too.
    let put = |key: &str| env.command("PUT", "/api/v1/products/p", key, &product("reserve", &["B"]));
    assert_eq!([put("k5"), put("k6"), put("k5"), put("k6")].map(|answer| answer.status), [201, 200, 201, 200]);
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 10);
}

#[test]
fn what_is_not_there_yet_leaves_the_id_free() {
    let mut env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let cancel = |env: &TestEnv| env.post("/api/v1/orders/o1/cancellations", "k1", &json!({}));
    for _ in 0..2 {
        let refused = cancel(&env);
        assert_eq!((refused.problem(), refused.header("idempotent-replayed")), ((404, "not_found".to_owned()), ""));
        assert!(!refused.json()["detail"].to_string().contains("Idempotency-Key"), "{refused:?}");
    }
    // Other data under it is another command, decided as any.
    let moved = |env: &TestEnv, sku: &str| env.post(&format!("/api/v1/stock/{sku}/movements"), "k1", &received(1));
    assert_eq!(moved(&env, "nothing").problem(), (404, "unknown_sku".to_owned()));
    assert_eq!(env.get("/api/v1/operations/k1").ok().json()["type"], "MoveStock");
    // A restart knows no more and no less.
    env.stop();
    env.restart(&crate::process::Way::default());
    let mut placed = order("A", 1);
    placed["order_id"] = json!("o1");
    env.post("/api/v1/orders", "k2", &placed).expect(201);
    let cancelled = cancel(&env).ok();
    assert_eq!((cancelled.header("idempotent-replayed"), &cancelled.json()["status"]), ("", &json!("cancelled")));
    assert_eq!(cancel(&env).ok().header("idempotent-replayed"), "true");
    assert_eq!(moved(&env, "A").problem(), (422, "command_id_reused".to_owned()));
    assert_eq!(env.get("/api/v1/operations/k1").ok().json()["type"], "CancelOrder");
    // An order's unknown SKU is a fault of a line, and remembered.
    env.post("/api/v1/orders", "k3", &order("B", 1)).expect(422);
    let again = env.post("/api/v1/orders", "k3", &order("B", 1)).expect(422);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert!(again.json()["detail"].to_string().contains("Idempotency-Key"), "{again:?}");
}

#[test]
fn an_id_is_of_one_command_whatever_the_route() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    env.post("/api/v1/orders", "k1", &order("A", 1)).expect(201);
    let before = env.get("/api/v1/operations/k1").ok().json();
    let others = [
        env.post("/api/v1/orders", "k1", &order("A", 2)),
        env.post("/api/v1/orders/k1/cancellations", "k1", &json!({})),
        env.post("/api/v1/stock/A/movements", "k1", &received(1)),
    ];
    for answer in others {
        assert_eq!(answer.problem(), (422, "command_id_reused".to_owned()));
        assert_eq!(answer.header("idempotent-replayed"), "");
    }
    assert_eq!(env.get("/api/v1/operations/k1").ok().json(), before);
    // The same data about another thing is another command.
    stock(&env, "B", "reserve", 5);
    env.post("/api/v1/stock/A/movements", "k2", &received(1)).expect(201);
    assert_eq!(env.post("/api/v1/stock/B/movements", "k2", &received(1)).problem().1, "command_id_reused");
}

#[test]
fn spelling_does_not_make_another_command() {
    let env = TestEnv::start();
    stock(&env, "A", "track_only", 0);
    let spellings = [
        r#"{"currency":"GBP","country":"GB","lines":[{"sku":"A","quantity":1,"unit_price":{"amount":"12.50","currency":"GBP"}}],"payment":{"method":"settled"},"occurred_at":"2010-12-01T08:26:00Z"}"#,
        r#"{"currency":"GBP","country":"GB","lines":[{"sku":"A","quantity":1,"unit_price":{"amount":"12.5","currency":"GBP"}}],"payment":{"method":"settled"},"occurred_at":"2010-12-01T08:26:00.000Z"}"#,
        r#" { "occurred_at" : "2010-12-01t09:56:00.0000000+01:30", "payment":{"token":null,"method":"settled"}, "customer_id": null,
            "lines":[{"unit_price":{"currency":"GBP","amount":"0012.500000"},"quantity":1,"sku":"\u0041"}],
            "country":"GB","currency":"GBP","a_field_of_tomorrow":[{}] } "#,
        r#"{"order_id":"k1","currency":"GBP","country":"GB","lines":[{"sku":"A","quantity":1,"unit_price":{"amount":"12.5000","currency":"GBP"}}],"payment":{"method":"settled"},"occurred_at":"2010-12-01T08:26:00Z"}"#,
    ];
    for (n, spelling) in spellings.iter().enumerate() {
        let headers = [("idempotency-key", "k1"), ("prefer", "handling=lenient")];
        let answer = env.call("POST", "/api/v1/orders", &headers, spelling).expect(201);
        assert_eq!(answer.header("idempotent-replayed"), if n == 0 { "" } else { "true" }, "{spelling}");
        assert_eq!(answer.json()["placed_at"], "2010-12-01T08:26:00Z");
        assert_eq!(answer.json()["total"], gbp("12.50"));
    }
    let other = spellings[0].replace("08:26:00Z", "08:26:00.000001Z");
    let answer = env.call("POST", "/api/v1/orders", &[("idempotency-key", "k1")], other);
    assert_eq!(answer.problem(), (422, "command_id_reused".to_owned()));
    // What a default says, and what the path says, may be said too.
    let movement = |body: Value| env.post("/api/v1/stock/A/movements", "k2", &body).expect(201);
    let first = movement(json!({"quantity": 1, "reason": "received"}));
    let again =
        movement(json!({"sku": "A", "location": "main", "quantity": 1, "reason": "received", "reference": null}));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
}

#[test]
fn of_many_at_once_one_is_first() {
    const AT_ONCE: usize = 16;
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 100);
    let apis: Vec<_> = (0..AT_ONCE).map(|_| env.client()).collect();
    for round in 0..5 {
        let key = format!("k{round}");
        let answers = at_once(&apis, |_, api| api.post("/api/v1/orders", &key, &order("A", 1)));
        assert!(answers.iter().all(|answer| answer.status == 201 && answer.json()["order_id"] == *key));
        assert!(answers.iter().any(|answer| answer.header("idempotent-replayed").is_empty()), "one was first");
    }
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["reserved"], 5);
}

#[test]
fn an_id_that_is_none_is_refused_and_an_absent_one_made() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let long = "k".repeat(201);
    for key in ["", "a b", "a\tb", "ü", &long] {
        let answer = env.post("/api/v1/orders", key, &order("A", 1));
        assert_eq!(answer.problem(), (400, "malformed".to_owned()), "{key:?}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = env.call("POST", "/api/v1/orders", &twice, order("A", 1).to_string());
    assert_eq!(answer.problem(), (400, "malformed".to_owned()));
    let longest = format!("!{}~", "k".repeat(198));
    let mut named = order("A", 1);
    named["order_id"] = json!("o1");
    env.post("/api/v1/orders", &longest, &named).expect(201);
    let mut made = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let answer = env.call("POST", "/api/v1/orders", &[], order("A", 1).to_string()).expect(201);
        made.insert(answer.json()["order_id"].to_string());
    }
    assert_eq!(made.len(), 2, "each is a command of its own");
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["reserved"], 3);
}
