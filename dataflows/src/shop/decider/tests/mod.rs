//! Given, when, then: the rules of the shop, beside the decider.

mod bounds;
mod catalog;
mod documents;
mod orders;
mod payments;
mod stock;

use super::Decider;
use crate::contract::epoch::{Cut, Epoch, EpochRecord};
use crate::contract::input::CommandEnvelope;
use crate::contract::time::Timestamp;
use crate::contract::topic::Origin;
use crate::shop::command::{Command, CommandType};
use crate::shop::orders::Order;
use crate::shop::row::Row;
use crate::shop::stock::Stock;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::sync::Arc;

/// A shop in which each command is an epoch of its own, a second after the one before.
pub struct TestEnv {
    decider: Decider,
    epoch: u64,
    now: Timestamp,
}

/// The outcome of a command: `succeeded`, or the code with the pointers of its errors; and the events.
pub struct Then {
    pub outcome: String,
    pub events: Vec<Value>,
}

impl TestEnv {
    pub fn new() -> TestEnv {
        TestEnv { decider: Decider::default(), epoch: 0, now: Timestamp::parse("2026-01-01T00:00:00Z").unwrap() }
    }

    /// A shop that sells: `A` and `B` (reserve, 10 at main and 5 at east), `T` (track_only), `D` (none).
    pub fn stocked() -> TestEnv {
        let mut env = TestEnv::new();
        for (sku, policy, price) in
            [("A", "reserve", "2.00"), ("B", "reserve", "3.50"), ("T", "track_only", "1.00"), ("D", "none", "9.99")]
        {
            env.given(
                "PutProduct",
                json!({"product_id": format!("p-{sku}"), "title": sku, "category": ["Goods", sku],
                "variants": [{"sku": sku, "price": gbp(price), "inventory_policy": policy}]}),
            );
        }
        for (sku, location, quantity) in [("A", "main", 10), ("A", "east", 5), ("B", "main", 10)] {
            env.given(
                "MoveStock",
                json!({"sku": sku, "location": location, "quantity": quantity, "reason": "received"}),
            );
        }
        env
    }

    /// Decides a command that must succeed.
    pub fn given(&mut self, name: &str, data: Value) -> &mut TestEnv {
        let then = self.when(name, data.clone());
        assert_eq!(then.outcome, "succeeded", "given {name} {data}");
        self
    }

    /// Decides a command in an epoch of its own.
    pub fn when(&mut self, name: &str, data: Value) -> Then {
        self.when_id(&format!("c-{}", self.epoch + 1), name, data)
    }

    pub fn when_id(&mut self, command_id: &str, name: &str, data: Value) -> Then {
        let command_type = CommandType::from_name(name).unwrap();
        let command = Command::read(command_type, command_id, data.to_string().as_bytes()).unwrap();
        let envelope = CommandEnvelope {
            origin: Origin { topic: command_type.topic(), partition: 0, offset: self.epoch },
            command_id: SmolStr::new(command_id),
            fingerprint: command.fingerprint(command.key().as_bytes()),
            command,
        };
        let events = self.epoch_of(vec![envelope]);
        let outcome = self.decider.tables().operations.get(command_id).map_or_else(String::new, |operation| {
            let pointers: Vec<_> = operation.errors().iter().map(|error| error.pointer.as_ref()).collect();
            operation.code().map_or("succeeded".to_owned(), |code| format!("{code} {}", pointers.join(" ")))
        });
        Then { outcome: outcome.trim_end().to_owned(), events }
    }

    /// Lets that many seconds pass, and an epoch without commands.
    pub fn wait(&mut self, seconds: i64) -> Vec<Value> {
        self.now = self.now.plus_s(seconds - 1);
        self.epoch_of(Vec::new())
    }

    fn epoch_of(&mut self, commands: Vec<CommandEnvelope>) -> Vec<Value> {
        self.epoch += 1;
        self.now = self.now.plus_s(1);
        let record = EpochRecord { v: 1, epoch: Epoch(self.epoch), now: self.now, rules: 1, cut: Cut::default() };
        let decided = self.decider.run(&record, commands);
        let json = |event: &crate::contract::event::Event| {
            let mut json = serde_json::to_value(event).unwrap();
            json["type"] = json!(event.fact.name());
            json
        };
        decided.events.iter().map(json).collect()
    }

    pub fn order(&self, id: &str) -> Value {
        json_of(self.decider.tables().orders.get(id))
    }

    pub fn product(&self, id: &str) -> Value {
        json_of(self.decider.tables().products.get(id))
    }

    pub fn order_row(&self, id: &str) -> Arc<Order> {
        Arc::clone(self.decider.tables().orders.get(id).unwrap())
    }

    /// Puts the stock of a SKU: location, on hand, reserved.
    pub fn set_stock(&mut self, sku: &str, locations: &[(&str, i64, i64)]) {
        let mut stock = Stock::new(SmolStr::new(sku));
        for (location, on_hand, reserved) in locations {
            let at = stock.location_mut(&SmolStr::new(location));
            (at.on_hand, at.reserved) = (*on_hand, *reserved);
        }
        self.decider.tables.stock.put(Arc::new(stock));
    }

    /// on_hand/reserved by location, in their order.
    pub fn stock(&self, sku: &str) -> String {
        let locations = self.decider.tables().stock.get(sku).map(|stock| stock.locations.clone()).unwrap_or_default();
        let texts: Vec<_> =
            locations.iter().map(|at| format!("{} {}/{}", at.location, at.on_hand, at.reserved)).collect();
        texts.join(", ")
    }

    pub fn operation(&self, id: &str) -> Value {
        json_of(self.decider.tables().operations.get(id))
    }

    /// Places a settled order of `A` under that id.
    pub fn given_paid(&mut self, order_id: &str, quantity: i64) -> &mut TestEnv {
        self.given("PlaceOrder", order(order_id, "settled", &[("A", quantity)]))
    }

    /// Places an order and ships it.
    pub fn given_shipped(&mut self, order_id: &str, quantity: i64) -> &mut TestEnv {
        self.given_paid(order_id, quantity).given("ShipOrder", json!({"order_id": order_id}))
    }
}

fn json_of<R: Row>(row: Option<&Arc<R>>) -> Value {
    row.map_or(Value::Null, |row| serde_json::from_slice(&row.value()).unwrap())
}

pub fn gbp(amount: &str) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

pub fn order(order_id: &str, method: &str, lines: &[(&str, i64)]) -> Value {
    let lines: Vec<_> = lines.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect();
    json!({"order_id": order_id, "customer_id": "ann", "currency": "GBP", "country": "GB", "lines": lines,
        "payment": {"method": method}})
}

/// The events by name.
pub fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}
