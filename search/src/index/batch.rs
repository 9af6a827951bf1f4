//! Changes on their way to the index: epochs put together, so that the engine never waits for the index and memory is
//! bounded by the catalogue. Not for applying them.

use dataflows::contract::changes::{Change, Changes};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::catalogue::Product;
use dataflows::shop::footprint::Footprint;
use dataflows::shop::orders::{Order, OrderStatus};
use smol_str::SmolStr;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Consecutive epochs, put together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The last of them.
    pub upto: Epoch,
    /// The digest of all views after it.
    pub digest: u128,
    /// Each product that changed, as it is after it.
    pub products: HashMap<SmolStr, Option<Arc<Product>>>,
    /// The units of each SKU that were sold more than before.
    pub sold: HashMap<SmolStr, i64>,
    /// The bytes that the products take.
    bytes: usize,
}

impl Batch {
    fn len(&self) -> usize {
        self.products.len() + self.sold.len()
    }

    fn add(&mut self, changes: &Changes) {
        let Changes { record, rows, events: _, dead_letters: _, quota: _, imbalances: _, search_memory: _, standings } =
            changes;
        self.upto = record.epoch;
        self.digest = standings.digest();
        for change in &rows.products {
            let bytes_of = |row: &Option<Arc<Product>>| row.as_deref().map_or(0, Footprint::bytes);
            self.bytes += bytes_of(&change.after);
            let older = self.products.insert(change.key_text(), change.after.clone());
            self.bytes -= older.as_ref().map_or(0, bytes_of);
        }
        for Change { before, after } in &rows.orders {
            self.count(before.as_deref(), -1);
            self.count(after.as_deref(), 1);
        }
    }

    fn count(&mut self, order: Option<&Order>, sign: i64) {
        let Some(order) = order.filter(|order| is_sold(order.status)) else { return };
        for line in &order.lines {
            let units = line.quantity.saturating_sub(line.returned).saturating_mul(sign);
            match self.sold.get_mut(&line.sku) {
                Some(sold) => *sold = sold.saturating_add(units),
                None => {
                    self.sold.insert(line.sku.clone(), units);
                }
            }
        }
    }
}

/// Returns true if the goods of such an order count as sold.
const fn is_sold(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Paid | OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::PartlyReturned => true,
        OrderStatus::PendingPayment | OrderStatus::Returned | OrderStatus::Cancelled | OrderStatus::Rejected => false,
    }
}

/// The batches that wait.
#[derive(Debug)]
pub struct BatchQueue {
    batches: VecDeque<Batch>,
    /// A batch ends with this epoch.
    ends_at: Epoch,
    changes_max: usize,
    batches_max: usize,
    bytes_max: usize,
}

impl BatchQueue {
    /// None yet. Epochs go into one batch until it has that many changes; the last of so many batches, or of so many
    /// bytes, takes the rest, and has of each product the newest only.
    pub const fn new(ends_at: Epoch, changes_max: usize, batches_max: usize, bytes_max: usize) -> BatchQueue {
        BatchQueue { batches: VecDeque::new(), ends_at, changes_max, batches_max, bytes_max }
    }

    /// Takes an epoch in.
    pub fn add(&mut self, changes: &Changes) {
        let is_many = self.batches.len() >= self.batches_max || self.bytes() >= self.bytes_max;
        let is_open = |batch: &Batch| {
            let is_replayed = batch.upto < self.ends_at;
            batch.upto != self.ends_at && (is_replayed || is_many || batch.len() < self.changes_max)
        };
        if !self.batches.back().is_some_and(is_open) {
            self.batches.push_back(Batch::default());
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.add(changes);
        }
    }

    /// The bytes that all of them take.
    fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes).sum()
    }

    /// The next batch.
    pub fn take(&mut self) -> Option<Batch> {
        self.batches.pop_front()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, Shop, product};

    #[test]
    fn what_waits_is_bounded_by_bytes_and_then_has_the_newest_only() {
        let (mut shop, mut waiting) = (Shop::default(), BatchQueue::new(Epoch(0), 1, 1_000, 50_000));
        for epoch in 1..=200 {
            let title = "x".repeat(10_000 + epoch).into();
            waiting.add(&shop.put(vec![Product { title, ..product(&mut Random(1), 1) }]));
        }
        assert!(waiting.bytes() < 70_000, "{}", waiting.bytes());
        let batches: Vec<Batch> = std::iter::from_fn(|| waiting.take()).collect();
        assert!(batches.len() < 7, "{}", batches.len());
        let last = batches.last().unwrap();
        let title = last.products["p1"].as_ref().unwrap().title.len();
        assert_eq!((last.upto, title), (Epoch(200), 10_200));
    }
}
