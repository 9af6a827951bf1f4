//! What orders and credits share, their priced lines; and the two documents without an order:
//! credits and adjustments.

use serde_json::{Value, json};

use super::Shop;
use super::catalog::Catalog;
use super::command::{AskedLine, InventoryPolicy, RecordAdjustment, RecordCredit};
use super::events::{EventLog, Refusal, refuse};
use super::money;
use super::revenue::{Part, Sums};
use super::stock::Movement;
use super::time;

/// A line with its price, its amount and the category that the product has now.
#[derive(Debug, Clone)]
pub struct PricedLine {
    pub sku: String,
    pub quantity: i64,
    pub unit_price: i64,
    pub amount: i64,
    pub category: String,
}

/// Prices every line, or refuses with every failing line, or with a total that is too large.
pub fn price_lines(
    catalog: &Catalog,
    now: i64,
    currency: &str,
    asked: &[AskedLine],
) -> Result<(Vec<PricedLine>, i64), Refusal> {
    let mut lines = Vec::new();
    let mut failing = Vec::new();
    let mut total: i128 = 0;
    for (place, line) in asked.iter().enumerate() {
        match price_line(catalog, now, currency, line) {
            Ok(priced) => {
                total += i128::from(priced.amount);
                lines.push(priced);
            }
            Err(code) => failing.push((place, code)),
        }
    }
    if let Some(refusal) = Refusal::of_lines(&failing) {
        return Err(refusal);
    }
    let total = i64::try_from(total).map_err(|_| refuse("overflow"))?;
    Ok((lines, total))
}

fn price_line(
    catalog: &Catalog,
    now: i64,
    currency: &str,
    line: &AskedLine,
) -> Result<PricedLine, &'static str> {
    let sku = catalog.skus.get(&line.sku).ok_or("unknown_sku")?;
    if !catalog.sells(sku) {
        return Err("not_sold");
    }
    let price = match &line.unit_price {
        Some(price) => price,
        None => catalog.price_at(sku, now),
    };
    if price.currency != currency {
        return Err("currency_mismatch");
    }
    let amount = i128::from(line.quantity) * i128::from(price.units);
    Ok(PricedLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
        unit_price: price.units,
        amount: i64::try_from(amount).map_err(|_| "overflow")?,
        category: catalog.category_of(sku),
    })
}

pub fn record_credit(
    shop: &mut Shop,
    log: &mut EventLog,
    command: &RecordCredit,
) -> Result<(), Refusal> {
    if shop.credits.contains_key(&command.credit_id) {
        return Err(refuse("already_exists"));
    }
    let (lines, total) = price_lines(&shop.catalog, log.now, &command.currency, &command.lines)?;
    for (place, line) in lines.iter().enumerate() {
        let counted = shop.catalog.inventory_policy(&line.sku) != InventoryPolicy::None;
        if command.restock && counted {
            let movement = Movement {
                reason: "credited",
                reference: Some(&command.credit_id),
                line: Some(place + 1),
            };
            shop.stock
                .change(log, &line.sku, "main", line.quantity, &movement);
        }
    }
    let line_row = |(place, line): (usize, &PricedLine)| {
        json!({
            "line": place + 1,
            "sku": line.sku,
            "quantity": line.quantity,
            "unit_price": money::write(i128::from(line.unit_price), &command.currency),
            "amount": money::write(i128::from(line.amount), &command.currency),
            "category": line.category,
        })
    };
    let credit = json!({
        "credit_id": command.credit_id,
        "customer_id": command.customer_id,
        "currency": command.currency,
        "country": command.country,
        "lines": lines.iter().enumerate().map(line_row).collect::<Vec<Value>>(),
        "total": money::write(i128::from(total), &command.currency),
        "restock": command.restock,
        "reference": command.reference,
        "occurred_at": time::write(log.occurred_at),
        "epoch": log.epoch,
    });
    log.emit("CreditRecorded", json!({"credit": credit}));
    shop.credits.insert(command.credit_id.clone(), credit);
    let mut parts = Vec::new();
    for line in &lines {
        let sums = Sums::returned(line.amount, line.quantity);
        parts.push(Part {
            category: line.category.clone(),
            sums,
        });
    }
    shop.revenue
        .add(log.occurred_at, &command.currency, &command.country, &parts);
    Ok(())
}

pub fn record_adjustment(
    shop: &mut Shop,
    log: &mut EventLog,
    command: &RecordAdjustment,
) -> Result<(), Refusal> {
    if shop.adjustments.contains_key(&command.adjustment_id) {
        return Err(refuse("already_exists"));
    }
    if command.amount.currency != command.currency {
        return Err(refuse("currency_mismatch"));
    }
    let adjustment = json!({
        "adjustment_id": command.adjustment_id,
        "customer_id": command.customer_id,
        "currency": command.currency,
        "country": command.country,
        "amount": command.amount.to_json(),
        "reference": command.reference,
        "occurred_at": time::write(log.occurred_at),
        "epoch": log.epoch,
    });
    log.emit("AdjustmentRecorded", json!({"adjustment": adjustment}));
    shop.adjustments
        .insert(command.adjustment_id.clone(), adjustment);
    let part = Part {
        category: String::new(),
        sums: Sums::adjusted(command.amount.units),
    };
    shop.revenue.add(
        log.occurred_at,
        &command.currency,
        &command.country,
        &[part],
    );
    Ok(())
}
