//! An order, its row and its payment's row, and how it comes about: `PlaceOrder`.
//! What happens to it afterwards stands in `fulfilment.rs`, `returns.rs` and `payments.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Shop;
use super::command::{PaymentMethod, PaymentResult, PlaceOrder};
use super::documents::{PricedLine, price_lines};
use super::events::{EventLog, Refusal, refuse};
use super::money;
use super::revenue::{Part, Sums};
use super::stock::Stock;
use super::time;

/// The shop's own refund ids, taken in every order from the start.
pub const SHOP_WORDS: [&str; 4] = ["cancelled", "shipment_failed", "late_capture", "charged_back"];

/// The number of returns an order may have, and how many refunds that are asked for.
pub const MONEY_BACK_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    PendingPayment,
    Paid,
    Rejected,
    Cancelled,
    Shipped,
    Delivered,
    PartlyReturned,
    Returned,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::PendingPayment => "pending_payment",
            State::Paid => "paid",
            State::Rejected => "rejected",
            State::Cancelled => "cancelled",
            State::Shipped => "shipped",
            State::Delivered => "delivered",
            State::PartlyReturned => "partly_returned",
            State::Returned => "returned",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Order {
    pub order_id: String,
    pub state: State,
    pub code: Option<&'static str>,
    pub customer_id: Option<String>,
    pub country: String,
    pub currency: String,
    pub lines: Vec<OrderLine>,
    pub total: i64,
    pub captured: i64,
    pub refunded: i64,
    pub payment: Option<Payment>,
    pub shipment: Option<Shipment>,
    pub history: Vec<(State, i64, u64)>,
    pub placed_at: i64,
    /// When an unpaid order is given up.
    pub deadline: Option<i64>,
    /// Return and refund ids, one space.
    pub ids_taken: BTreeSet<String>,
    pub returns: usize,
    pub refunds: usize,
    /// The payment results already taken, with their amounts.
    pub results: BTreeMap<PaymentResult, i64>,
}

#[derive(Debug, Clone)]
pub struct OrderLine {
    pub priced: PricedLine,
    pub returned: i64,
    /// What was taken where, by location.
    pub taken: BTreeMap<String, i64>,
}

#[derive(Debug, Clone)]
pub struct Payment {
    pub method: PaymentMethod,
    pub token: Option<String>,
    pub status: &'static str,
}

#[derive(Debug, Clone)]
pub struct Shipment {
    pub carrier: Option<String>,
    pub tracking: Option<String>,
    pub status: &'static str,
}

impl Order {
    /// The order as the command names it, before anything is decided.
    fn asked(log: &EventLog, command: &PlaceOrder) -> Order {
        Order {
            order_id: command.order_id.clone(),
            state: State::Rejected,
            code: None,
            customer_id: command.customer_id.clone(),
            country: command.country.clone(),
            currency: command.currency.clone(),
            lines: Vec::new(),
            total: 0,
            captured: 0,
            refunded: 0,
            payment: None,
            shipment: None,
            history: Vec::new(),
            placed_at: log.occurred_at,
            deadline: None,
            ids_taken: SHOP_WORDS.iter().map(ToString::to_string).collect(),
            returns: 0,
            refunds: 0,
            results: BTreeMap::new(),
        }
    }

    pub fn enter(&mut self, log: &EventLog, state: State) {
        self.state = state;
        self.history.push((state, log.now, log.epoch));
    }

    /// The amount that may still be given back.
    pub fn left(&self) -> i64 {
        self.captured - self.refunded
    }

    pub fn set_payment_status(&mut self, status: &'static str) {
        if let Some(payment) = &mut self.payment {
            payment.status = status;
        }
    }

    pub fn set_shipment_status(&mut self, status: &'static str) {
        if let Some(shipment) = &mut self.shipment {
            shipment.status = status;
        }
    }

    pub fn money(&self, units: i64) -> Value {
        money::write(i128::from(units), &self.currency)
    }

    pub fn row(&self) -> Value {
        let line_row = |(place, line): (usize, &OrderLine)| {
            json!({
                "line": place + 1,
                "sku": line.priced.sku,
                "quantity": line.priced.quantity,
                "unit_price": self.money(line.priced.unit_price),
                "amount": self.money(line.priced.amount),
                "category": line.priced.category,
                "returned": line.returned,
            })
        };
        let payment = self.payment.as_ref().map(|payment| {
            json!({
                "payment_id": self.order_id,
                "method": payment.method.word(),
                "status": payment.status,
            })
        });
        let shipment = self.shipment.as_ref().map(|shipment| {
            json!({
                "carrier": shipment.carrier,
                "tracking": shipment.tracking,
                "status": shipment.status,
            })
        });
        let history_row = |(state, at, epoch): &(State, i64, u64)| json!({"status": state.word(), "at": time::write(*at), "epoch": epoch});
        json!({
            "order_id": self.order_id,
            "status": self.state.word(),
            "code": self.code,
            "customer_id": self.customer_id,
            "country": self.country,
            "currency": self.currency,
            "lines": self.lines.iter().enumerate().map(line_row).collect::<Vec<Value>>(),
            "total": self.money(self.total),
            "captured": self.money(self.captured),
            "refunded": self.money(self.refunded),
            "payment": payment,
            "shipment": shipment,
            "history": self.history.iter().map(history_row).collect::<Vec<Value>>(),
            "placed_at": time::write(self.placed_at),
        })
    }

    /// The payment's row; a rejected order has none.
    pub fn payment_row(&self) -> Option<Value> {
        let payment = self.payment.as_ref()?;
        Some(json!({
            "payment_id": self.order_id,
            "order_id": self.order_id,
            "method": payment.method.word(),
            "status": payment.status,
            "amount": self.money(self.total),
            "token": payment.token,
        }))
    }

    pub fn emit(&self, log: &mut EventLog, type_name: &str, from: Option<State>, reason: Option<&str>) {
        let from = from.map(State::word);
        log.emit(type_name, json!({"order": self.row(), "from": from, "reason": reason}));
    }

    /// `PaymentProcessed`, `PaymentFailed` and `RefundIssued` have one shape.
    pub fn emit_money(
        &self,
        log: &mut EventLog,
        type_name: &str,
        refund_id: Option<&str>,
        amount: i64,
        reason: Option<&str>,
    ) {
        log.emit(
            type_name,
            json!({
                "order_id": self.order_id,
                "payment_id": self.order_id,
                "refund_id": refund_id,
                "amount": self.money(amount),
                "reason": reason,
            }),
        );
    }

    pub fn emit_reservation(&self, log: &mut EventLog, type_name: &str, place: usize, location: &str, quantity: i64) {
        log.emit(
            type_name,
            json!({
                "sku": self.lines[place].priced.sku,
                "location": location,
                "quantity": quantity,
                "order_id": self.order_id,
                "line": place + 1,
            }),
        );
    }
}

/// The order of this id, as a copy to change and put back.
pub fn find(shop: &Shop, order_id: &str) -> Result<Order, Refusal> {
    shop.orders.get(order_id).cloned().ok_or_else(|| refuse("not_found"))
}

/// Puts a changed order back.
pub fn keep(shop: &mut Shop, order: Order) {
    shop.orders.insert(order.order_id.clone(), order);
}

/// A refusal other than `already_exists` keeps a row, which a later command may replace.
pub fn place_order(shop: &mut Shop, log: &mut EventLog, command: &PlaceOrder) -> Result<(), Refusal> {
    let before = shop.orders.get(&command.order_id);
    if before.is_some_and(|order| order.state != State::Rejected) {
        return Err(refuse("already_exists"));
    }
    match draft(shop, log, command) {
        Ok((order, stock)) => {
            shop.stock = stock;
            accept(shop, log, order);
            Ok(())
        }
        Err(refusal) => {
            let mut order = Order::asked(log, command);
            order.code = Some(refusal.code);
            order.enter(log, State::Rejected);
            keep(shop, order);
            log.emit(
                "OrderRejected",
                json!({
                    "order_id": command.order_id,
                    "code": refusal.code,
                    "errors": refusal.errors_json(),
                }),
            );
            Err(refusal)
        }
    }
}

/// The order with its prices and reservations, and the stock with these reservations made.
fn draft(shop: &Shop, log: &EventLog, command: &PlaceOrder) -> Result<(Order, Stock), Refusal> {
    let (lines, total) = price_lines(&shop.catalog, log.now, &command.currency, &command.lines)?;
    let mut stock = shop.stock.clone();
    let mut order = Order::asked(log, command);
    let mut failing = Vec::new();
    for (place, priced) in lines.into_iter().enumerate() {
        let policy = shop.catalog.inventory_policy(&priced.sku);
        let (taken, missing) = stock.reserve(&priced.sku, priced.quantity, policy);
        if missing > 0 {
            failing.push((place, "out_of_stock"));
        }
        order.lines.push(OrderLine { priced, returned: 0, taken });
    }
    if let Some(refusal) = Refusal::of_lines(&failing) {
        return Err(refusal);
    }
    order.total = total;
    let token = command.token.clone();
    order.payment = Some(Payment { method: command.method, token, status: "requested" });
    let timeout_s = match command.method {
        PaymentMethod::Sandbox => Some(shop.policy.payment_timeout_s),
        PaymentMethod::External => Some(shop.policy.payment_timeout_external_s),
        PaymentMethod::Settled => None,
    };
    match timeout_s {
        Some(timeout_s) if total > 0 => {
            order.deadline = Some(log.now + timeout_s * time::SECOND);
            order.enter(log, State::PendingPayment);
        }
        _ => {
            order.captured = total;
            order.results.insert(PaymentResult::Processed, total);
            order.set_payment_status("processed");
            order.enter(log, State::Paid);
        }
    }
    Ok((order, stock))
}

fn accept(shop: &mut Shop, log: &mut EventLog, order: Order) {
    for (place, line) in order.lines.iter().enumerate() {
        for (location, quantity) in &line.taken {
            order.emit_reservation(log, "InventoryReserved", place, location, *quantity);
        }
    }
    order.emit(log, "OrderCreated", None, None);
    if order.state == State::PendingPayment {
        let payment = order.payment.as_ref();
        log.emit(
            "PaymentRequested",
            json!({
                "order_id": order.order_id,
                "payment_id": order.order_id,
                "amount": order.money(order.total),
                "method": payment.map(|payment| payment.method.word()),
                "token": payment.and_then(|payment| payment.token.clone()),
            }),
        );
    } else {
        count_sale(shop, &order);
        if order.total > 0 {
            order.emit_money(log, "PaymentProcessed", None, order.total, None);
        }
    }
    keep(shop, order);
}

/// A paid order counts in the period in which it was placed.
pub fn count_sale(shop: &mut Shop, order: &Order) {
    let mut parts = Vec::new();
    for line in &order.lines {
        let sums = Sums::sold(line.priced.amount, line.priced.quantity);
        parts.push(Part { category: line.priced.category.clone(), sums });
    }
    shop.revenue.add_order(order.placed_at, &order.currency, &order.country, &parts);
}
