//! What a customer, a clerk or a connector does: the request that it is, what must come of it, and what it changes in
//! the books. Not for choosing.

use super::http::Request;
use super::order::{CURRENCY, Line, Order, State, Way};
use super::shelves::Shelves;
use dataflows::contract::money::Amount;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the books of one customer hold.
#[derive(Debug, Default)]
pub struct Books {
    /// The stock that only this customer touches, exactly.
    pub shelves: Shelves,
    /// How much came in of the stock that all touch.
    pub received: BTreeMap<String, i64>,
    /// The prices.
    pub prices: BTreeMap<String, i64>,
    /// The orders that were taken.
    pub orders: BTreeMap<String, Order>,
    /// The orders that were rejected, with their codes.
    pub rejected: BTreeMap<String, String>,
}

/// A thing to do: the commands of the contract, with their data.
#[derive(Clone, Debug)]
pub enum Act {
    Put { product: String, skus: Vec<(String, i64)> },
    Price { product: String, sku: String, price: i64 },
    Move { sku: String, location: String, quantity: i64 },
    Transfer { sku: String, from: String, to: String, quantity: i64 },
    Place { order: String, customer: String, country: String, way: Way, lines: Vec<(String, i64)> },
    Pay { order: String, result: &'static str, amount: i64 },
    Cancel { order: String },
    Ship { order: String },
    Deliver { order: String },
    Fail { order: String, restock: bool },
    Return { order: String, part: u32, line: usize, quantity: i64, restock: bool },
    Refund { order: String, part: u32, amount: i64 },
}

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is taken, with that status.
    Accepted(u16),
    /// It is refused, with that code.
    Refused(&'static str),
    /// It is taken, or refused with that code: others touch the same things.
    Either(u16, &'static str),
}

fn amount(amount: i64) -> Value {
    json!({"amount": Amount(amount), "currency": CURRENCY})
}

impl Act {
    /// The request, under a command id.
    pub fn request(&self, key: String) -> Request {
        let (method, path, body) = self.parts();
        Request { method, path: format!("/api/v1/{path}"), key: Some(key), min_epoch: None, body: Some(body) }
    }

    fn parts(&self) -> (&'static str, String, Value) {
        match self {
            Act::Put { product, skus } => {
                let variants: Vec<Value> =
                    skus.iter().map(|(sku, price)| json!({"sku": sku, "price": amount(*price)})).collect();
                let body = json!({"title": product, "category": ["Simulated", product], "variants": variants});
                ("PUT", format!("products/{product}"), body)
            }
            Act::Price { product, sku, price } => {
                ("PUT", format!("products/{product}/variants/{sku}/price"), json!({"price": amount(*price)}))
            }
            Act::Move { sku, location, quantity } => {
                let reason = if *quantity > 0 { "received" } else { "written_off" };
                let body = json!({"location": location, "quantity": quantity, "reason": reason});
                ("POST", format!("stock/{sku}/movements"), body)
            }
            Act::Transfer { sku, from, to, quantity } => {
                ("POST", format!("stock/{sku}/transfers"), json!({"from": from, "to": to, "quantity": quantity}))
            }
            Act::Place { order, customer, country, way, lines } => {
                let lines: Vec<Value> =
                    lines.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect();
                let body = json!({"order_id": order, "customer_id": customer, "currency": CURRENCY,
                    "country": country, "lines": lines, "payment": way.payment()});
                ("POST", "orders".to_owned(), body)
            }
            Act::Pay { order, result, amount: of } => {
                let body = json!({"payment_id": order, "status": result, "amount": amount(*of)});
                ("POST", format!("payments/{order}/results"), body)
            }
            Act::Cancel { order } => ("POST", format!("orders/{order}/cancellations"), json!({"reason": "simulated"})),
            Act::Ship { order } => ("POST", format!("orders/{order}/shipments"), json!({"carrier": "simulated"})),
            Act::Deliver { order } => ("POST", format!("orders/{order}/deliveries"), json!({})),
            Act::Fail { order, restock } => {
                let body = json!({"reason": "simulated", "restock": restock});
                ("POST", format!("orders/{order}/shipment-failures"), body)
            }
            Act::Return { order, part, line, quantity, restock } => {
                let lines = json!([{"line": line + 1, "quantity": quantity}]);
                let body = json!({"return_id": format!("part-{part}"), "lines": lines, "restock": restock});
                ("POST", format!("orders/{order}/returns"), body)
            }
            Act::Refund { order, part, amount: of } => {
                let body = json!({"refund_id": format!("part-{part}"), "amount": amount(*of)});
                ("POST", format!("orders/{order}/refunds"), body)
            }
        }
    }

    /// The order that it is about.
    pub fn order(&self) -> Option<&str> {
        match self {
            Act::Put { .. } | Act::Price { .. } | Act::Move { .. } | Act::Transfer { .. } => None,
            Act::Place { order, .. }
            | Act::Pay { order, .. }
            | Act::Cancel { order }
            | Act::Ship { order }
            | Act::Deliver { order }
            | Act::Fail { order, .. }
            | Act::Return { order, .. }
            | Act::Refund { order, .. } => Some(order),
        }
    }
}

impl Books {
    /// What must come of it, as far as these books know.
    pub fn expected(&self, act: &Act) -> Expected {
        let when = |allowed: bool, status: u16, code: &'static str| {
            if allowed { Expected::Accepted(status) } else { Expected::Refused(code) }
        };
        let order = act.order().and_then(|id| self.orders.get(id));
        match (act, order) {
            (Act::Put { .. }, _) => Expected::Accepted(201),
            (Act::Price { .. }, _) => Expected::Accepted(200),
            (Act::Move { sku, location, quantity }, _) => {
                let is_own = *quantity > 0 || self.shelves.at(sku, location).on_hand + quantity >= 0;
                when(is_own, 201, "insufficient_stock")
            }
            (Act::Transfer { sku, from, quantity, .. }, _) => {
                when(self.shelves.at(sku, from).free() >= *quantity, 201, "insufficient_stock")
            }
            (Act::Place { .. }, Some(_)) => Expected::Refused("already_exists"),
            (Act::Place { lines, .. }, None) => self.expected_of_lines(lines),
            (_, None) => Expected::Refused("not_found"),
            (Act::Pay { result: "charged_back", amount, .. }, Some(order)) => {
                let open = !matches!(order.state, State::PendingPayment | State::Cancelled | State::Returned);
                let allowed = open && !order.is_charged_back;
                let code = if allowed { "over_refund" } else { "invalid_transition" };
                when(allowed && *amount <= order.left(), 200, code)
            }
            (Act::Pay { amount, .. }, Some(order)) => {
                let code = if *amount == order.total() { "invalid_transition" } else { "amount_mismatch" };
                when(order.state == State::PendingPayment && *amount == order.total(), 200, code)
            }
            (Act::Cancel { .. }, Some(order)) => {
                when(order.is_open() || order.state == State::Shipped, 200, "invalid_transition")
            }
            (Act::Ship { .. }, Some(order)) => {
                when(order.state == State::Paid && order.left() > 0, 201, "invalid_transition")
            }
            (Act::Deliver { .. }, Some(order)) => when(order.state == State::Shipped, 200, "invalid_transition"),
            (Act::Fail { .. }, Some(order)) => {
                when(matches!(order.state, State::Paid | State::Shipped), 200, "invalid_transition")
            }
            (Act::Return { line, quantity, .. }, Some(order)) => {
                let allowed = matches!(order.state, State::Shipped | State::Delivered | State::PartlyReturned);
                let code = if allowed { "over_return" } else { "invalid_transition" };
                let line = &order.lines[*line];
                when(allowed && *quantity <= line.quantity - line.returned, 201, code)
            }
            (Act::Refund { amount, .. }, Some(order)) => when(*amount <= order.left(), 201, "over_refund"),
        }
    }

    fn expected_of_lines(&self, lines: &[(String, i64)]) -> Expected {
        if lines.iter().any(|(sku, _)| !self.prices.contains_key(sku)) {
            return Expected::Refused("unknown_sku");
        }
        let mut shelves = self.shelves.clone();
        let (own, shared): (Vec<_>, Vec<_>) = lines.iter().partition(|(sku, _)| self.shelves.has(sku));
        if own.iter().any(|(sku, quantity)| shelves.take(sku, *quantity).is_none()) {
            Expected::Refused("out_of_stock")
        } else if shared.is_empty() {
            Expected::Accepted(201)
        } else {
            Expected::Either(201, "out_of_stock")
        }
    }

    /// Writes down what was taken.
    pub fn apply(&mut self, act: &Act) {
        let Books { shelves, received, prices, orders, rejected } = self;
        let order = act.order().and_then(|id| orders.get_mut(id));
        match (act, order) {
            (Act::Put { skus, .. }, _) => prices.extend(skus.iter().cloned()),
            (Act::Price { sku, price, .. }, _) => *prices.entry(sku.clone()).or_default() = *price,
            (Act::Move { sku, quantity, .. }, _) if received.contains_key(sku) => {
                *received.entry(sku.clone()).or_default() += quantity;
            }
            (Act::Move { sku, location, quantity }, _) => shelves.change(sku, location, *quantity, 0),
            (Act::Transfer { sku, from, to, quantity }, _) => {
                shelves.change(sku, from, -quantity, 0);
                shelves.change(sku, to, *quantity, 0);
            }
            (Act::Place { order, way, lines, .. }, _) => {
                let line = |(sku, quantity): &(String, i64)| Line {
                    sku: sku.clone(),
                    quantity: *quantity,
                    price: prices.get(sku).copied().unwrap_or_default(),
                    returned: 0,
                    away: 0,
                    taken: shelves.take(sku, *quantity),
                };
                let lines = lines.iter().map(line).collect();
                rejected.remove(order);
                orders.insert(order.clone(), Order::new(order.clone(), *way, lines));
            }
            (Act::Pay { result: "processed", .. }, Some(order)) => order.pay(),
            (Act::Pay { result: "charged_back", amount, .. }, Some(order)) => {
                order.refunded += amount;
                order.is_charged_back = true;
            }
            (Act::Pay { .. } | Act::Cancel { .. }, Some(order)) => order.cancel(shelves, true),
            (Act::Ship { .. }, Some(order)) => order.ship(shelves),
            (Act::Deliver { .. }, Some(order)) => order.state = State::Delivered,
            (Act::Fail { restock, .. }, Some(order)) => order.cancel(shelves, *restock),
            (Act::Return { line, quantity, restock, .. }, Some(order)) => {
                order.give_back(shelves, *line, *quantity, *restock);
            }
            (Act::Refund { amount, .. }, Some(order)) => {
                order.refunded += amount;
                order.parts += 1;
            }
            // Nothing but placing makes an order.
            (_, None) => {}
        }
    }

    /// Writes down what was refused.
    pub fn refuse(&mut self, act: &Act, code: &str) {
        if let Act::Place { order, .. } = act
            && code != "already_exists"
        {
            self.rejected.insert(order.clone(), code.to_owned());
        }
    }
}
