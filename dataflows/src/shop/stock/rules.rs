//! Stock that is moved from outside.

use super::stock_edit::{MovementCause, StockEdit};
use crate::contract::code::{Code, Rejection};
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::decider::Tables;
use crate::shop::decider::{Decision, Writes};
use crate::shop::stock::{MoveReason, MoveStock, StockReason, TransferStock};
use crate::shop::validation;
use smol_str::SmolStr;

/// Changes the stock of a SKU at a location.
pub fn move_stock(tables: &Tables, command: &MoveStock) -> Result<Decision, Rejection> {
    validation::id(&command.sku, "/sku")?;
    validation::id(&command.location, "/location")?;
    if command.quantity == 0 {
        return Err(Rejection::invalid("/quantity", "a movement is not 0"));
    }
    validation::quantity(command.quantity.saturating_abs(), || "/quantity".to_owned())?;
    validation::optional_text(command.reference.as_ref(), || "/reference".to_owned())?;
    let policy = stocked(tables, &command.sku)?;
    let mut edit = StockEdit::new(tables);
    check_room(&edit, &command.sku, &command.location, "/location")?;
    let there = edit.get(&command.sku).and_then(|stock| stock.location(&command.location)).map_or(0, |at| at.on_hand);
    if policy == InventoryPolicy::Reserve && command.quantity < 0 && there + command.quantity < 0 {
        let detail = format!("{there} of {:?} lie at {:?}", command.sku, command.location);
        return Err(Rejection::new(Code::InsufficientStock, "/quantity", detail));
    }
    let reason = match command.reason {
        MoveReason::Received => StockReason::Received,
        MoveReason::Adjusted => StockReason::Adjusted,
        MoveReason::WrittenOff => StockReason::WrittenOff,
    };
    let why = MovementCause { reason, reference: command.reference.clone(), line: None };
    edit.move_by(&command.sku, &command.location, command.quantity, 0, why);
    decision(edit)
}

/// Moves stock from one location to another.
pub fn transfer_stock(tables: &Tables, command: &TransferStock) -> Result<Decision, Rejection> {
    validation::id(&command.sku, "/sku")?;
    validation::id(&command.from, "/from")?;
    validation::id(&command.to, "/to")?;
    validation::quantity(command.quantity, || "/quantity".to_owned())?;
    if command.from == command.to {
        return Err(Rejection::invalid("/to", "this is another location than from"));
    }
    validation::optional_text(command.reference.as_ref(), || "/reference".to_owned())?;
    stocked(tables, &command.sku)?;
    let mut edit = StockEdit::new(tables);
    check_room(&edit, &command.sku, &command.to, "/to")?;
    let free = edit.get(&command.sku).and_then(|stock| stock.location(&command.from)).map_or(0, |at| at.available());
    if free < command.quantity {
        let detail = format!("{free} of {:?} are not reserved at {:?}", command.sku, command.from);
        return Err(Rejection::new(Code::InsufficientStock, "/quantity", detail));
    }
    let mut moves = [(&command.from, -command.quantity), (&command.to, command.quantity)];
    moves.sort_unstable_by_key(|(location, _)| SmolStr::clone(location));
    for (location, quantity) in moves {
        let why = MovementCause { reason: StockReason::Transferred, reference: command.reference.clone(), line: None };
        edit.move_by(&command.sku, location, quantity, 0, why);
    }
    decision(edit)
}

/// How the stock of a SKU is kept; refused if it is unknown or has none.
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
        Some(stock) if stock.locations.len() >= validation::LOCATIONS_MAX && stock.location(location).is_none() => {
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
