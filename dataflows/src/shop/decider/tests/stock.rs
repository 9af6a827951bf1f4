//! Movements, transfers, what runs low.

use super::{TestEnv, gbp, names, order};
use serde_json::{Value, json};

fn movement(sku: &str, quantity: i64) -> Value {
    json!({"sku": sku, "quantity": quantity, "reason": "adjusted"})
}

#[test]
fn stock_on_hand_never_falls_below_zero_under_reserve() {
    let mut env = TestEnv::stocked();
    assert_eq!(env.when("MoveStock", movement("A", -11)).outcome, "insufficient_stock /quantity");
    env.given_paid("o1", 15).given("MoveStock", movement("A", -10));
    assert_eq!(env.stock("A"), "east 5/5, main 0/10");
    assert_eq!(env.when("ShipOrder", json!({"order_id": "o1"})).outcome, "insufficient_stock");
}

#[test]
fn track_only_takes_what_is_free_and_the_rest_at_main() {
    let mut env = TestEnv::stocked();
    env.given("MoveStock", json!({"sku": "T", "location": "east", "quantity": 2, "reason": "received"}));
    env.given("PlaceOrder", order("o1", "settled", &[("T", 5)]));
    assert_eq!(env.stock("T"), "east 2/2, main 0/3");
    env.given("ShipOrder", json!({"order_id": "o1"}));
    assert_eq!(env.stock("T"), "east 0/0, main -3/0");
}

#[test]
fn goods_without_stock_are_not_moved() {
    let mut env = TestEnv::stocked();
    assert_eq!(env.when("MoveStock", movement("D", 1)).outcome, "invalid /sku");
    assert_eq!(env.when("MoveStock", movement("X", 1)).outcome, "unknown_sku /sku");
    assert_eq!(env.when("MoveStock", movement("A", 0)).outcome, "invalid /quantity");
}

#[test]
fn only_what_is_not_reserved_is_transferred() {
    let mut env = TestEnv::stocked();
    env.given_paid("o1", 3);
    let transfer = |quantity: i64, to: &str| json!({"sku": "A", "from": "east", "to": to, "quantity": quantity});
    assert_eq!(env.when("TransferStock", transfer(3, "main")).outcome, "insufficient_stock /quantity");
    assert_eq!(env.when("TransferStock", transfer(1, "east")).outcome, "invalid /to");
    assert_eq!(names(&env.when("TransferStock", transfer(2, "west")).events), ["StockUpdated", "StockUpdated"]);
    assert_eq!(env.stock("A"), "east 3/3, main 10/0, west 2/0");
}

#[test]
fn stock_that_falls_to_its_mark_is_told_once() {
    let mut env = TestEnv::stocked();
    env.given(
        "PutProduct",
        json!({"product_id": "p-A", "title": "A",
        "variants": [{"sku": "A", "price": gbp("2"), "low_stock_at": 12}]}),
    );
    assert_eq!(names(&env.when("MoveStock", movement("A", -2)).events), ["StockUpdated"]);
    let low = env.when("PlaceOrder", order("o1", "settled", &[("A", 1)]));
    assert_eq!(names(&low.events).last(), Some(&"LowStock"));
    assert_eq!((&low.events[3]["available"], &low.events[3]["low_stock_at"]), (&json!(12), &json!(12)));
    assert_eq!(names(&env.when("MoveStock", movement("A", -1)).events), ["StockUpdated"]);
}
