//! Stock as it changes within one decision, and the facts of the changes.

use crate::contract::code::{Code, Rejection};
use crate::shop::catalogue::InventoryPolicy;
use crate::shop::decider::Tables;
use crate::shop::decider::WrittenRows;
use crate::shop::event::EventPayload;
use crate::shop::orders::{Allocation, OrderLine};
use crate::shop::stock::{
    InventoryReleased, InventoryReserved, LowStock, Reservation, Stock, StockMovement, StockReason, StockUpdated,
};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cause of a movement.
#[derive(Clone, Debug)]
pub struct MovementCause {
    /// The reason.
    pub reason: StockReason,
    /// The caller's reference, or the order, return or credit.
    pub reference: Option<SmolStr>,
    /// The line of it.
    pub line: Option<u32>,
}

/// The rows that changed, the facts, and those of stock that ran low.
pub type StockEditOutput = (WrittenRows<Stock>, Vec<EventPayload>, Vec<EventPayload>);

/// The stock that a decision has touched.
pub struct StockEdit<'a> {
    tables: &'a Tables,
    touched: BTreeMap<SmolStr, Stock>,
    /// True once a count no longer fits 64 bits.
    is_overflown: bool,
    /// The facts so far.
    pub facts: Vec<EventPayload>,
}

impl<'a> StockEdit<'a> {
    /// Nothing touched yet.
    pub const fn new(tables: &'a Tables) -> Self {
        StockEdit { tables, touched: BTreeMap::new(), is_overflown: false, facts: Vec::new() }
    }

    /// The stock of a SKU as it is now, if it has a row.
    pub fn get(&self, sku: &str) -> Option<&Stock> {
        self.touched.get(sku).or_else(|| self.tables.stock.get(sku).map(AsRef::as_ref))
    }

    /// Changes the counts of a SKU at a location, and returns them.
    fn change(&mut self, sku: &SmolStr, location: &SmolStr, on_hand: i64, reserved: i64) -> (i64, i64) {
        let tables = self.tables;
        let stock = self.touched.entry(sku.clone()).or_insert_with(|| {
            tables.stock.get(sku).map_or_else(|| Stock::new(sku.clone()), |stock| stock.as_ref().clone())
        });
        let row = stock.location_mut(location);
        for (count, more) in [(&mut row.on_hand, on_hand), (&mut row.reserved, reserved)] {
            match count.checked_add(more) {
                Some(sum) => *count = sum,
                None => self.is_overflown = true,
            }
        }
        (row.on_hand, row.reserved)
    }

    /// Takes `quantity` from the locations in the order of their ids, and returns by how many it falls short. Adds no
    /// fact.
    pub fn take(&mut self, sku: &SmolStr, quantity: i64, policy: InventoryPolicy) -> (SmallVec<[Allocation; 1]>, i64) {
        let mut taken = SmallVec::new();
        if policy == InventoryPolicy::None {
            return (taken, 0);
        }
        let mut left = quantity;
        for location in self.get(sku).into_iter().flat_map(|stock| &stock.locations) {
            let free = location.available().clamp(0, left);
            if free > 0 {
                taken.push(Allocation { location: location.location.clone(), quantity: free });
                left -= free;
            }
        }
        if policy == InventoryPolicy::TrackOnly && left > 0 {
            take_at_main(&mut taken, left);
            left = 0;
        }
        for part in &taken {
            self.change(sku, &part.location, 0, part.quantity);
        }
        (taken, left)
    }

    /// Releases what a line of an order has reserved.
    pub fn release(&mut self, order_id: &SmolStr, n: usize, line: &OrderLine) {
        for part in &line.taken {
            self.change(&line.sku, &part.location, 0, -part.quantity);
            self.facts.push(EventPayload::InventoryReleased(InventoryReleased(reservation(order_id, n, line, part))));
        }
    }

    /// Adds the facts of what a line of an order has taken.
    pub fn tell_reserved(&mut self, order_id: &SmolStr, n: usize, line: &OrderLine) {
        for part in &line.taken {
            self.facts.push(EventPayload::InventoryReserved(InventoryReserved(reservation(order_id, n, line, part))));
        }
    }

    /// Changes the stock on hand, and what is reserved by the same number if goods leave that were.
    pub fn move_by(&mut self, sku: &SmolStr, location: &SmolStr, on_hand: i64, reserved: i64, why: MovementCause) {
        let (on_hand_now, reserved_now) = self.change(sku, location, on_hand, reserved);
        let movement = StockMovement {
            sku: sku.clone(),
            location: location.clone(),
            quantity: on_hand,
            reason: why.reason,
            reference: why.reference,
            line: why.line,
            on_hand: on_hand_now,
            reserved: reserved_now,
        };
        self.facts.push(EventPayload::StockUpdated(StockUpdated(movement)));
    }

    /// The rows that changed, the facts, and those of stock that ran low: once a SKU, in the order of the SKUs. Refused
    /// if a count, or the sum over all locations, does not fit 64 bits.
    pub fn finish(self) -> Result<StockEditOutput, Rejection> {
        let mut low = Vec::new();
        for (sku, stock) in &self.touched {
            if self.is_overflown || !stock.fits() {
                return Err(Rejection::new(Code::Overflow, "", format!("the stock of {sku:?} does not fit 64 bits")));
            }
            let Some(low_stock_at) = self.tables.stock_rule(sku).and_then(|rule| rule.low_stock_at) else {
                continue;
            };
            let before = self.tables.stock.get(sku).map_or(0, |stock| stock.available());
            let available = stock.available();
            if before > low_stock_at && available <= low_stock_at {
                low.push(EventPayload::LowStock(LowStock { sku: sku.clone(), available, low_stock_at }));
            }
        }
        Ok((self.touched.into_values().map(Arc::new).collect(), self.facts, low))
    }
}

/// Adds what is nowhere free to the part that is taken at `main`.
fn take_at_main(taken: &mut SmallVec<[Allocation; 1]>, quantity: i64) {
    let at = taken.partition_point(|part| part.location.as_str() < "main");
    match taken.get_mut(at).filter(|part| part.location == "main") {
        Some(part) => part.quantity += quantity,
        None => taken.insert(at, Allocation { location: SmolStr::new_static("main"), quantity }),
    }
}

fn reservation(order_id: &SmolStr, n: usize, line: &OrderLine, part: &Allocation) -> Reservation {
    Reservation {
        sku: line.sku.clone(),
        location: part.location.clone(),
        quantity: part.quantity,
        order_id: order_id.clone(),
        line: number(n),
    }
}

/// The number of the line at that index: lines are numbered from 1.
pub fn number(n: usize) -> u32 {
    u32::try_from(n + 1).expect("an order has at most 10^9 lines")
}
