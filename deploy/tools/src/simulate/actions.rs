//! The actions of a customer, an employee or a connector: the request, the outcome that it must have, and its change to
//! the books. Not for choosing.

use super::expected_stock::Shelves;
use super::http::Request;
use super::order::{CURRENCY, ExpectedLine, Order, OrderState, Way};
use dataflows::contract::money::Amount;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The books of one customer.
#[derive(Debug, Default)]
pub struct Books {
    /// The stock that only this customer touches, exactly.
    pub shelves: Shelves,
    /// The quantity that came in of the stock that all touch.
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
pub enum Action {
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

/// The outcome that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedOutcome {
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

impl Action {
    /// The request, under a command id.
    pub fn request(&self, key: String) -> Request {
        let (method, path, body) = self.parts();
        Request { method, path: format!("/api/v1/{path}"), key: Some(key), min_epoch: None, body: Some(body) }
    }

    fn parts(&self) -> (&'static str, String, Value) {
        match self {
            Action::Put { product, skus } => {
                let variants: Vec<Value> =
                    skus.iter().map(|(sku, price)| json!({"sku": sku, "price": amount(*price)})).collect();
                let body = json!({"title": product, "category": ["Simulated", product], "variants": variants});
                ("PUT", format!("products/{product}"), body)
            }
            Action::Price { product, sku, price } => {
                ("PUT", format!("products/{product}/variants/{sku}/price"), json!({"price": amount(*price)}))
            }
            Action::Move { sku, location, quantity } => {
                let reason = if *quantity > 0 { "received" } else { "written_off" };
                let body = json!({"location": location, "quantity": quantity, "reason": reason});
                ("POST", format!("stock/{sku}/movements"), body)
            }
            Action::Transfer { sku, from, to, quantity } => {
                ("POST", format!("stock/{sku}/transfers"), json!({"from": from, "to": to, "quantity": quantity}))
            }
            Action::Place { order, customer, country, way, lines } => {
                let lines: Vec<Value> =
                    lines.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect();
                let body = json!({"order_id": order, "customer_id": customer, "currency": CURRENCY,
                    "country": country, "lines": lines, "payment": way.payment()});
                ("POST", "orders".to_owned(), body)
            }
            Action::Pay { order, result, amount: of } => {
                let body = json!({"payment_id": order, "status": result, "amount": amount(*of)});
                ("POST", format!("payments/{order}/results"), body)
            }
            Action::Cancel { order } => {
                ("POST", format!("orders/{order}/cancellations"), json!({"reason": "simulated"}))
            }
            Action::Ship { order } => ("POST", format!("orders/{order}/shipments"), json!({"carrier": "simulated"})),
            Action::Deliver { order } => ("POST", format!("orders/{order}/deliveries"), json!({})),
            Action::Fail { order, restock } => {
                let body = json!({"reason": "simulated", "restock": restock});
                ("POST", format!("orders/{order}/shipment-failures"), body)
            }
            Action::Return { order, part, line, quantity, restock } => {
                let lines = json!([{"line": line + 1, "quantity": quantity}]);
                let body = json!({"return_id": format!("part-{part}"), "lines": lines, "restock": restock});
                ("POST", format!("orders/{order}/returns"), body)
            }
            Action::Refund { order, part, amount: of } => {
                let body = json!({"refund_id": format!("part-{part}"), "amount": amount(*of)});
                ("POST", format!("orders/{order}/refunds"), body)
            }
        }
    }

    /// The order that it is about.
    pub fn order(&self) -> Option<&str> {
        match self {
            Action::Put { .. } | Action::Price { .. } | Action::Move { .. } | Action::Transfer { .. } => None,
            Action::Place { order, .. }
            | Action::Pay { order, .. }
            | Action::Cancel { order }
            | Action::Ship { order }
            | Action::Deliver { order }
            | Action::Fail { order, .. }
            | Action::Return { order, .. }
            | Action::Refund { order, .. } => Some(order),
        }
    }
}

impl Books {
    /// The outcome that it must have, as far as these books know.
    pub fn expected(&self, act: &Action) -> ExpectedOutcome {
        let when = |allowed: bool, status: u16, code: &'static str| {
            if allowed { ExpectedOutcome::Accepted(status) } else { ExpectedOutcome::Refused(code) }
        };
        let order = act.order().and_then(|id| self.orders.get(id));
        match (act, order) {
            (Action::Put { .. }, _) => ExpectedOutcome::Accepted(201),
            (Action::Price { .. }, _) => ExpectedOutcome::Accepted(200),
            (Action::Move { sku, location, quantity }, _) => {
                let is_own = *quantity > 0 || self.shelves.at(sku, location).on_hand + quantity >= 0;
                when(is_own, 201, "insufficient_stock")
            }
            (Action::Transfer { sku, from, quantity, .. }, _) => {
                when(self.shelves.at(sku, from).free() >= *quantity, 201, "insufficient_stock")
            }
            (Action::Place { .. }, Some(_)) => ExpectedOutcome::Refused("already_exists"),
            (Action::Place { lines, .. }, None) => self.expected_of_lines(lines),
            (_, None) => ExpectedOutcome::Refused("not_found"),
            (Action::Pay { result: "charged_back", amount, .. }, Some(order)) => {
                let open =
                    !matches!(order.state, OrderState::PendingPayment | OrderState::Cancelled | OrderState::Returned);
                let allowed = open && !order.is_charged_back;
                let code = if allowed { "over_refund" } else { "invalid_transition" };
                when(allowed && *amount <= order.left(), 200, code)
            }
            (Action::Pay { amount, .. }, Some(order)) => {
                let code = if *amount == order.total() { "invalid_transition" } else { "amount_mismatch" };
                when(order.state == OrderState::PendingPayment && *amount == order.total(), 200, code)
            }
            (Action::Cancel { .. }, Some(order)) => {
                when(order.is_open() || order.state == OrderState::Shipped, 200, "invalid_transition")
            }
            (Action::Ship { .. }, Some(order)) => {
                when(order.state == OrderState::Paid && order.left() > 0, 201, "invalid_transition")
            }
            (Action::Deliver { .. }, Some(order)) => {
                when(order.state == OrderState::Shipped, 200, "invalid_transition")
            }
            (Action::Fail { .. }, Some(order)) => {
                when(matches!(order.state, OrderState::Paid | OrderState::Shipped), 200, "invalid_transition")
            }
            (Action::Return { line, quantity, .. }, Some(order)) => {
                let allowed =
                    matches!(order.state, OrderState::Shipped | OrderState::Delivered | OrderState::PartlyReturned);
                let code = if allowed { "over_return" } else { "invalid_transition" };
                let line = &order.lines[*line];
                when(allowed && *quantity <= line.quantity - line.returned, 201, code)
            }
            (Action::Refund { amount, .. }, Some(order)) => when(*amount <= order.left(), 201, "over_refund"),
        }
    }

    fn expected_of_lines(&self, lines: &[(String, i64)]) -> ExpectedOutcome {
        if lines.iter().any(|(sku, _)| !self.prices.contains_key(sku)) {
            return ExpectedOutcome::Refused("unknown_sku");
        }
        let mut shelves = self.shelves.clone();
        let (own, shared): (Vec<_>, Vec<_>) = lines.iter().partition(|(sku, _)| self.shelves.has(sku));
        if own.iter().any(|(sku, quantity)| shelves.take(sku, *quantity).is_none()) {
            ExpectedOutcome::Refused("out_of_stock")
        } else if shared.is_empty() {
            ExpectedOutcome::Accepted(201)
        } else {
            ExpectedOutcome::Either(201, "out_of_stock")
        }
    }

    /// Writes down what was taken.
    pub fn apply(&mut self, act: &Action) {
        let Books { shelves, received, prices, orders, rejected } = self;
        let order = act.order().and_then(|id| orders.get_mut(id));
        match (act, order) {
            (Action::Put { skus, .. }, _) => prices.extend(skus.iter().cloned()),
            (Action::Price { sku, price, .. }, _) => *prices.entry(sku.clone()).or_default() = *price,
            (Action::Move { sku, quantity, .. }, _) if received.contains_key(sku) => {
                *received.entry(sku.clone()).or_default() += quantity;
            }
            (Action::Move { sku, location, quantity }, _) => shelves.change(sku, location, *quantity, 0),
            (Action::Transfer { sku, from, to, quantity }, _) => {
                shelves.change(sku, from, -quantity, 0);
                shelves.change(sku, to, *quantity, 0);
            }
            (Action::Place { order, way, lines, .. }, _) => {
                let line = |(sku, quantity): &(String, i64)| ExpectedLine {
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
            (Action::Pay { result: "processed", .. }, Some(order)) => order.pay(),
            (Action::Pay { result: "charged_back", amount, .. }, Some(order)) => {
                order.refunded += amount;
                order.is_charged_back = true;
            }
            (Action::Pay { .. } | Action::Cancel { .. }, Some(order)) => order.cancel(shelves, true),
            (Action::Ship { .. }, Some(order)) => order.ship(shelves),
            (Action::Deliver { .. }, Some(order)) => order.state = OrderState::Delivered,
            (Action::Fail { restock, .. }, Some(order)) => order.cancel(shelves, *restock),
            (Action::Return { line, quantity, restock, .. }, Some(order)) => {
                order.give_back(shelves, *line, *quantity, *restock);
            }
            (Action::Refund { amount, .. }, Some(order)) => {
                order.refunded += amount;
                order.parts += 1;
            }
            // Nothing but placing makes an order.
            (_, None) => {}
        }
    }

    /// Writes down what was refused.
    pub fn refuse(&mut self, act: &Action, code: &str) {
        if let Action::Place { order, .. } = act
            && code != "already_exists"
        {
            self.rejected.insert(order.clone(), code.to_owned());
        }
    }
}
