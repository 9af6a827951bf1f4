//! The measures against what is written.

use super::*;
use crate::contract::money::Money;
use crate::contract::time::Timestamp;
use crate::shop::catalogue::{InventoryPolicy, LeftOut, ScheduledPrice, Variant};
use crate::shop::context::Context;
use crate::shop::credits::CreditLine;
use crate::shop::decider::tests::{TestEnv, gbp, order};
use crate::shop::orders::{OrderCancelled, OrderCreated, OrderLine, OrderUpdated};
use crate::shop::row::Row;
use serde_json::{Value, json};
use smallvec::SmallVec;
use std::sync::Arc;

/// Texts of which JSON writes some characters in two bytes.
const TEXTS: [&str; 5] = ["", "A", "say \"hi\"\\", "Ä日\u{1F600}", "a\tb\r\nc"];

fn line(number: i64) -> OrderLine {
    let amount = i64::MAX >> (number % 63);
    let text = |from: i64| SmolStr::new(TEXTS[(number + from) as usize % TEXTS.len()]);
    OrderLine {
        sku: text(0),
        category: text(1),
        quantity: amount % 1_000_000_000,
        unit_price: amount,
        amount: amount / 3,
        returned: number,
        taken: SmallVec::new(),
    }
}

#[test]
fn lines_are_as_long_as_they_are_written() {
    let mut env = TestEnv::stocked();
    env.given_shipped("o1", 1);
    let mut order = env.order_row("o1").as_ref().clone();
    for currency in ["GBP", "JPY", "KWD", "CLF"] {
        for count in [0, 1, 2, 300] {
            order.currency = Currency::parse(currency).unwrap();
            order.lines = (0..count).map(line).collect();
            assert_eq!(order_bytes(&order), order.value().len(), "{count} lines in {currency}");
            assert!(order_most(&order) == 0 || order_most(&order) >= order.value().len());
        }
    }
    let lines = order.lines.iter().map(|line| CreditLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        amount: line.amount,
        category: line.category.clone(),
    });
    let credit = Credit {
        credit_id: SmolStr::new("c"),
        customer_id: None,
        currency: order.currency,
        country: SmolStr::new("GB"),
        lines: lines.collect(),
        total: 5,
        restock: true,
        reference: None,
        occurred_at: order.placed_at,
        epoch: order.history[0].epoch,
    };
    assert_eq!(credit_bytes(&credit), credit.value().len());
    assert!(credit_most(&credit) >= credit.value().len());
}

#[test]
fn an_event_is_as_long_as_it_is_written() {
    let mut env = TestEnv::stocked();
    env.given_shipped("o1", 1);
    let row = env.order_row("o1");
    let mut order = row.as_ref().clone();
    order.lines = (0..250).map(line).collect();
    let (order, from, reason) = (Arc::new(order), row.status, Some(SmolStr::new("why\nnot")));
    let context = Context { epoch: row.history[0].epoch, now: row.placed_at, occurred_at: row.placed_at };
    let first = EventContext {
        epoch: context.epoch,
        n: 9,
        cause: &SmolStr::new("c"),
        at: context.now,
        occurred_at: context.now,
    };
    for fact in [
        EventPayload::OrderCreated(OrderCreated(Arc::clone(&order))),
        EventPayload::OrderUpdated(OrderUpdated { order: Arc::clone(&order), from, reason: reason.clone() }),
        EventPayload::OrderCancelled(OrderCancelled { order: Arc::clone(&order), from, reason, refunds: vec![1] }),
    ] {
        let EventContext { epoch, n, cause, at, occurred_at } = first;
        let event = Event { epoch, n, cause: cause.clone(), at, occurred_at, fact };
        let written = serde_json::to_vec(&event).unwrap().len();
        assert_eq!(event_bytes(&event.fact, event.n, &first), written);
        assert!(fact_most(&event.fact) >= written);
    }
}

#[test]
fn a_product_is_no_longer_than_estimated() {
    let gbp = Currency::parse("GBP").unwrap();
    let at = Timestamp::parse("2026-01-01T00:00:00.000001Z").unwrap();
    let window =
        ScheduledPrice { price: Money::new(i64::MAX, gbp), valid_from: Some(at), valid_to: Some(at.plus_s(1)) };
    let variant = |n: usize| Variant {
        sku: SmolStr::new("\"".repeat(128)),
        title: Some(SmolStr::new(TEXTS[n % TEXTS.len()].repeat(30))),
        price: i64::MAX,
        currency: gbp,
        inventory_policy: InventoryPolicy::TrackOnly,
        low_stock_at: Some(1_000_000_000),
        scheduled: vec![window.clone(); n % 100],
    };
    let long = |chars: usize| SmolStr::new("\u{1F600}".repeat(chars));
    let mut product = Product {
        product_id: long(128),
        title: long(256),
        description: Some(long(10_000)),
        brand: Some(long(256)),
        category: vec![long(100); 10],
        attributes: (0..200).map(|n| (SmolStr::from(format!("{n}\\")), long(1_000))).collect(),
        archived: false,
        variants: Vec::new(),
        left_out: LeftOut::default(),
        category_path: SmolStr::default(),
    };
    for count in [0, 1, 100, 1_000] {
        product.variants = (0..count).map(variant).collect();
        assert!(product_most(&product) >= product.value().len(), "{count} variants");
    }
}

/// A product whose category takes a kilobyte on each line.
fn wide() -> Value {
    let variant = json!({"sku": "W", "price": gbp("1"), "inventory_policy": "none"});
    json!({"product_id": "w", "title": "w", "category": vec!["c".repeat(100); 10], "variants": [variant]})
}

fn lines(count: usize) -> Value {
    order(&format!("o{count}"), "settled", &vec![("W", 1); count])
}

#[test]
fn an_order_above_a_mebibyte_is_refused_and_nothing_is_written() {
    let mut env = TestEnv::new();
    env.given("PutProduct", wide());
    // The event is longer than the row, and so comes to the limit first.
    let per_line = r#"{"line":900,"sku":"W","quantity":1,"unit_price":{"amount":"1.00","currency":"GBP"},"amount":{"amount":"1.00","currency":"GBP"},"category":"","returned":0},"#.len() + 1_009;
    let (mut fits, mut too_many) = (ROW_BYTES_MAX / per_line - 10, ROW_BYTES_MAX / per_line + 10);
    while too_many - fits > 1 {
        let count = fits.midpoint(too_many);
        let then = env.when("PlaceOrder", lines(count));
        match then.outcome.as_str() {
            "succeeded" => {
                let sizes = then.events.iter().map(|event| event["order"].to_string().len());
                assert!(sizes.max() <= Some(ROW_BYTES_MAX));
                fits = count;
            }
            outcome => {
                assert_eq!((outcome, then.events.len()), ("too_large", 0));
                assert_eq!(env.order(&format!("o{count}")), Value::Null);
                too_many = count;
            }
        }
    }
    let last = env.order(&format!("o{fits}")).to_string().len();
    assert!(ROW_BYTES_MAX - last < 2 * per_line, "{last} bytes were the most");
    // The id of the order is still free.
    env.given("PlaceOrder", order(&format!("o{too_many}"), "settled", &[("W", 1)]));
}

#[test]
fn a_credit_and_a_product_above_a_mebibyte_are_refused() {
    let mut env = TestEnv::new();
    env.given("PutProduct", wide());
    let lines = vec![json!({"sku": "W", "quantity": 1, "unit_price": gbp("1")}); 1_000];
    let credit = json!({"credit_id": "c", "currency": "GBP", "country": "GB", "lines": lines});
    assert_eq!(env.when("RecordCredit", credit).outcome, "too_large");
    let title = "\u{1F600}".repeat(256);
    let variant = |n: usize| json!({"sku": format!("V{n}"), "title": title, "price": gbp("1")});
    let product =
        |count| json!({"product_id": "v", "title": "v", "variants": (0..count).map(variant).collect::<Vec<_>>()});
    env.given("PutProduct", product(800));
    assert_eq!(env.when("PutProduct", product(1_000)).outcome, "too_large");
    assert_eq!(env.product("v")["variants"].as_array().map(Vec::len), Some(800));
}
