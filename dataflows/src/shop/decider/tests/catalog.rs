//! Products, prices, the policy.

use super::{TestEnv, gbp, names, order};
use serde_json::{Value, json};

fn product(id: &str, skus: &[&str]) -> Value {
    let variants: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "price": gbp("5")})).collect();
    json!({"product_id": id, "title": "t", "variants": variants})
}

#[test]
fn a_sku_belongs_to_one_product_for_ever() {
    let mut env = TestEnv::new();
    env.given("PutProduct", product("p1", &["A", "B"])).given("PutProduct", product("p1", &["B"]));
    assert_eq!(env.when("PutProduct", product("p2", &["C", "A"])).outcome, "sku_taken /variants/1/sku");
    assert_eq!(env.when("PlaceOrder", order("o1", "settled", &[("A", 1)])).outcome, "not_sold /lines/0");
    env.given("PutProduct", product("p1", &["A"]));
    assert_eq!(env.product("p1")["variants"][0]["sku"], "A");
}

#[test]
fn products_out_of_bounds_are_refused() {
    let mut env = TestEnv::new();
    let with = |key: &str, value: Value| {
        let mut data = product("p1", &["A"]);
        data[key] = value;
        data
    };
    assert_eq!(env.when("PutProduct", with("variants", json!([]))).outcome, "invalid /variants");
    assert_eq!(env.when("PutProduct", with("title", json!(""))).outcome, "invalid /title");
    assert_eq!(env.when("PutProduct", with("category", json!(["a", "b/c"]))).outcome, "invalid /category/1");
    assert_eq!(env.when("PutProduct", product("p1", &["A", "A"])).outcome, "invalid /variants/1/sku");
}

#[test]
fn an_archived_product_is_not_sold_until_it_is_put_again() {
    let mut env = TestEnv::stocked();
    assert_eq!(names(&env.when("ArchiveProduct", json!({"product_id": "p-A"})).events), ["ProductChanged"]);
    assert!(env.when("ArchiveProduct", json!({"product_id": "p-A"})).events.is_empty());
    assert_eq!(env.when("PlaceOrder", order("o1", "settled", &[("A", 1)])).outcome, "not_sold /lines/0");
    let price = json!({"product_id": "p-A", "sku": "A", "price": gbp("1")});
    assert_eq!(env.when("SetPrice", price).outcome, "not_sold /sku");
    env.given("PutProduct", product("p-A", &["A"])).given_paid("o1", 1);
    assert_eq!(env.product("p-A")["archived"], false);
}

#[test]
fn of_the_open_windows_the_one_set_last_is_the_price() {
    let mut env = TestEnv::stocked();
    let window = |price: &str, from: &str, to: &str| json!({"product_id": "p-A", "sku": "A", "price": gbp(price), "valid_from": from, "valid_to": to});
    env.given("SetPrice", window("9", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"))
        .given("SetPrice", window("8", "2026-01-01T00:30:00Z", "2026-01-01T00:31:00Z"))
        .given("SetPrice", json!({"product_id": "p-A", "sku": "A", "price": gbp("2.50")}));
    for (id, wait, total) in [("now", 0, "9.00"), ("half", 1800, "8.00"), ("more", 60, "9.00"), ("late", 3600, "2.50")]
    {
        env.wait(wait + 1);
        env.given_paid(id, 1);
        assert_eq!(env.order(id)["total"], gbp(total), "{id}");
    }
    let backwards = window("1", "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z");
    assert_eq!(env.when("SetPrice", backwards).outcome, "invalid /valid_to");
    env.given("SetPrice", window("7", "2026-01-01T00:30:00Z", "2027-01-01T00:00:00Z"));
    env.given("PutProduct", product("p-A", &["A"]));
    assert_eq!(
        env.product("p-A")["variants"][0]["scheduled"][0]["price"],
        gbp("7.00"),
        "it outlives the product's look"
    );
}

#[test]
fn a_policy_keeps_what_is_absent() {
    let mut env = TestEnv::stocked();
    env.given("PutPolicy", json!({"order_lines_max": 1})).given("PutPolicy", json!({"payment_timeout_s": 5}));
    assert_eq!(env.when("PlaceOrder", order("o1", "settled", &[("A", 1), ("B", 1)])).outcome, "invalid /lines");
    assert_eq!(env.when("PutPolicy", json!({"id_memory_s": 0})).outcome, "invalid /id_memory_s");
    env.given("PlaceOrder", order("o2", "sandbox", &[("A", 1)]));
    assert_eq!(names(&env.wait(6)), ["InventoryReleased", "OrderCancelled"]);
}
