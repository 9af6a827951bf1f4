//! Placing, shipping, delivering, calling off.

use super::{TestEnv, gbp, names, order};
use serde_json::json;

#[test]
fn a_settled_order_is_paid_at_once_and_reserved_from_locations_in_their_order() {
    let mut env = TestEnv::stocked();
    let then = env.when("PlaceOrder", order("o1", "settled", &[("A", 7), ("D", 1)]));
    assert_eq!(then.outcome, "succeeded");
    assert_eq!(names(&then.events), ["InventoryReserved", "InventoryReserved", "OrderCreated", "PaymentProcessed"]);
    assert_eq!(env.stock("A"), "east 5/5, main 10/2");
    let row = env.order("o1");
    assert_eq!((&row["status"], &row["total"], &row["captured"]), (&json!("paid"), &gbp("23.99"), &gbp("23.99")));
    assert_eq!(row["lines"][0]["category"], "Goods/A");
    assert_eq!(row["payment"], json!({"payment_id": "o1", "method": "settled", "status": "processed"}));
}

#[test]
fn an_order_without_an_id_gets_its_commands() {
    let mut env = TestEnv::stocked();
    let mut data = order("", "settled", &[("A", 1)]);
    data["order_id"] = json!(null);
    assert_eq!(env.when_id("k-1", "PlaceOrder", data).outcome, "succeeded");
    assert_eq!(env.order("k-1")["status"], "paid");
    assert_eq!(env.operation("k-1")["ids"], json!({"order_id": "k-1"}));
}

#[test]
fn every_line_is_reserved_or_none_and_each_short_line_is_named() {
    let mut env = TestEnv::stocked();
    let then = env.when("PlaceOrder", order("o1", "settled", &[("A", 14), ("A", 2), ("B", 11), ("D", 1)]));
    assert_eq!(then.outcome, "out_of_stock /lines/1 /lines/2");
    assert_eq!(names(&then.events), ["OrderRejected"]);
    assert_eq!(env.stock("A"), "east 5/0, main 10/0");
    let row = env.order("o1");
    assert_eq!((&row["status"], &row["code"], &row["lines"]), (&json!("rejected"), &json!("out_of_stock"), &json!([])));
    assert_eq!(env.when("PlaceOrder", order("o1", "settled", &[("A", 1)])).outcome, "succeeded");
}

#[test]
fn the_first_failing_line_gives_the_code_and_stock_comes_last() {
    let mut env = TestEnv::stocked();
    let mut data = order("o1", "settled", &[("B", 99), ("X", 1), ("A", 1)]);
    data["lines"][2]["unit_price"] = json!({"amount": "1", "currency": "EUR"});
    assert_eq!(env.when("PlaceOrder", data).outcome, "unknown_sku /lines/1 /lines/2");
    assert_eq!(env.operation("c-8")["errors"][1]["code"], "currency_mismatch");
}

#[test]
fn amounts_beyond_64_bits_are_refused() {
    let mut env = TestEnv::stocked();
    let mut data = order("o1", "settled", &[("T", 1_000_000_000), ("D", 1)]);
    data["lines"][0]["unit_price"] = gbp("922337203685477.5807");
    assert_eq!(env.when("PlaceOrder", data.clone()).outcome, "overflow /lines/0");
    data["lines"][0]["quantity"] = json!(1);
    data["order_id"] = json!("o2");
    assert_eq!(env.when("PlaceOrder", data).outcome, "overflow");
    assert_eq!(env.order("o2")["status"], "rejected");
}

#[test]
fn values_out_of_bounds_leave_no_order() {
    let mut env = TestEnv::stocked();
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut data = order("o1", "settled", &[("A", 1)]);
        *data.pointer_mut(pointer).unwrap() = value;
        data
    };
    for (pointer, value) in [
        ("/order_id", json!("")),
        ("/order_id", json!("x".repeat(129))),
        ("/customer_id", json!("a\u{7}")),
        ("/currency", json!("gbp")),
        ("/country", json!("")),
        ("/lines", json!([])),
        ("/lines/0/quantity", json!(0)),
        ("/lines/0/quantity", json!(1_000_000_001)),
    ] {
        assert_eq!(env.when("PlaceOrder", changed(pointer, value)).outcome, format!("invalid {pointer}"));
    }
    let mut late = order("o1", "settled", &[("A", 1)]);
    late["occurred_at"] = json!("2027-01-01T00:00:00Z");
    assert_eq!(env.when("PlaceOrder", late).outcome, "invalid /occurred_at");
    assert_eq!(env.order("o1"), json!(null));
}

#[test]
fn an_order_that_costs_nothing_is_paid_without_a_payment_event_and_ships() {
    let mut env = TestEnv::stocked();
    let mut data = order("o1", "sandbox", &[("A", 1)]);
    data["lines"][0]["unit_price"] = gbp("0");
    assert_eq!(names(&env.when("PlaceOrder", data).events), ["InventoryReserved", "OrderCreated"]);
    assert_eq!(names(&env.when("ShipOrder", json!({"order_id": "o1"})).events), ["StockUpdated", "OrderUpdated"]);
    assert_eq!(env.stock("A"), "east 4/0, main 10/0");
}

#[test]
fn an_order_is_called_off_in_every_state_that_allows_it() {
    let mut env = TestEnv::stocked();
    env.given("PlaceOrder", order("open", "sandbox", &[("A", 1)])).given_paid("paid", 1).given_shipped("gone", 1);
    let cancel = |id: &str| json!({"order_id": id, "reason": "changed my mind"});
    assert_eq!(names(&env.when("CancelOrder", cancel("open")).events), ["InventoryReleased", "OrderCancelled"]);
    let paid = env.when("CancelOrder", cancel("paid"));
    assert_eq!(names(&paid.events), ["InventoryReleased", "OrderCancelled", "RefundIssued"]);
    assert_eq!(paid.events[2]["refund_id"], "cancelled");
    assert_eq!(
        names(&env.when("CancelOrder", cancel("gone")).events),
        ["StockUpdated", "OrderCancelled", "RefundIssued"]
    );
    assert_eq!(env.order("gone")["shipment"]["status"], "cancelled");
    assert_eq!(env.stock("A"), "east 5/0, main 10/0");
    assert_eq!(env.when("CancelOrder", cancel("gone")).outcome, "invalid_transition");
    assert_eq!(env.when("CancelOrder", cancel("none")).outcome, "not_found");
}

#[test]
fn a_delivery_of_what_partly_came_back_is_recorded_once() {
    let mut env = TestEnv::stocked();
    env.given_shipped("o1", 2)
        .given("ReturnItems", json!({"order_id": "o1", "return_id": "r1", "lines": [{"line": 1, "quantity": 1}]}));
    assert_eq!(names(&env.when("DeliverOrder", json!({"order_id": "o1"})).events), ["OrderUpdated"]);
    let row = env.order("o1");
    assert_eq!((&row["status"], row["history"].as_array().unwrap().len()), (&json!("partly_returned"), 3));
    assert_eq!(row["shipment"]["status"], "delivered");
    assert_eq!(env.when("DeliverOrder", json!({"order_id": "o1"})).outcome, "invalid_transition");
}

#[test]
fn goods_that_could_not_be_delivered_come_back_unless_told_otherwise() {
    let mut env = TestEnv::stocked();
    env.given_shipped("o1", 2).given_shipped("o2", 2);
    env.given("RecordShipmentFailure", json!({"order_id": "o1", "reason": "lost", "restock": false}));
    assert_eq!(env.stock("A"), "east 1/0, main 10/0");
    env.given("RecordShipmentFailure", json!({"order_id": "o2"}));
    assert_eq!(env.stock("A"), "east 3/0, main 10/0");
    assert_eq!(
        (&env.order("o2")["shipment"]["status"], &env.order("o2")["refunded"]),
        (&json!("failed"), &gbp("4.00"))
    );
}

#[test]
fn a_command_id_is_decided_once() {
    let mut env = TestEnv::stocked();
    let first = order("o1", "settled", &[("A", 1)]);
    assert_eq!(env.when_id("k", "PlaceOrder", first.clone()).outcome, "succeeded");
    let operation = env.operation("k");
    assert!(env.when_id("k", "PlaceOrder", first).events.is_empty());
    assert!(env.when_id("k", "PlaceOrder", order("o2", "settled", &[("A", 1)])).events.is_empty());
    assert_eq!((env.operation("k"), env.order("o2")), (operation, json!(null)));
    env.given("PutPolicy", json!({"id_memory_s": 10}));
    env.when_id("short", "CancelOrder", json!({"order_id": "none"}));
    env.wait(10);
    assert_eq!(env.operation("short")["code"], "not_found");
    env.wait(1);
    assert_eq!(env.operation("short"), json!(null));
    assert_ne!(env.operation("k"), json!(null), "a later policy does not change what is remembered");
}

#[test]
fn an_outcome_that_leaves_its_id_free_is_replaced_and_forgotten_in_the_others_time() {
    let mut env = TestEnv::stocked();
    env.given("PutPolicy", json!({"id_memory_s": 10}));
    let cancel = json!({"order_id": "o1"});
    assert_eq!(env.when_id("k", "CancelOrder", cancel.clone()).outcome, "not_found");
    env.wait(6);
    env.given_paid("o1", 1);
    assert_eq!(env.when_id("k", "CancelOrder", cancel.clone()).outcome, "succeeded");
    // The first outcome's time is over, the second's is not.
    env.wait(6);
    assert_eq!(env.operation("k")["status"], "succeeded");
    assert!(env.when_id("k", "CancelOrder", cancel).events.is_empty());
    env.wait(6);
    assert_eq!(env.operation("k"), json!(null));
}
