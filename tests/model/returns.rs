//! Goods that come back from a customer: `ReturnItems`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Shop;
use super::command::ReturnItems;
use super::events::{EventLog, Refusal, refuse, refuse_at};
use super::orders::{MONEY_BACK_MAX, Order, OrderLine, State, find, keep};
use super::revenue::{Part, Sums};
use super::stock::Movement;

pub fn return_items(shop: &mut Shop, log: &mut EventLog, command: &ReturnItems) -> Result<(), Refusal> {
    let mut order = find(shop, &command.order_id)?;
    let units = check(&order, command)?;
    if command.restock {
        restock(shop, log, &order, command, &units);
    }
    let from = order.state;
    let mut refund = 0;
    let mut line_rows: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for (place, quantity) in &units {
        let unit_price = order.lines[*place].priced.unit_price;
        let amount = (unit_price * quantity).min(order.left() - refund);
        refund += amount;
        line_rows.push(json!({
            "line": place + 1,
            "quantity": quantity,
            "amount": order.money(amount),
        }));
        let category = order.lines[*place].priced.category.clone();
        parts.push(Part { category, sums: Sums::returned(amount, *quantity) });
        order.lines[*place].returned += quantity;
    }
    order.refunded += refund;
    order.ids_taken.insert(command.return_id.clone());
    order.returns += 1;
    let all_back = order.lines.iter().all(|line| line.returned == line.priced.quantity);
    order.enter(log, if all_back { State::Returned } else { State::PartlyReturned });
    log.emit(
        "ItemsReturned",
        json!({
            "order_id": order.order_id,
            "return": {
                "return_id": command.return_id,
                "lines": line_rows,
                "refund": order.money(refund),
                "restock": command.restock,
            },
        }),
    );
    order.emit(log, "OrderUpdated", Some(from), None);
    if refund > 0 {
        let refund_id = Some(command.return_id.as_str());
        order.emit_money(log, "RefundIssued", refund_id, refund, Some("returned"));
    }
    shop.revenue.add(log.occurred_at, &order.currency, &order.country, &parts);
    keep(shop, order);
    Ok(())
}

/// The units that come back of each line (counted from 0), or why they may not.
fn check(order: &Order, command: &ReturnItems) -> Result<BTreeMap<usize, i64>, Refusal> {
    if order.returns >= MONEY_BACK_MAX {
        return Err(refuse_at("/return_id", "invalid"));
    }
    for (entry, asked) in command.lines.iter().enumerate() {
        if asked.line < 1 || asked.line > order.lines.len() as i64 {
            return Err(refuse_at(&format!("/lines/{entry}/line"), "invalid"));
        }
    }
    if order.ids_taken.contains(&command.return_id) {
        return Err(refuse("already_exists"));
    }
    if !matches!(order.state, State::Shipped | State::Delivered | State::PartlyReturned) {
        return Err(refuse("invalid_transition"));
    }
    let mut units: BTreeMap<usize, i64> = BTreeMap::new();
    let mut failing = Vec::new();
    for (entry, asked) in command.lines.iter().enumerate() {
        let place = asked.line as usize - 1;
        let line = &order.lines[place];
        let together = units.entry(place).or_default();
        *together += asked.quantity;
        if *together + line.returned > line.priced.quantity {
            failing.push((entry, "over_return"));
        }
    }
    match Refusal::of_lines(&failing) {
        Some(refusal) => Err(refusal),
        None => Ok(units),
    }
}

fn restock(shop: &mut Shop, log: &mut EventLog, order: &Order, command: &ReturnItems, units: &BTreeMap<usize, i64>) {
    for (place, quantity) in units {
        let line = &order.lines[*place];
        for (location, part) in where_back(line, *quantity) {
            let movement = Movement { reason: "returned", reference: Some(&command.return_id), line: Some(place + 1) };
            shop.stock.change(log, &line.priced.sku, location, part, &movement);
        }
    }
}

/// A line's locations are filled from the front, after the units that came back before.
fn where_back(line: &OrderLine, quantity: i64) -> Vec<(&str, i64)> {
    let mut filled = line.returned;
    let mut rest = quantity;
    let mut parts = Vec::new();
    for (location, taken) in &line.taken {
        let room = taken - filled.min(*taken);
        filled -= filled.min(*taken);
        let part = rest.min(room);
        if part > 0 {
            parts.push((location.as_str(), part));
            rest -= part;
        }
    }
    parts
}
