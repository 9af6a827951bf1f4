//! Views recomputed from nothing but the events that the log's readers get: a plain fold over their JSON.

use crate::support::views::Views;
use crate::support::{SealedLog, Way, for_each_seed, run, seeds};
use dataflows::contract::changes::Changes;
use dataflows::contract::money::{Currency, Money, parse_decimal};
use dataflows::contract::time::Timestamp;
use dataflows::shop::row::View;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[test]
fn every_view_is_a_fold_over_the_events() {
    for_each_seed("every_view_is_a_fold_over_the_events", seeds(300, 8), |seed| {
        let log: Arc<SealedLog> = crate::rule_s::sealed(&crate::rule_s::workload(seed));
        let (mut fold, mut views) = (Fold::default(), Views::default());
        for changes in run(&log, Way { workers: 2, stride: 32, in_flight: 64 }) {
            fold.epoch(&changes);
            views.apply(&changes);
            if changes.epoch().0.is_multiple_of(10) {
                fold.compare(&views, changes.epoch().0);
            }
        }
    });
}

type Rows = BTreeMap<String, Value>;
/// gross, returned, adjusted, orders, units, units returned
type Sums = [i128; 6];

/// The state that a reader of the event topics knows.
#[derive(Default)]
struct Fold {
    /// When the epoch was.
    now: Timestamp,
    products: Rows,
    orders: Rows,
    credits: Rows,
    adjustments: Rows,
    /// on hand and reserved by SKU and location
    stock: BTreeMap<String, BTreeMap<String, (i64, i64)>>,
    /// captured and refunded by order
    money: BTreeMap<String, (i128, i128)>,
    revenue: BTreeMap<String, (Value, Sums)>,
    rejected: BTreeSet<String>,
}

fn units(money: &Value) -> i128 {
    parse_decimal(money["amount"].as_str().expect("money has an amount")).expect("it fits 64 bits").into()
}

fn written(units: i128, currency: &Value) -> Value {
    let currency = currency.as_str().and_then(Currency::parse).expect("three letters");
    json!(Money::new(units, currency))
}

fn text(of: &Value) -> String {
    of.as_str().expect("a text").to_owned()
}

fn whole(of: &Value) -> i64 {
    of.as_i64().expect("a whole number")
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

impl Fold {
    fn epoch(&mut self, changes: &Changes) {
        self.now = changes.record.now;
        let events: Vec<(&str, Value)> =
            changes.events.iter().map(|event| (event.fact.name(), json!(event.as_ref()))).collect();
        for (place, (name, event)) in events.iter().enumerate() {
            assert_eq!(whole(&event["n"]), place as i64 + 1, "events are numbered from 1");
            self.event(name, event);
        }
        // What a cancellation gives back is told by the refund of the same cause.
        for (_, event) in events.iter().filter(|(name, _)| *name == "OrderCancelled") {
            let refund = events.iter().find(|(name, other)| {
                *name == "RefundIssued"
                    && other["cause"] == event["cause"]
                    && other["order_id"] == event["order"]["order_id"]
            });
            if event["from"] != "pending_payment" {
                self.called_off(event, refund.map_or(0, |(_, refund)| units(&refund["amount"])));
            }
        }
    }

    fn event(&mut self, name: &str, event: &Value) {
        match name {
            "ProductChanged" => {
                drop(self.products.insert(text(&event["product"]["product_id"]), event["product"].clone()))
            }
            "PriceChanged" => self.price(event),
            "StockUpdated" => {
                let at = self.at(event);
                at.0 += whole(&event["quantity"]);
                let found = (whole(&event["on_hand"]), whole(&event["reserved"]));
                // Reservations that ship leave with their goods.
                *at = (at.0, if event["reason"] == "shipped" { at.1 + whole(&event["quantity"]) } else { at.1 });
                assert_eq!(*at, found, "{event}");
            }
            "InventoryReserved" => self.at(event).1 += whole(&event["quantity"]),
            "InventoryReleased" => self.at(event).1 -= whole(&event["quantity"]),
            "OrderCreated" | "OrderUpdated" | "OrderCancelled" => {
                let order = &event["order"];
                let is_new = name == "OrderCreated" || event["from"] == "pending_payment";
                let paid_now = is_new && order["status"] == "paid";
                if paid_now {
                    self.sale(order);
                }
                self.rejected.remove(&text(&order["order_id"]));
                self.orders.insert(text(&order["order_id"]), order.clone());
            }
            "OrderRejected" => drop(self.rejected.insert(text(&event["order_id"]))),
            "PaymentProcessed" => self.money.entry(text(&event["order_id"])).or_default().0 += units(&event["amount"]),
            "RefundIssued" => {
                self.money.entry(text(&event["order_id"])).or_default().1 += units(&event["amount"]);
                self.refund(event);
            }
            "ItemsReturned" => self.returned(event),
            "CreditRecorded" => {
                let credit = &event["credit"];
                for line in list(&credit["lines"]) {
                    self.add(
                        event,
                        credit,
                        &line["category"],
                        [0, units(&line["amount"]), 0, 0, 0, whole(&line["quantity"]).into()],
                    );
                }
                self.credits.insert(text(&credit["credit_id"]), credit.clone());
            }
            "AdjustmentRecorded" => {
                let adjustment = &event["adjustment"];
                self.add(event, adjustment, &json!(""), [0, 0, units(&adjustment["amount"]), 0, 0, 0]);
                self.adjustments.insert(text(&adjustment["adjustment_id"]), adjustment.clone());
            }
            "LowStock" | "PaymentRequested" | "PaymentFailed" => {}
            other => panic!("an event of the contract, not {other}"),
        }
    }

    fn at(&mut self, event: &Value) -> &mut (i64, i64) {
        self.stock.entry(text(&event["sku"])).or_default().entry(text(&event["location"])).or_default()
    }

    fn price(&mut self, event: &Value) {
        let product = self.products.get_mut(event["product_id"].as_str().expect("an id")).expect("it was told");
        let variants = product["variants"].as_array_mut().expect("a list");
        let now = self.now;
        let is_over = |to: &Value| to.as_str().is_some_and(|to| Timestamp::parse(to).expect("a time") <= now);
        for variant in variants.iter_mut() {
            variant["scheduled"].as_array_mut().expect("a list").retain(|window| !is_over(&window["valid_to"]));
        }
        let variant = variants.iter_mut().find(|variant| variant["sku"] == event["sku"]).expect("it is sold");
        if event["valid_from"].is_null() && event["valid_to"].is_null() {
            variant["price"] = event["price"].clone();
        } else if !is_over(&event["valid_to"]) {
            let window =
                json!({"price": event["price"], "valid_from": event["valid_from"], "valid_to": event["valid_to"]});
            variant["scheduled"].as_array_mut().expect("a list").push(window);
        }
    }

    fn sale(&mut self, order: &Value) {
        let at = json!({"occurred_at": order["placed_at"]});
        let mut categories = BTreeSet::new();
        for line in list(&order["lines"]) {
            let first = i128::from(categories.insert(text(&line["category"])));
            let sums = [units(&line["amount"]), 0, 0, first, whole(&line["quantity"]).into(), 0];
            self.add_to(&at, order, &line["category"], sums);
            self.add_to(&at, order, &Value::Null, [sums[0], 0, 0, 0, sums[4], 0]);
        }
        self.add_to(&at, order, &Value::Null, [0, 0, 0, 1, 0, 0]);
    }

    fn called_off(&mut self, event: &Value, mut refund: i128) {
        for line in list(&event["order"]["lines"]) {
            let part = refund.min(units(&line["amount"]));
            refund -= part;
            self.add(event, &event["order"], &line["category"], [0, part, 0, 0, 0, whole(&line["quantity"]).into()]);
        }
    }

    fn returned(&mut self, event: &Value) {
        let order = self.orders[event["order_id"].as_str().expect("an id")].clone();
        for line in list(&event["return"]["lines"]) {
            let category = &order["lines"][whole(&line["line"]) as usize - 1]["category"];
            self.add(event, &order, category, [0, units(&line["amount"]), 0, 0, 0, whole(&line["quantity"]).into()]);
        }
    }

    /// Money without goods: the refund is none of the shop's own.
    fn refund(&mut self, event: &Value) {
        let id = text(&event["refund_id"]);
        let with_goods = ["cancelled", "shipment_failed", "late_capture"].contains(&id.as_str());
        // A return has told its goods under the same id, in the event before the order's.
        let of_return = event["reason"] == "returned" && self.last_return_is(event);
        if !with_goods && !of_return {
            let order = self.orders[event["order_id"].as_str().expect("an id")].clone();
            self.add(event, &order, &json!(""), [0, 0, -units(&event["amount"]), 0, 0, 0]);
        }
    }

    /// True if the order's last state was entered by a return in the same epoch.
    fn last_return_is(&self, event: &Value) -> bool {
        let order = &self.orders[event["order_id"].as_str().expect("an id")];
        let last = list(&order["history"]).last().expect("an order has a state");
        last["epoch"] == event["epoch"] && text(&last["status"]).contains("returned")
    }

    fn add(&mut self, event: &Value, document: &Value, category: &Value, sums: Sums) {
        self.add_to(event, document, category, sums);
        self.add_to(event, document, &Value::Null, sums);
    }

    fn add_to(&mut self, event: &Value, document: &Value, category: &Value, sums: Sums) {
        let at = text(&event["occurred_at"]);
        for period in [at[..7].to_owned(), at[..10].to_owned(), format!("{}:00Z", &at[..13])] {
            let key = json!([period, document["currency"], document["country"], category]);
            let row = self.revenue.entry(key.to_string()).or_insert_with(|| (key, Sums::default()));
            row.1.iter_mut().zip(sums).for_each(|(sum, more)| *sum += more);
        }
    }

    fn compare(&self, views: &Views, epoch: u64) {
        let same = |view: View, ours: Rows| {
            let theirs = views.json(view);
            for (key, row) in &ours {
                assert_eq!(Some(row), theirs.get(key), "epoch {epoch}, {} {key}", view.name());
            }
            assert_eq!(ours.len(), theirs.len(), "epoch {epoch}, {}", view.name());
        };
        same(View::Products, self.products.clone());
        same(View::Credits, self.credits.clone());
        same(View::Adjustments, self.adjustments.clone());
        same(View::Stock, self.stock.iter().map(|(sku, at)| (sku.clone(), stock_row(sku, at))).collect());
        same(
            View::Revenue,
            self.revenue
                .iter()
                .filter_map(|(key, (parts, sums))| Some((key.clone(), revenue_row(parts, sums)?)))
                .collect(),
        );
        self.compare_orders(&views.json(View::Orders), epoch);
    }

    /// Orders by their last document; captured and refunded, and what came back, by their own events.
    fn compare_orders(&self, theirs: &Rows, epoch: u64) {
        for (id, order) in theirs {
            if order["status"] == "rejected" {
                assert!(self.rejected.contains(id), "epoch {epoch}, {id}");
                continue;
            }
            let (captured, refunded) = self.money.get(id).copied().unwrap_or_default();
            let mut told = self.orders[id].clone();
            told["captured"] = written(captured, &order["currency"]);
            told["refunded"] = written(refunded, &order["currency"]);
            // A late capture and a charge-back move no state, and so tell no document.
            told["payment"] = order["payment"].clone();
            assert_eq!(&told, order, "epoch {epoch}, {id}");
        }
        let told: BTreeSet<_> = self.orders.keys().chain(&self.rejected).collect();
        assert_eq!(told.len(), theirs.len());
    }
}

fn stock_row(sku: &str, at: &BTreeMap<String, (i64, i64)>) -> Value {
    let locations = at.iter().map(|(location, (on_hand, reserved))| {
        json!({"location": location, "on_hand": on_hand, "reserved": reserved, "available": on_hand - reserved})
    });
    let (on_hand, reserved) = at.values().fold((0, 0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
    json!({"sku": sku, "on_hand": on_hand, "reserved": reserved, "available": on_hand - reserved, "locations": locations.collect::<Vec<_>>()})
}

fn revenue_row(parts: &Value, sums: &Sums) -> Option<Value> {
    let [gross, returned, adjusted, orders, units, units_returned] = *sums;
    let money = |units| written(units, &parts[1]);
    (*sums != Sums::default()).then(|| {
        json!({"period": parts[0], "currency": parts[1], "country": parts[2], "category": parts[3],
            "gross": money(gross), "returned": money(returned), "adjusted": money(adjusted),
            "net": money(gross - returned + adjusted), "orders": orders as i64, "units": units as i64,
            "units_returned": units_returned as i64})
    })
}
