//! Payment results, refunds, returns, timeouts.

use super::{TestEnv, gbp, names, order};
use serde_json::{Value, json};

fn result(order_id: &str, status: &str, amount: &str) -> Value {
    json!({"order_id": order_id, "payment_id": order_id, "status": status, "amount": gbp(amount)})
}

fn pending() -> TestEnv {
    let mut env = TestEnv::stocked();
    env.given("PlaceOrder", order("o1", "sandbox", &[("A", 2)]));
    env
}

#[test]
fn a_payment_is_asked_for_and_its_result_taken_once() {
    let mut env = TestEnv::stocked();
    let placed = env.when("PlaceOrder", order("o1", "sandbox", &[("A", 2)]));
    assert_eq!(names(&placed.events), ["InventoryReserved", "OrderCreated", "PaymentRequested"]);
    assert_eq!(env.when("RecordPaymentResult", result("o1", "processed", "3.99")).outcome, "amount_mismatch /amount");
    assert_eq!(
        names(&env.when("RecordPaymentResult", result("o1", "processed", "4")).events),
        ["OrderUpdated", "PaymentProcessed"]
    );
    let repeat = env.when("RecordPaymentResult", result("o1", "processed", "4"));
    assert_eq!((repeat.outcome.as_str(), repeat.events.len()), ("succeeded", 0));
    assert_eq!(env.when("RecordPaymentResult", result("o1", "failed", "4")).outcome, "invalid_transition");
    let mut other = result("o1", "processed", "4");
    other["payment_id"] = json!("p9");
    assert_eq!(env.when("RecordPaymentResult", other).outcome, "unknown_payment /payment_id");
}

#[test]
fn a_failed_payment_releases_the_stock() {
    let mut env = pending();
    let then = env.when("RecordPaymentResult", result("o1", "failed", "4"));
    assert_eq!(names(&then.events), ["InventoryReleased", "OrderCancelled", "PaymentFailed"]);
    assert_eq!(env.order("o1")["payment"]["status"], "failed");
    assert_eq!(env.stock("A"), "east 5/0, main 10/0");
}

#[test]
fn a_payment_expires_by_the_epochs_clock_and_late_money_goes_straight_back() {
    let mut env = pending();
    assert!(env.wait(900).is_empty(), "a deadline fires when now is past it");
    let expired = env.wait(1);
    assert_eq!(names(&expired), ["InventoryReleased", "OrderCancelled"]);
    assert_eq!(
        (&expired[1]["cause"], &expired[1]["reason"]),
        (&json!("timer:payment_timeout"), &json!("payment_timeout"))
    );
    assert_eq!(env.order("o1")["payment"]["status"], "expired");
    let late = env.when("RecordPaymentResult", result("o1", "processed", "4"));
    assert_eq!(names(&late.events), ["PaymentProcessed", "RefundIssued"]);
    assert_eq!(late.events[1]["reason"], "late_capture");
    assert_eq!(env.order("o1")["refunded"], gbp("4.00"));
}

#[test]
fn refunds_go_up_to_what_is_left_under_ids_of_their_own() {
    let mut env = TestEnv::stocked();
    env.given_paid("o1", 5);
    let refund = |id: &str, amount: &str| json!({"order_id": "o1", "refund_id": id, "amount": gbp(amount)});
    assert_eq!(names(&env.when("IssueRefund", refund("f1", "6")).events), ["RefundIssued"]);
    assert_eq!(env.when("IssueRefund", refund("f1", "1")).outcome, "already_exists /refund_id");
    assert_eq!(env.when("IssueRefund", refund("cancelled", "1")).outcome, "already_exists /refund_id");
    assert_eq!(env.when("IssueRefund", refund("f2", "4.01")).outcome, "over_refund /amount");
    assert_eq!(env.when("IssueRefund", refund("f2", "0")).outcome, "invalid /amount");
    env.given("IssueRefund", refund("f2", "4"));
    assert_eq!(env.when("ShipOrder", json!({"order_id": "o1"})).outcome, "invalid_transition");
    let cancelled = env.when("CancelOrder", json!({"order_id": "o1"}));
    assert_eq!(names(&cancelled.events), ["InventoryReleased", "OrderCancelled"]);
}

#[test]
fn a_charge_back_is_taken_once() {
    let mut env = TestEnv::stocked();
    env.given_paid("o1", 5);
    assert_eq!(env.when("RecordPaymentResult", result("o1", "charged_back", "10.01")).outcome, "over_refund /amount");
    assert_eq!(names(&env.when("RecordPaymentResult", result("o1", "charged_back", "7")).events), ["RefundIssued"]);
    assert_eq!(env.when("RecordPaymentResult", result("o1", "charged_back", "3")).outcome, "amount_mismatch /amount");
    let row = env.order("o1");
    assert_eq!((&row["status"], &row["payment"]["status"]), (&json!("paid"), &json!("charged_back")));
}

#[test]
fn a_return_gives_back_money_in_line_order_and_goods_where_they_came_from() {
    let mut env = TestEnv::stocked();
    env.given("PlaceOrder", order("o1", "settled", &[("A", 7), ("B", 1)]))
        .given("ShipOrder", json!({"order_id": "o1"}));
    env.given("IssueRefund", json!({"order_id": "o1", "refund_id": "f1", "amount": gbp("10")}));
    let returned = |id: &str, lines: Value| json!({"order_id": "o1", "return_id": id, "lines": lines});
    let then = env.when(
        "ReturnItems",
        returned("r1", json!([{"line": 2, "quantity": 1}, {"line": 1, "quantity": 3}, {"line": 1, "quantity": 1}])),
    );
    assert_eq!(names(&then.events), ["StockUpdated", "StockUpdated", "ItemsReturned", "OrderUpdated", "RefundIssued"]);
    let lines = &then.events[2]["return"]["lines"];
    assert_eq!((&lines[0]["amount"], &lines[1]["amount"]), (&gbp("7.50"), &gbp("0.00")));
    assert_eq!(env.stock("A"), "east 4/0, main 8/0");
    assert_eq!(
        env.when("ReturnItems", returned("r2", json!([{"line": 1, "quantity": 4}]))).outcome,
        "over_return /lines/0"
    );
    assert_eq!(
        env.when("ReturnItems", returned("r1", json!([{"line": 1, "quantity": 1}]))).outcome,
        "already_exists /return_id"
    );
    assert_eq!(
        env.when("ReturnItems", returned("r2", json!([{"line": 3, "quantity": 1}]))).outcome,
        "invalid /lines/0/line"
    );
    env.given("ReturnItems", returned("r2", json!([{"line": 1, "quantity": 3}])));
    assert_eq!(env.stock("A"), "east 5/0, main 10/0");
    assert_eq!(env.order("o1")["status"], "returned");
}
