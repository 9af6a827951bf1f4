//! Credits and adjustments.

use super::{TestEnv, gbp, names};
use serde_json::json;

#[test]
fn a_credit_brings_goods_back_at_main_and_is_recorded_once() {
    let mut env = TestEnv::stocked();
    let credit = json!({"credit_id": "C1", "currency": "GBP", "country": "EIRE", "reference": "C1", "lines": [
        {"sku": "B", "quantity": 2, "unit_price": gbp("1.005")}, {"sku": "D", "quantity": 1, "unit_price": gbp("3")}]});
    let then = env.when("RecordCredit", credit.clone());
    assert_eq!(names(&then.events), ["StockUpdated", "CreditRecorded"]);
    assert_eq!(then.events[0]["reason"], "credited");
    assert_eq!(then.events[1]["credit"]["total"], gbp("5.01"));
    assert_eq!(env.stock("B"), "main 12/0");
    assert_eq!(env.when("RecordCredit", credit).outcome, "already_exists");
}

#[test]
fn an_adjustment_has_a_sign_and_the_documents_currency() {
    let mut env = TestEnv::new();
    let adjustment = |id: &str, amount: serde_json::Value| json!({"adjustment_id": id, "currency": "GBP", "country": "United Kingdom", "amount": amount});
    let then = env.when("RecordAdjustment", adjustment("A1", gbp("-11062.06")));
    assert_eq!(names(&then.events), ["AdjustmentRecorded"]);
    assert_eq!(then.events[0]["adjustment"]["amount"], gbp("-11062.06"));
    let euros = json!({"amount": "1", "currency": "EUR"});
    assert_eq!(env.when("RecordAdjustment", adjustment("A2", euros)).outcome, "currency_mismatch /amount");
    let nothing = json!({"amount": "1", "currency": "euro"});
    assert_eq!(env.when("RecordAdjustment", adjustment("A2", nothing)).outcome, "invalid /amount");
}
