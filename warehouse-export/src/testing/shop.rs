//! A shop that makes epochs from a seed, in the form of the output topics, and remembers what the tables must come to.

use crate::input::{ChangeInput, EpochInput, EventInput};
use bytes::Bytes;
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Numbers from a seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

pub struct Shop {
    numbers: Numbers,
    epoch: u64,
    now: Timestamp,
    stock: BTreeMap<u64, i64>,
    /// The rows of every view, by key.
    pub rows: BTreeMap<(View, SmolStr), Bytes>,
}

fn money(amount: u64) -> Value {
    json!({"amount": format!("{}.{:02}", amount / 100, amount % 100), "currency": "GBP"})
}

impl Shop {
    pub fn new(seed: u64) -> Shop {
        let now = Timestamp::parse("2026-01-02T23:58:00Z").unwrap();
        Shop { numbers: Numbers(seed), epoch: 0, now, stock: BTreeMap::new(), rows: BTreeMap::new() }
    }

    fn event(&self, events: &mut Vec<EventInput>, name: &str, key: &str, mut data: Value) {
        let n = events.len() as u64 + 1;
        // Business time lies on either side of midnight.
        let occurred_at = Timestamp::from_micros(self.now.micros() - (n as i64 % 2) * 86_400_000_000 + 7);
        let more = [("epoch", json!(self.epoch)), ("n", json!(n)), ("cause", json!("c-1"))];
        let times = [("at", json!(self.now)), ("occurred_at", json!(occurred_at))];
        for (name, value) in more.into_iter().chain(times) {
            data[name] = value;
        }
        let data = Bytes::from(data.to_string());
        events.push(EventInput { n, name: name.into(), key: key.into(), data });
    }

    fn order(&mut self, order_id: &str, status: &str) -> Value {
        let count = 1 + self.numbers.below(3);
        let lines = (1..=count).map(|line| {
            let (quantity, price) = (1 + self.numbers.below(9), 1 + self.numbers.below(10_000));
            json!({"line": line, "sku": format!("s-{}", self.numbers.below(5)), "quantity": quantity,
                "unit_price": money(price), "amount": money(price * quantity), "category": "Home/Kitchen", "returned": 0})
        });
        let lines: Vec<Value> = lines.collect();
        json!({"order_id": order_id, "status": status, "code": null, "customer_id": null, "country": "EIRE",
            "currency": "GBP", "lines": lines, "total": money(100), "captured": money(0), "refunded": money(0),
            "payment": {"payment_id": order_id, "method": "settled", "status": "processed"}, "shipment": null,
            "history": [], "placed_at": self.now})
    }

    /// A row that is set, or taken away.
    fn change(
        &mut self,
        changes: &mut BTreeMap<(View, SmolStr), Option<Bytes>>,
        view: View,
        key: &str,
        value: Option<Value>,
    ) {
        let (at, value) = ((view, SmolStr::from(key)), value.map(|value| Bytes::from(value.to_string())));
        match &value {
            Some(value) => self.rows.insert(at.clone(), value.clone()),
            None => self.rows.remove(&at),
        };
        changes.insert(at, value);
    }

    /// The next epoch.
    pub fn next(&mut self) -> EpochInput {
        self.epoch += 1;
        self.now = Timestamp::from_micros(self.now.micros() + self.numbers.below(9_000_000) as i64 + 1);
        let (mut events, mut changes) = (Vec::new(), BTreeMap::new());
        for _ in 0..self.numbers.below(5) {
            match self.numbers.below(4) {
                0 => {
                    let id = format!("o-{}-{}", self.numbers.below(40), events.len());
                    let status = ["paid", "pending_payment"][self.numbers.below(2) as usize];
                    let order = self.order(&id, status);
                    let data = json!({"order": order, "from": null, "reason": null});
                    self.event(&mut events, "OrderCreated", &id, data);
                    self.change(&mut changes, View::Orders, &id, Some(order));
                }
                1 => {
                    let id = format!("o-{}", self.numbers.below(40));
                    let amount = money(self.numbers.below(100_000));
                    let data =
                        json!({"order_id": id, "payment_id": id, "refund_id": null, "amount": amount, "reason": null});
                    self.event(&mut events, "PaymentProcessed", &id, data);
                    let old = self.rows.keys().find(|(view, _)| *view == View::Orders).map(|(_, key)| key.clone());
                    let is_gone = self.numbers.below(4) == 0;
                    if let Some(old) = old.filter(|old| is_gone && !changes.contains_key(&(View::Orders, old.clone())))
                    {
                        self.change(&mut changes, View::Orders, &old, None);
                    }
                }
                _ => {
                    let (sku, quantity) = (self.numbers.below(30), self.numbers.below(20) as i64 - 9);
                    let on_hand = self.stock.entry(sku).or_default();
                    *on_hand += quantity;
                    let (on_hand, sku) = (*on_hand, format!("s-{sku}"));
                    let row =
                        json!({"sku": sku, "on_hand": on_hand, "reserved": 0, "available": on_hand, "locations": []});
                    let data = json!({"sku": sku, "location": "main", "quantity": quantity, "reason": "adjusted",
                        "reference": null, "line": null, "on_hand": on_hand, "reserved": 0});
                    self.event(&mut events, "StockUpdated", &sku, data);
                    self.change(&mut changes, View::Stock, &sku, Some(row));
                }
            }
        }
        let changes = changes.into_iter().map(|((view, key), value)| ChangeInput { view, key, value }).collect();
        EpochInput { epoch: Epoch(self.epoch), now: self.now, events, changes }
    }
}
