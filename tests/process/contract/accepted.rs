//! Commands that are taken: statuses, bodies as of the deciding epoch, and what the reads of the same things say.

use crate::process::http::assert_fields;
use crate::process::shop::{credit, gbp, order, product, received, stock};
use crate::process::{Answer, TestEnv};
use serde_json::{Value, json};

fn keys(body: &Value) -> Vec<&str> {
    body.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Asserts that a read gives what the command was answered with.
fn assert_reads(env: &TestEnv, path: &str, answer: &Answer) {
    let epoch = answer.epoch();
    let read = env.get(&format!("{path}?as_of={epoch}")).ok();
    assert_eq!((read.json(), read.epoch()), (answer.json(), epoch), "{path}");
    let origin_free = env.get_with(path, &[("tradewind-min-epoch", &epoch.to_string())]).ok();
    assert!(origin_free.epoch() >= epoch);
}

#[test]
fn what_is_made_is_201_and_what_is_changed_200() {
    let env = TestEnv::start();
    let put = |key: &str, body: &Value| env.command("PUT", "/api/v1/products/p", key, body);
    let first = put("k1", &product("reserve", &["A", "B"])).expect(201);
    assert_reads(&env, "/api/v1/products/p", &first);
    let variant = json!({"sku": "A", "title": null, "price": gbp("12.50"), "inventory_policy": "reserve",
        "low_stock_at": null, "available": 0});
    let mut shown = first.json()["variants"][0].take();
    for field in keys(&variant) {
        assert_eq!(shown[field].take(), variant[field], "{field}");
    }
    put("k2", &product("reserve", &["A", "B"])).ok();

    let zeros = json!({"sku": "A", "on_hand": 0, "reserved": 0, "available": 0, "locations": []});
    assert_eq!(env.get("/api/v1/stock/A").ok().json(), zeros);
    let moved = env.post("/api/v1/stock/A/movements", "k3", &received(9)).expect(201);
    assert_reads(&env, "/api/v1/stock/A", &moved);

    let mut body = order("A", 2);
    body["order_id"] = json!("o 1");
    body["customer_id"] = json!("c1");
    let placed = env.post("/api/v1/orders", "k4", &body).expect(201);
    assert_reads(&env, "/api/v1/orders/o%201", &placed);
    let order = placed.json();
    let fields = [
        "order_id",
        "status",
        "code",
        "customer_id",
        "country",
        "currency",
        "lines",
        "total",
        "captured",
        "refunded",
        "payment",
        "shipment",
        "history",
        "placed_at",
    ];
    assert_fields(&order, &fields);
    let line = json!({"line": 1, "sku": "A", "quantity": 2, "unit_price": gbp("12.50"), "amount": gbp("25.00"),
        "category": ["Instruments", "Brass"], "returned": 0});
    for (field, value) in line.as_object().expect("an object").iter().filter(|(field, _)| *field != "category") {
        assert_eq!(order["lines"][0][field], *value, "{field}");
    }
    assert_eq!(order["payment"], json!({"payment_id": "o 1", "method": "settled", "status": "processed"}));
    assert_eq!((&order["status"], &order["code"], &order["shipment"]), (&json!("paid"), &Value::Null, &Value::Null));
    assert_eq!((&order["total"], &order["captured"], &order["refunded"]), (&gbp("25.00"), &gbp("25.00"), &gbp("0.00")));
    assert_eq!(order["history"][0]["epoch"], placed.epoch());

    let shipped = env.post("/api/v1/orders/o%201/shipments", "k5", &json!({"carrier": "by hand"})).expect(201);
    assert_eq!(shipped.json()["shipment"], json!({"carrier": "by hand", "tracking": null, "status": "shipped"}));
    let cancelled = env.post("/api/v1/orders/o%201/cancellations", "k6", &json!({})).ok();
    assert_reads(&env, "/api/v1/orders/o%201", &cancelled);
    assert_eq!((&cancelled.json()["status"], &cancelled.json()["refunded"]), (&json!("cancelled"), &gbp("25.00")));

    let credited = env.post("/api/v1/credits", "k7", &credit("c 1", "A", 3)).expect(201);
    assert_reads(&env, "/api/v1/credits/c%201", &credited);
    assert_eq!((&credited.json()["total"], &credited.json()["epoch"]), (&gbp("37.50"), &json!(credited.epoch())));
    let adjustment = json!({"adjustment_id": "a1", "currency": "GBP", "country": "GB", "amount": gbp("-7.125")});
    let adjusted = env.post("/api/v1/adjustments", "k8", &adjustment).expect(201);
    assert_reads(&env, "/api/v1/adjustments/a1", &adjusted);
    assert_eq!(adjusted.json()["amount"], gbp("-7.125"));
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 12);
    env.assert_sound();
}

#[test]
fn goods_without_stock_have_nulls() {
    let env = TestEnv::start();
    stock(&env, "SONG", "none", 0);
    let nulls = json!({"sku": "SONG", "on_hand": null, "reserved": null, "available": null, "locations": []});
    assert_eq!(env.get("/api/v1/stock/SONG").ok().json(), nulls);
    assert_eq!(env.get("/api/v1/products/SONG").ok().json()["variants"][0]["available"], Value::Null);
    env.post("/api/v1/orders", "k1", &order("SONG", 1_000)).expect(201);
    let moved = env.post("/api/v1/stock/SONG/movements", "k2", &received(1));
    assert_eq!(moved.problem(), (422, "invalid".to_owned()));
}

#[test]
fn who_does_not_wait_is_told_where_to_look() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 5);
    let headers = [("idempotency-key", "k1"), ("prefer", "respond-async"), ("content-type", "application/json")];
    let answer = env.call("POST", "/api/v1/orders", &headers, order("A", 2).to_string()).expect(202);
    assert_eq!(answer.header("location"), "/api/v1/operations/k1");
    assert_eq!(answer.json(), json!({"command_id": "k1", "status": "pending"}));
    // From the acknowledgement on, the operation is there.
    env.get("/api/v1/operations/k1").ok();
    let outcome = env.decided("k1").json();
    let fields = ["command_id", "type", "status", "epoch", "origin", "ids", "code", "errors"];
    assert_fields(&outcome, &fields);
    assert_eq!((&outcome["type"], &outcome["status"]), (&json!("PlaceOrder"), &json!("succeeded")));
    assert_eq!(
        (&outcome["ids"]["order_id"], &outcome["code"], &outcome["errors"]),
        (&json!("k1"), &Value::Null, &json!([]))
    );
    assert_fields(&outcome["origin"], &["topic", "partition", "offset"]);
    assert_eq!(outcome["origin"]["topic"], "orders.commands");
    let order_epoch = env.get("/api/v1/orders/k1").ok().json()["history"][0]["epoch"].take();
    assert_eq!(outcome["epoch"], order_epoch);
    let refused = env.post("/api/v1/orders", "k2", &order("A", 9)).expect(409);
    let outcome = env.get("/api/v1/operations/k2").ok().json();
    assert_eq!((&outcome["status"], &outcome["code"]), (&json!("rejected"), &json!("out_of_stock")));
    assert_eq!(outcome["errors"], refused.json()["errors"]);
    // A rejected order keeps a row.
    let row = env.get("/api/v1/orders/k2").ok().json();
    assert_eq!((&row["status"], &row["code"], &row["lines"]), (&json!("rejected"), &json!("out_of_stock"), &json!([])));
}

#[test]
fn revenue_is_split_as_asked() {
    let env = TestEnv::start();
    stock(&env, "A", "track_only", 0);
    let mut sale = order("A", 2);
    sale["occurred_at"] = json!("2010-12-09T15:30:00Z");
    env.post("/api/v1/orders", "k1", &sale).expect(201);
    let mut back = credit("c1", "A", 1);
    (back["occurred_at"], back["country"]) = (json!("2011-01-01T00:00:00Z"), json!("EIRE"));
    env.post("/api/v1/credits", "k2", &back).expect(201);
    let row = |period: &str, groups: Value, gross: &str, returned: &str, net: &str, counts: [u8; 3]| {
        let mut row = json!({"period": period, "currency": "GBP"});
        let fields = row.as_object_mut().expect("an object");
        fields.extend(groups.as_object().expect("an object").clone());
        let [orders, units, units_returned] = counts;
        fields.extend(
            json!({"gross": gbp(gross), "returned": gbp(returned), "adjusted": gbp("0.00"), "net": gbp(net),
            "orders": orders, "units": units, "units_returned": units_returned})
            .as_object()
            .expect("an object")
            .clone(),
        );
        row
    };
    let sold = |period, groups| row(period, groups, "25.00", "0.00", "25.00", [1, 2, 0]);
    let returned = |period, groups| row(period, groups, "0.00", "12.50", "-12.50", [0, 0, 1]);
    let cases = [
        ("by=month", vec![sold("2010-12", json!({})), returned("2011-01", json!({}))]),
        ("by=day&to=2011-01-01", vec![sold("2010-12-09", json!({}))]),
        ("by=hour&from=2010-12-09T15:00Z&to=2010-12-09T16:00Z", vec![sold("2010-12-09T15:00Z", json!({}))]),
        ("by=month&from=2011-01&group=country", vec![returned("2011-01", json!({"country": "EIRE"}))]),
        (
            "by=month&to=2011-01&group=country,category",
            vec![sold("2010-12", json!({"country": "GB", "category": "Instruments/Brass"}))],
        ),
    ];
    for (query, expected) in cases {
        let (rows, _) = env.rows(&format!("/api/v1/analytics/revenue?{query}"));
        assert_eq!(rows, expected, "{query}");
    }
    for query in ["by=year", "by=month&from=2011-01-01", "group=planet"] {
        let answer = env.get(&format!("/api/v1/analytics/revenue?{query}"));
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{query}");
    }
}
