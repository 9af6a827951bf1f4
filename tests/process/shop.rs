//! The goods that the tests sell: bodies of commands, with what they leave open filled in.

use super::Api;
use serde_json::{Value, json};

/// Pounds.
pub fn gbp(amount: &str) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

/// A product of these SKUs at 12.50 each.
pub fn product(inventory_policy: &str, skus: &[&str]) -> Value {
    let variants =
        skus.iter().map(|sku| json!({"sku": sku, "price": gbp("12.50"), "inventory_policy": inventory_policy}));
    json!({"title": "Brass compass", "category": ["Instruments", "Brass"], "variants": variants.collect::<Vec<_>>()})
}

/// Goods that came in.
pub fn received(quantity: i64) -> Value {
    json!({"quantity": quantity, "reason": "received"})
}

/// A paid order of one line.
pub fn order(sku: &str, quantity: i64) -> Value {
    json!({
        "currency": "GBP", "country": "GB", "lines": [{"sku": sku, "quantity": quantity}],
        "payment": {"method": "settled"},
    })
}

/// The same, waiting for its payment.
pub fn unpaid_order(sku: &str, quantity: i64) -> Value {
    let mut order = order(sku, quantity);
    order["payment"]["method"] = json!("external");
    order
}

/// A credit note of one line.
pub fn credit(credit_id: &str, sku: &str, quantity: i64) -> Value {
    json!({
        "credit_id": credit_id, "currency": "GBP", "country": "GB",
        "lines": [{"sku": sku, "quantity": quantity, "unit_price": gbp("12.50")}],
    })
}

/// Puts a product on sale, and so many of its SKU on the shelf; their id is one.
pub fn stock(api: &Api, sku: &str, inventory_policy: &str, on_hand: i64) {
    api.command("PUT", &format!("/api/v1/products/{sku}"), &format!("put-{sku}"), &product(inventory_policy, &[sku]))
        .expect(201);
    if on_hand != 0 {
        api.post(&format!("/api/v1/stock/{sku}/movements"), &format!("receive-{sku}"), &received(on_hand)).expect(201);
    }
}
