//! Commands over HTTP: accepted, refused, repeated, late, in a batch, with the log away.

use super::env::{Mode, PRODUCT, TestEnv, order};
use dataflows::ports::AppendError;
use serde_json::{Value, json};

#[tokio::test]
async fn an_order_is_placed_and_answered_as_of_its_epoch() {
    let env = TestEnv::stocked().await;
    let reply = env.order("k1", 2).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let body = reply.json();
    assert_eq!((&body["order_id"], &body["status"]), (&json!("k1"), &json!("paid")));
    assert_eq!(body["total"], json!({"amount": "25.00", "currency": "GBP"}));
    assert_eq!(reply.epoch(), 4);
    assert_eq!(reply.header("idempotent-replayed"), "");
    assert_eq!(reply.header("location"), "/api/v1/orders/k1");
    assert_eq!(env.get("/api/v1/orders/k1").await.body, reply.body);
    let stock = env.get("/api/v1/stock/A").await.json();
    assert_eq!((&stock["on_hand"], &stock["reserved"], &stock["available"]), (&json!(10), &json!(2), &json!(8)));
}

#[tokio::test]
async fn a_repeat_has_the_first_status_and_ids_and_is_not_appended() {
    let env = TestEnv::stocked().await;
    let first = env.order("k1", 2).await;
    let appends = env.log.appends();
    env.log.cut();
    let again = env.order("k1", 2).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (first.status, "true"));
    assert_eq!((again.body, env.log.appends()), (first.body, appends));
    let other = env.order("k1", 3).await;
    assert_eq!(other.problem(), (422, "command_id_reused".to_owned()));
    // A refusal is remembered too, and so is that a product was new.
    assert_eq!(env.order("k2", 11).await.problem(), (409, "out_of_stock".to_owned()));
    let again = env.order("k2", 11).await;
    assert_eq!((again.problem(), again.header("idempotent-replayed")), ((409, "out_of_stock".to_owned()), "true"));
    let put = [("idempotency-key", "p2")];
    let product = super::env::PRODUCT.replace("\"A\"", "\"C\"").replace("\"B\"", "\"D\"");
    for replayed in ["", "true", "true"] {
        let reply = env.call("PUT", "/api/v1/products/p2", &put, product.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.header("idempotent-replayed")), (201, replayed));
    }
    assert_eq!(env.call("PUT", "/api/v1/products/p2", &[], product).await.status, 200);
}

#[tokio::test]
async fn of_two_that_race_one_is_first_and_another_command_is_told_so() {
    let env = TestEnv::stocked().await;
    env.set_mode(Mode::Hold);
    let (one, two, other, ()) =
        tokio::join!(env.order("k1", 2), env.order("k1", 2), env.order("k1", 5), async { env.log.cut() });
    assert_eq!((one.status.as_u16(), one.header("idempotent-replayed")), (201, ""));
    assert_eq!((two.status.as_u16(), two.header("idempotent-replayed")), (201, "true"));
    assert_eq!(other.problem(), (422, "command_id_reused".to_owned()));
    assert_eq!(env.get("/api/v1/stock/A").await.json()["reserved"], 2);
}

#[tokio::test]
async fn a_refusal_names_every_line() {
    let env = TestEnv::stocked().await;
    let body =
        order(1).replace(r#"[{"sku":"A","quantity":1}]"#, r#"[{"sku":"X","quantity":1},{"sku":"A","quantity":99}]"#);
    let reply = env.call("POST", "/api/v1/orders", &[], body).await;
    assert_eq!(reply.problem(), (422, "unknown_sku".to_owned()));
    assert_eq!(reply.json()["errors"][0]["pointer"], "/lines/0");
    let moved = env.call("POST", "/api/v1/stock/X/movements", &[], r#"{"quantity":1,"reason":"received"}"#).await;
    assert_eq!(moved.problem(), (404, "unknown_sku".to_owned()));
    let cancelled = env.call("POST", "/api/v1/orders/none/cancellations", &[], "").await;
    assert_eq!(cancelled.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_read_never_reaches_the_log() {
    let env = TestEnv::stocked().await;
    let appends = env.log.appends();
    let movement = |body: &'static str| env.call("POST", "/api/v1/stock/A/movements", &[], body);
    for body in ["", "[]", "{", r#"{"quantity":1,"quantity":2,"reason":"received"}"#] {
        assert_eq!(movement(body).await.problem(), (400, "malformed".to_owned()), "{body}");
    }
    let shape = movement(r#"{"quantity":"1","reason":"received"}"#).await;
    assert_eq!(shape.problem(), (422, "invalid".to_owned()));
    assert_eq!(shape.json()["errors"][0]["pointer"], "/quantity");
    assert_eq!(shape.json()["errors"][0]["code"], "invalid");
    let other = movement(r#"{"sku":"B","quantity":1,"reason":"received"}"#).await;
    assert_eq!((other.problem().0, &other.json()["errors"][0]["pointer"]), (422, &json!("/sku")));
    let same = movement(r#"{"sku":"A","quantity":1,"reason":"received"}"#).await;
    assert_eq!(same.status, 201);
    let too_long = "k".repeat(201);
    for key in ["", "a b", too_long.as_str()] {
        let reply = env.call("POST", "/api/v1/orders", &[("idempotency-key", key)], order(1)).await;
        assert_eq!(reply.problem(), (400, "malformed".to_owned()), "{key}");
    }
    let text = [("content-type", "text/plain")];
    let reply = env.call("POST", "/api/v1/orders", &text, order(1)).await;
    assert_eq!(reply.problem(), (415, "unsupported_media_type".to_owned()));
    let large = format!("{}{}", order(1), " ".repeat(1 << 20));
    let reply = env.call("POST", "/api/v1/orders", &[], large).await;
    assert_eq!(reply.problem(), (413, "too_large".to_owned()));
    assert_eq!(env.log.appends(), appends + 1);
}

#[tokio::test]
async fn what_a_command_does_not_have_is_refused_by_its_pointer_unless_it_is_to_be_passed_by() {
    let env = TestEnv::stocked().await;
    let appends = env.log.appends();
    let body = r#"{"custommer_id":"c1","currency":"GBP","country":"EIRE","payment":{"method":"settled","a/b":1},
        "lines":[{"sku":"A","quantity":1},{"sku":"A","quantity":1,"unitprice":null}]}"#;
    let refused = env.call("POST", "/api/v1/orders", &[], body).await;
    assert_eq!(refused.problem(), (422, "invalid".to_owned()));
    let errors = refused.json()["errors"].clone();
    let pointers: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/lines/1/unitprice", "/payment/a~1b", "/custommer_id"]);
    let line = json!({"id": "l1", "type": "CancelOrder", "data": {"order_id": "o1", "why": "?"}}).to_string();
    let lines = [("content-type", "application/x-ndjson")];
    let outcome = env.call("POST", "/api/v1/commands", &lines, line.clone()).await.json();
    assert_eq!((&outcome["status"], &outcome["errors"][0]["pointer"]), (&json!("rejected"), &json!("/why")));
    assert_eq!(env.log.appends(), appends);
    let lenient = ("prefer", "wait=5, handling=lenient");
    assert_eq!(env.call("POST", "/api/v1/orders", &[lenient], body).await.status, 201);
    let outcome = env.call("POST", "/api/v1/commands", &[lines[0], lenient], line).await.json();
    assert_eq!(outcome["code"], "not_found");
}

#[tokio::test]
async fn what_is_missing_has_its_pointer() {
    let env = TestEnv::stocked().await;
    for (body, pointer) in [
        (r#"{"country":"EIRE","payment":{"method":"settled"},"lines":[]}"#, "/currency"),
        (r#"{"currency":"GBP","country":"EIRE","payment":{"method":"settled"},"lines":null}"#, "/lines"),
        (
            r#"{"currency":"GBP","country":"EIRE","payment":{"method":"settled"},"lines":[{"quantity":1}]}"#,
            "/lines/0/sku",
        ),
    ] {
        let refused = env.call("POST", "/api/v1/orders", &[], body).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{refused:?}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_an_odd_path_or_parameter_refused() {
    let env = TestEnv::stocked().await;
    let marked = format!("\u{feff}{}", order(1));
    assert_eq!(env.call("POST", "/api/v1/orders", &[], marked).await.status, 201);
    for path in ["/api/v1/products/50%", "/api/v1/products/a%zz", "/api/v1/products/a%2"] {
        assert_eq!(env.call("PUT", path, &[], PRODUCT).await.problem(), (400, "malformed".to_owned()), "{path}");
    }
    for (path, pointer) in [
        ("/api/v1/products?brnad=L1", "/brnad"),
        ("/api/v1/products?limit=1&limit=2", "/limit"),
        ("/api/v1/products/p1?limit=1", "/limit"),
        ("/api/v1/status?verbose=1", "/verbose"),
        ("/api/v1/analytics/revenue?by=day&from=2026-01-02&to=2026-01-02", "/to"),
        ("/api/v1/analytics/search?from=2026-01-02&to=2026-01-01", "/to"),
    ] {
        let refused = env.get(path).await;
        assert_eq!(refused.problem(), (422, "invalid".to_owned()), "{path}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{path}");
    }
    assert_eq!(env.get("/api/v1/products?limit=1&brand=&as_of=").await.status, 200);
    assert_eq!(env.get("/metrics?name[]=x").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_late_decision_is_answered_with_where_to_look() {
    let env = TestEnv::stocked().await;
    env.set_mode(Mode::Hold);
    for prefer in ["wait=1", "respond-async", "wait=0"] {
        let headers = [("idempotency-key", prefer), ("prefer", prefer)];
        let reply = env.call("POST", "/api/v1/orders", &headers, order(1)).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        assert_eq!(reply.json(), json!({"command_id": prefer, "status": "pending"}));
        let at = reply.header("location").to_owned();
        let pending = env.get(&at).await;
        assert_eq!((pending.status.as_u16(), &pending.json()["status"]), (200, &json!("pending")));
        assert_eq!(pending.json()["ids"]["order_id"], prefer);
    }
    env.log.cut();
    let decided = env.get("/api/v1/operations/wait%3D1").await.json();
    assert_eq!((&decided["status"], &decided["epoch"]), (&json!("succeeded"), &json!(4)));
    assert_eq!(decided["origin"], json!({"topic": "orders.commands", "partition": 0, "offset": 0}));
    assert_eq!((&decided["code"], &decided["errors"]), (&Value::Null, &json!([])));
    assert_eq!(env.get("/api/v1/operations/none").await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_is_said_so() {
    let env = TestEnv::stocked().await;
    let cases = [
        (Mode::Silent, 503, "log_unavailable"),
        (Mode::Fail(AppendError::Unavailable("away".to_owned())), 503, "log_unavailable"),
        (Mode::Fail(AppendError::Full("disk".to_owned())), 503, "storage_full"),
        (Mode::Fail(AppendError::Overloaded), 503, "overloaded"),
    ];
    for (mode, status, code) in cases {
        env.set_mode(mode);
        let reply = env.order("k1", 1).await;
        assert_eq!(reply.problem(), (status, code.to_owned()));
        assert_eq!(reply.header("retry-after"), "1");
    }
    env.set_mode(Mode::Decide);
    assert_eq!(env.order("k1", 1).await.status, 201);
}

#[tokio::test]
async fn a_batch_is_decided_line_by_line() {
    let env = TestEnv::stocked().await;
    let line = |id: &str, quantity: u32| {
        format!(r#"{{"id":"{id}","type":"PlaceOrder","data":{}}}"#, order(quantity).replace('\n', " "))
    };
    let body = [
        line("k1", 2),
        line("k1", 2),
        line("k1", 3),
        line("k2", 99),
        "{".to_owned(),
        r#"{"id":"k3","type":"Nothing","data":{}}"#.to_owned(),
        r#"{"id":"k4","type":"CancelOrder","data":{"order_id":7}}"#.to_owned(),
        r#"{"type":"CancelOrder","data":{"order_id":"k1"}}"#.to_owned(),
        String::new(),
        r#"{"id":"k5","type":"CancelOrder","data":{"order_id":"k1"}}"#.to_owned(),
    ]
    .join("\n");
    let ndjson = [("content-type", "application/x-ndjson")];
    let reply = env.call("POST", "/api/v1/commands", &ndjson, body.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/x-ndjson"));
    let lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {} {} {}", line["command_id"], line["status"], line["code"], line["replayed"]))
        .collect();
    let expected = [
        r#""k1" "succeeded" null false"#,
        r#""k1" "succeeded" null true"#,
        r#""k1" "rejected" "command_id_reused" false"#,
        r#""k2" "rejected" "out_of_stock" false"#,
        r#"null "rejected" "malformed" false"#,
        r#""k3" "rejected" "invalid" false"#,
        r#""k4" "rejected" "invalid" false"#,
        r#"null "rejected" "invalid" false"#,
        r#""k5" "succeeded" null false"#,
    ];
    assert_eq!(told, expected);
    assert_eq!(lines[0]["ids"], json!({"order_id": "k1"}));
    assert_eq!(lines[0]["epoch"], 4);
    assert_eq!(lines[6]["errors"][0]["pointer"], "/order_id");
    let again = env.call("POST", "/api/v1/commands", &ndjson, body).await;
    assert_eq!(again.text().lines().filter(|line| line.contains(r#""replayed":true"#)).count(), 4);
    let many = vec![line("k", 1); 1_001].join("\n");
    assert_eq!(env.call("POST", "/api/v1/commands", &ndjson, many).await.problem(), (413, "too_large".to_owned()));
    let json = [("content-type", "application/json")];
    assert_eq!(env.call("POST", "/api/v1/commands", &json, "{}").await.problem().0, 415);
}

#[tokio::test]
async fn without_randomness_only_commands_that_bring_an_id_are_taken() {
    let env = TestEnv::without_randomness();
    let reply = env.call("POST", "/api/v1/orders", &[], order(1)).await;
    assert_eq!(reply.problem(), (500, "internal".to_owned()));
    assert_eq!(env.log.appends(), 0);
    assert_eq!(env.order("k1", 1).await.problem(), (422, "unknown_sku".to_owned()));
}
