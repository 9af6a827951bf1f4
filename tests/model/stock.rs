//! What stands on the shelves and what of it is promised, by SKU and location.
//! Which order took what stands in the order's lines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Shop;
use super::command::{InventoryPolicy, MoveStock, TransferStock};
use super::events::{EventLog, Refusal, refuse, refuse_at};

/// The place where a SKU may lie.
const LOCATIONS_MAX: usize = 1_000;

/// SKU to location to shelf. Rows stay once they are there, at zero too.
#[derive(Debug, Clone, Default)]
pub struct Stock(pub BTreeMap<String, BTreeMap<String, Shelf>>);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Shelf {
    pub on_hand: i64,
    pub reserved: i64,
}

impl Shelf {
    fn free(self) -> i64 {
        (self.on_hand - self.reserved).max(0)
    }
}

/// A movement of goods: the fields of `StockUpdated` that the mover knows.
pub struct Movement<'a> {
    pub reason: &'a str,
    pub reference: Option<&'a str>,
    pub line: Option<usize>,
}

impl Stock {
    pub fn shelf(&mut self, sku: &str, location: &str) -> &mut Shelf {
        let locations = self.0.entry(sku.to_string()).or_default();
        locations.entry(location.to_string()).or_default()
    }

    pub fn peek(&self, sku: &str, location: &str) -> Shelf {
        let shelf = self.0.get(sku).and_then(|locations| locations.get(location));
        shelf.copied().unwrap_or_default()
    }

    /// On hand less reserved, over all locations.
    pub fn available(&self, sku: &str) -> i64 {
        let shelves = self.0.get(sku).into_iter().flat_map(|locations| locations.values());
        shelves.map(|shelf| shelf.on_hand - shelf.reserved).sum()
    }

    /// Reserves what a line wants, from locations in the order of their ids.
    /// Gives what was taken where, and how much was not there.
    pub fn reserve(&mut self, sku: &str, quantity: i64, policy: InventoryPolicy) -> (BTreeMap<String, i64>, i64) {
        let mut taken: BTreeMap<String, i64> = BTreeMap::new();
        if policy == InventoryPolicy::None {
            return (taken, 0);
        }
        let mut missing = quantity;
        for (location, shelf) in self.0.get_mut(sku).into_iter().flatten() {
            let part = shelf.free().min(missing);
            if part > 0 {
                shelf.reserved += part;
                taken.insert(location.clone(), part);
                missing -= part;
            }
        }
        if policy == InventoryPolicy::TrackOnly && missing > 0 {
            self.shelf(sku, "main").reserved += missing;
            *taken.entry("main".to_string()).or_default() += missing;
            missing = 0;
        }
        (taken, missing)
    }

    /// True if a SKU may come to lie at a location.
    fn has_room(&self, sku: &str, location: &str) -> bool {
        self.0.get(sku).is_none_or(|locations| locations.len() < LOCATIONS_MAX || locations.contains_key(location))
    }

    /// Changes what is on hand and tells it.
    pub fn change(&mut self, log: &mut EventLog, sku: &str, location: &str, quantity: i64, movement: &Movement) {
        let shelf = self.shelf(sku, location);
        shelf.on_hand += quantity;
        log.emit(
            "StockUpdated",
            json!({
                "sku": sku,
                "location": location,
                "quantity": quantity,
                "reason": movement.reason,
                "reference": movement.reference,
                "line": movement.line,
                "on_hand": shelf.on_hand,
                "reserved": shelf.reserved,
            }),
        );
    }

    pub fn rows(&self) -> BTreeMap<String, Value> {
        let row = |(sku, locations): (&String, &BTreeMap<String, Shelf>)| {
            let on_hand: i64 = locations.values().map(|shelf| shelf.on_hand).sum();
            let reserved: i64 = locations.values().map(|shelf| shelf.reserved).sum();
            let location_row = |(location, shelf): (&String, &Shelf)| {
                json!({
                    "location": location,
                    "on_hand": shelf.on_hand,
                    "reserved": shelf.reserved,
                    "available": shelf.on_hand - shelf.reserved,
                })
            };
            let value = json!({
                "sku": sku,
                "on_hand": on_hand,
                "reserved": reserved,
                "available": on_hand - reserved,
                "locations": locations.iter().map(location_row).collect::<Vec<Value>>(),
            });
            (sku.clone(), value)
        };
        self.0.iter().map(row).collect()
    }
}

/// The policy of a SKU whose goods a command wants to move.
fn movable(shop: &Shop, sku: &str) -> Result<InventoryPolicy, Refusal> {
    if !shop.catalog.skus.contains_key(sku) {
        return Err(refuse("unknown_sku"));
    }
    match shop.catalog.inventory_policy(sku) {
        InventoryPolicy::None => Err(refuse_at("/sku", "invalid")),
        counted => Ok(counted),
    }
}

pub fn move_stock(shop: &mut Shop, log: &mut EventLog, command: &MoveStock) -> Result<(), Refusal> {
    let policy = movable(shop, &command.sku)?;
    if !shop.stock.has_room(&command.sku, &command.location) {
        return Err(refuse_at("/location", "invalid"));
    }
    let on_hand = shop.stock.peek(&command.sku, &command.location).on_hand + command.quantity;
    if policy == InventoryPolicy::Reserve && command.quantity < 0 && on_hand < 0 {
        return Err(refuse("insufficient_stock"));
    }
    let movement = Movement { reason: &command.reason, reference: command.reference.as_deref(), line: None };
    shop.stock.change(log, &command.sku, &command.location, command.quantity, &movement);
    Ok(())
}

pub fn transfer_stock(shop: &mut Shop, log: &mut EventLog, command: &TransferStock) -> Result<(), Refusal> {
    movable(shop, &command.sku)?;
    if !shop.stock.has_room(&command.sku, &command.to) {
        return Err(refuse_at("/to", "invalid"));
    }
    if shop.stock.peek(&command.sku, &command.from).free() < command.quantity {
        return Err(refuse("insufficient_stock"));
    }
    let movement = Movement { reason: "transferred", reference: command.reference.as_deref(), line: None };
    let changes = BTreeMap::from([(&command.from, -command.quantity), (&command.to, command.quantity)]);
    for (location, quantity) in changes {
        shop.stock.change(log, &command.sku, location, quantity, &movement);
    }
    Ok(())
}
