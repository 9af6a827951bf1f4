//! The workload's plain commands over a small world, those about orders first of all: twenty customers.
//! Those about goods stand in `workload_goods.rs`.
//! It guesses what became of earlier orders; the guesses are often wrong, and that is wanted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::money::write_amount;
use super::time::{self, DAY, HOUR, MINUTE, SECOND};
use super::workload::{Draft, Random};
use super::workload_goods::{PRODUCTS, WIDE_SKU, some_sku};

const COUNTRIES: [&str; 5] = ["United Kingdom", "EIRE", "Unspecified", "GB", "Österreich"];
const CURRENCIES: [&str; 4] = ["GBP", "EUR", "JPY", "KWD"];
const ORDERS_RECENT: usize = 14;
/// The largest money that there is.
const MONEY_MAX: i64 = i64::MAX;

/// What the workload believes about an order.
#[derive(Debug, Clone)]
struct PlacedOrder {
    order_id: String,
    currency: String,
    total: i64,
    quantities: Vec<i64>,
    step: Step,
}

/// The event that an order waits for, as far as the workload can guess.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Payment,
    Shipment,
    Delivery,
    Return,
}

#[derive(Clone, Default)]
pub struct World {
    made: u64,
    /// The catalogue's prices as last set, windows apart.
    pub prices: BTreeMap<String, i64>,
    recent: Vec<PlacedOrder>,
}

impl World {
    /// Any plain command; an order may go without an id of its own.
    pub fn command(&mut self, random: &mut Random, now: i64, command_id: &str) -> Draft {
        let mut draft = match random.below(1000) {
            0..=5 => self.put_policy(random),
            6..=33 => {
                let place = random.below(PRODUCTS.len() as u64) as usize;
                self.product(random, place, false)
            }
            34..=37 => {
                let (id, _, _) = random.pick(&PRODUCTS);
                let id = if random.percent(10) { "p-none" } else { id };
                about("ArchiveProduct", id, json!({"product_id": id}))
            }
            38..=64 => self.set_price(random, now),
            65..=169 => self.move_stock(random),
            170..=199 => self.transfer(random),
            200..=379 => self.place_order(random, command_id),
            380..=679 => self.next_step(random),
            680..=959 => self.any_step(random),
            960..=984 => self.credit(random),
            _ => self.adjustment(random),
        };
        if random.percent(40) {
            draft.set("occurred_at", json!(some_time(random, now)));
        }
        draft
    }

    /// The event that an order waits for.
    fn next_step(&mut self, random: &mut Random) -> Draft {
        let order = self.some_order(random);
        let place = self.recent.iter().rposition(|placed| placed.order_id == order.order_id);
        let next = match order.step {
            Step::Payment => Step::Shipment,
            Step::Shipment => Step::Delivery,
            Step::Delivery | Step::Return => Step::Return,
        };
        if let Some(place) = place {
            self.recent[place].step = next;
        }
        match order.step {
            Step::Payment => payment_result(random, &order, "processed"),
            Step::Shipment => ship(random, &order),
            Step::Delivery if random.percent(50) => {
                about("DeliverOrder", &order.order_id, json!({"order_id": order.order_id}))
            }
            Step::Delivery | Step::Return => self.return_items(random, &order),
        }
    }

    /// Anything that can be asked of an order, whether or not it is in a state for it.
    fn any_step(&mut self, random: &mut Random) -> Draft {
        let order = self.some_order(random);
        match random.below(28) {
            0..=7 => {
                let status = *random.pick(&["processed", "failed", "failed", "charged_back"]);
                payment_result(random, &order, status)
            }
            8..=10 => {
                let data = json!({"order_id": order.order_id, "reason": "changed my mind"});
                about("CancelOrder", &order.order_id, data)
            }
            11..=12 => ship(random, &order),
            13..=15 => about("DeliverOrder", &order.order_id, json!({"order_id": order.order_id})),
            16..=17 => {
                let mut data = json!({"order_id": order.order_id, "reason": "lost"});
                if random.percent(40) {
                    data["restock"] = json!(random.percent(50));
                }
                about("RecordShipmentFailure", &order.order_id, data)
            }
            18..=23 => self.return_items(random, &order),
            _ => self.refund(random, &order),
        }
    }

    /// Two orders that want the same two SKUs in opposite order.
    pub fn crossed_orders(&mut self, random: &mut Random) -> [Draft; 2] {
        let skus = ["LAMP-R", "85123a"];
        let quantity = random.between(1, 5);
        [skus, [skus[1], skus[0]]].map(|pair| {
            let order_id = self.new_name("o");
            let lines = pair.map(|sku| {
                let price = write_amount(20_000, "GBP");
                json!({"sku": sku, "quantity": quantity,
                    "unit_price": {"amount": price, "currency": "GBP"}})
            });
            self.remember(PlacedOrder {
                order_id: order_id.clone(),
                currency: "GBP".to_string(),
                total: 40_000 * quantity,
                quantities: vec![quantity, quantity],
                step: Step::Payment,
            });
            let data = json!({"order_id": order_id, "customer_id": "u-1", "currency": "GBP",
                "country": "GB", "lines": lines, "payment": {"method": "sandbox"}});
            about("PlaceOrder", &order_id, data)
        })
    }

    fn place_order(&mut self, random: &mut Random, command_id: &str) -> Draft {
        let nameless = !command_id.is_empty() && random.percent(5);
        let order_id = if nameless {
            command_id.to_string()
        } else if random.percent(12) {
            self.some_order(random).order_id
        } else {
            self.new_name("o")
        };
        let currency = if random.percent(88) { "GBP" } else { *random.pick(&CURRENCIES) };
        let mut total: i64 = 0;
        let mut quantities = Vec::new();
        let mut lines = Vec::new();
        for _ in 0..random.between(1, 4) {
            let sku = if random.percent(2) { "NO-SUCH" } else { some_sku(random) };
            let quantity = if random.percent(4) { 40 } else { random.between(1, 3) };
            let mut line = json!({"sku": sku, "quantity": quantity});
            let mut units = self.prices.get(sku).copied().unwrap_or_default();
            if currency != "GBP" || random.percent(60) {
                units = some_units(random);
                let mistaken = random.percent(4);
                let other = if mistaken { *random.pick(&CURRENCIES) } else { currency };
                line["unit_price"] = money(units, other);
            }
            total = total.saturating_add(units.saturating_mul(quantity));
            quantities.push(quantity);
            lines.push(line);
        }
        let method = *random.pick(&["sandbox", "sandbox", "external", "settled"]);
        let mut payment = json!({"method": method});
        if random.percent(20) {
            payment["token"] = json!(random.pick(&["decline", "slow", "error"]));
        }
        let country = *random.pick(&COUNTRIES);
        let mut data = json!({"currency": currency, "country": country, "lines": lines, "payment": payment});
        if random.percent(85) {
            data["customer_id"] = json!(format!("u-{}", random.below(20)));
        }
        let mut key = Some(order_id.clone());
        if !nameless {
            data["order_id"] = json!(order_id);
        } else if random.percent(30) {
            key = Some("any key".to_string());
        }
        let step = if method == "settled" || total == 0 { Step::Shipment } else { Step::Payment };
        let (id, currency) = (order_id.clone(), currency.to_string());
        self.remember(PlacedOrder { order_id: id, currency, total, quantities, step });
        Draft { type_name: "PlaceOrder", key, data }
    }

    /// An order whose row is about as large as it may be, if the policy allows as many lines.
    pub fn wide_order(&mut self, random: &mut Random) -> Draft {
        let order_id = self.new_name("w");
        let lines = vec![json!({"sku": WIDE_SKU, "quantity": 1}); random.between(880, 920) as usize];
        let data = json!({"order_id": order_id, "currency": "GBP", "country": "GB", "lines": lines,
            "payment": {"method": "settled"}});
        self.remember(PlacedOrder {
            order_id: order_id.clone(),
            currency: "GBP".to_string(),
            total: 10_000 * lines.len() as i64,
            quantities: vec![1; lines.len()],
            step: Step::Shipment,
        });
        about("PlaceOrder", &order_id, data)
    }

    fn return_items(&mut self, random: &mut Random, order: &PlacedOrder) -> Draft {
        let return_id = match random.below(20) {
            0 => "late_capture".to_string(),
            1..=3 => "r-1".to_string(),
            _ => self.new_name("r"),
        };
        let mut lines = Vec::new();
        if random.percent(20) {
            for (place, quantity) in order.quantities.iter().enumerate() {
                lines.push(json!({"line": place + 1, "quantity": quantity}));
            }
        } else {
            for _ in 0..random.between(1, 2) {
                let above = i64::from(random.percent(5));
                let line = random.between(1, order.quantities.len() as i64 + above);
                lines.push(json!({"line": line, "quantity": random.between(1, 2)}));
            }
        }
        let mut data = json!({"order_id": order.order_id, "return_id": return_id, "lines": lines});
        if random.percent(30) {
            data["restock"] = json!(random.percent(40));
        }
        about("ReturnItems", &order.order_id, data)
    }

    fn refund(&mut self, random: &mut Random, order: &PlacedOrder) -> Draft {
        let refund_id = match random.below(20) {
            0 => "cancelled".to_string(),
            1..=3 => "r-1".to_string(),
            _ => self.new_name("r"),
        };
        let whole = random.percent(30) && order.total > 0;
        let units = if whole { order.total } else { random.between(1, 50_000) };
        let currency = if random.percent(6) { "JPY" } else { &order.currency };
        let data = json!({"order_id": order.order_id, "refund_id": refund_id,
            "amount": money(units, currency), "reason": "sorry"});
        about("IssueRefund", &order.order_id, data)
    }

    fn credit(&mut self, random: &mut Random) -> Draft {
        let credit_id = format!("C{}", random.below(400));
        let currency = if random.percent(80) { "GBP" } else { *random.pick(&CURRENCIES) };
        let mut lines = Vec::new();
        for _ in 0..random.between(1, 3) {
            let sku = if random.percent(4) { "NO-SUCH" } else { some_sku(random) };
            let other = if random.percent(4) { "EUR" } else { currency };
            let price = money(some_units(random), other);
            let quantity = random.between(1, 4);
            lines.push(json!({"sku": sku, "quantity": quantity, "unit_price": price}));
        }
        let mut data = json!({"credit_id": credit_id, "currency": currency,
            "country": random.pick(&COUNTRIES), "lines": lines, "reference": credit_id});
        if random.percent(30) {
            data["restock"] = json!(random.percent(30));
        }
        about("RecordCredit", &credit_id, data)
    }

    fn adjustment(&mut self, random: &mut Random) -> Draft {
        let adjustment_id = format!("A{}", random.below(300));
        let amount = money(random.between(-90_000, 90_000), "GBP");
        let currency = if random.percent(8) { "EUR" } else { "GBP" };
        let data = json!({"adjustment_id": adjustment_id, "customer_id": "u-3",
            "currency": currency, "country": random.pick(&COUNTRIES), "amount": amount});
        about("RecordAdjustment", &adjustment_id, data)
    }

    fn new_name(&mut self, letter: &str) -> String {
        self.made += 1;
        format!("{letter}-{}", self.made)
    }

    fn remember(&mut self, placed: PlacedOrder) {
        self.recent.push(placed);
        if self.recent.len() > ORDERS_RECENT {
            self.recent.remove(0);
        }
    }

    fn some_order(&mut self, random: &mut Random) -> PlacedOrder {
        if self.recent.is_empty() || random.percent(2) {
            return PlacedOrder {
                order_id: "o-none".to_string(),
                currency: "GBP".to_string(),
                total: 10_000,
                quantities: vec![1],
                step: Step::Payment,
            };
        }
        random.pick(&self.recent).clone()
    }
}

fn payment_result(random: &mut Random, order: &PlacedOrder, status: &str) -> Draft {
    let mut units = order.total;
    if status == "charged_back" || random.percent(8) {
        units = random.between(1, 60_000);
    }
    let currency = if random.percent(4) { "EUR" } else { &order.currency };
    let payment_id = if random.percent(4) { "pay-none" } else { &order.order_id };
    let mut data = json!({"order_id": order.order_id, "payment_id": payment_id,
        "status": status, "amount": money(units, currency)});
    if random.percent(30) {
        data["reason"] = json!("bank says so");
    }
    about("RecordPaymentResult", &order.order_id, data)
}

fn ship(random: &mut Random, order: &PlacedOrder) -> Draft {
    let mut data = json!({"order_id": order.order_id});
    if random.percent(50) {
        data["carrier"] = json!("DHL");
        data["tracking"] = json!("T1");
    }
    about("ShipOrder", &order.order_id, data)
}

pub fn about(type_name: &'static str, key: &str, data: Value) -> Draft {
    Draft { type_name, key: Some(key.to_string()), data }
}

pub fn money(units: i64, currency: &str) -> Value {
    json!({"amount": write_amount(i128::from(units), currency), "currency": currency})
}

/// A price; now and then one that overflows a line or a total, or nothing.
fn some_units(random: &mut Random) -> i64 {
    match random.below(40) {
        0 => MONEY_MAX,
        1 => MONEY_MAX / 2 + 1,
        2..=3 => 0,
        _ => random.between(1, 100) * 1_250,
    }
}

/// Business time: late, early, just early enough, and now.
fn some_time(random: &mut Random, now: i64) -> String {
    time::write(match random.below(12) {
        0 => now,
        1..=4 => now - random.between(0, 48) * HOUR - random.between(0, SECOND),
        5..=7 => now - random.between(0, 400) * DAY,
        8 => now + random.between(0, 5 * MINUTE),
        9 => now + 5 * MINUTE,
        10 => now + 5 * MINUTE + i64::from(random.percent(20)),
        _ => now - random.between(0, MINUTE),
    })
}
