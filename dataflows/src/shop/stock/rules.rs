//! Stock that is moved from outside.

use super::stock_edit::{MovementCause, StockEdit};
use crate::contract::code::{Code, Rejection};
use crate::shop::Context;
use crate::shop::bounds::LOCATIONS_MAX;
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::decider::Tables;
use crate::shop::decider::{Decision, Rule, Writes};
use crate::shop::field::{Faults, Pointer};
use crate::shop::stock::{MoveReason, MoveStock, StockReason, TransferStock};
use smol_str::SmolStr;

/// Changes the stock of a SKU at a location.
impl Rule for MoveStock {
    fn decide(&self, tables: &Tables, _: &Context) -> Result<Decision, Rejection> {
        let policy = stocked(tables, &self.sku)?;
        let mut edit = StockEdit::new(tables);
        check_room(&edit, &self.sku, &self.location, "/location")?;
        let there = edit.get(&self.sku).and_then(|stock| stock.location(&self.location)).map_or(0, |at| at.on_hand);
        if policy == InventoryPolicy::Reserve && self.quantity < 0 && there + self.quantity < 0 {
            let detail = format!("{there} of {:?} lie at {:?}", self.sku, self.location);
            return Err(Rejection::new(Code::InsufficientStock, "/quantity", detail));
        }
        let reason = match self.reason {
            MoveReason::Received => StockReason::Received,
            MoveReason::Adjusted => StockReason::Adjusted,
            MoveReason::WrittenOff => StockReason::WrittenOff,
        };
        let why = MovementCause { reason, reference: self.reference.clone(), line: None };
        edit.move_by(&self.sku, &self.location, self.quantity, 0, why);
        decision(edit)
    }
}

/// Moves stock from one location to another.
impl Rule for TransferStock {
    fn check_bounds(&self, _: &Tables, faults: &mut Faults) {
        if self.from == self.to {
            faults.add(&Pointer::ROOT.field("to"), "this is another location than from");
        }
    }

    fn decide(&self, tables: &Tables, _: &Context) -> Result<Decision, Rejection> {
        stocked(tables, &self.sku)?;
        let mut edit = StockEdit::new(tables);
        check_room(&edit, &self.sku, &self.to, "/to")?;
        let free = edit.get(&self.sku).and_then(|stock| stock.location(&self.from)).map_or(0, |at| at.available());
        if free < self.quantity {
            let detail = format!("{free} of {:?} are not reserved at {:?}", self.sku, self.from);
            return Err(Rejection::new(Code::InsufficientStock, "/quantity", detail));
        }
        let mut moves = [(&self.from, -self.quantity), (&self.to, self.quantity)];
        moves.sort_unstable_by_key(|(location, _)| SmolStr::clone(location));
        for (location, quantity) in moves {
            let why = MovementCause { reason: StockReason::Transferred, reference: self.reference.clone(), line: None };
            edit.move_by(&self.sku, location, quantity, 0, why);
        }
        decision(edit)
    }
}

/// The way the stock of a SKU is kept; refused if it is unknown or has none.
fn stocked(tables: &Tables, sku: &str) -> Result<InventoryPolicy, Rejection> {
    let unknown = || Rejection::new(Code::UnknownSku, "/sku", format!("{sku:?} is not in the catalogue"));
    match tables.stock_rule(sku).ok_or_else(unknown)?.inventory_policy {
        InventoryPolicy::None => Err(Rejection::invalid("/sku", format!("{sku:?} has no stock: its policy is none"))),
        policy @ (InventoryPolicy::Reserve | InventoryPolicy::TrackOnly) => Ok(policy),
    }
}

/// Refuses a location that the SKU does not have yet when it has as many as it may.
fn check_room(edit: &StockEdit<'_>, sku: &str, location: &str, pointer: &'static str) -> Result<(), Rejection> {
    match edit.get(sku) {
        Some(stock) if stock.locations.len() >= LOCATIONS_MAX && stock.location(location).is_none() => {
            Err(Rejection::invalid(pointer, "a SKU has stock at no more than 1000 locations"))
        }
        Some(_) | None => Ok(()),
    }
}

fn decision(edit: StockEdit<'_>) -> Result<Decision, Rejection> {
    let (stock, mut facts, low) = edit.finish()?;
    facts.extend(low);
    Ok(Decision { writes: Writes { stock, ..Writes::default() }, facts })
}
