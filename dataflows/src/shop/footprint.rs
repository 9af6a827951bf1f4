//! About how many bytes of memory a row, an event, an input takes: what budgets are counted in. Not what they take in
//! the log or in an answer. A text that several rows share counts for each of them.

use crate::contract::changes::{Change, Changes, Shard, ViewChanges};
use crate::contract::code::FieldError;
use crate::contract::event::Event;
use crate::contract::input::{DeadLetter, RawRecord};
use crate::shop::adjustments::Adjustment;
use crate::shop::catalogue::{Product, Variant};
use crate::shop::credits::Credit;
use crate::shop::dead_letters::{LetterCount, LetterQuota};
use crate::shop::event::EventPayload;
use crate::shop::operations::Operation;
use crate::shop::orders::Order;
use crate::shop::payments::{MoneyMoved, PaymentRow};
use crate::shop::policy::Policy;
use crate::shop::stock::Stock;
use crate::views::invariants::{Invariant, Residual};
use crate::views::revenue::Revenue;
use crate::views::searches::{SearchSession, Searches};
use smol_str::SmolStr;
use std::sync::Arc;

/// What an allocation costs beside its bytes.
const ALLOCATION_BYTES: usize = 16;
/// What an entry of a map of texts takes, its texts left out.
const ENTRY_BYTES: usize = 64;

/// What takes memory.
pub trait Footprint {
    /// What it takes on the heap, itself left out.
    fn heap_bytes(&self) -> usize;

    /// What it takes as a whole.
    fn bytes(&self) -> usize
    where
        Self: Sized,
    {
        size_of::<Self>() + ALLOCATION_BYTES + self.heap_bytes()
    }
}

/// A text; short ones are inline.
fn text(text: &SmolStr) -> usize {
    if text.is_heap_allocated() { text.len() + ALLOCATION_BYTES } else { 0 }
}

fn maybe(text_of: Option<&SmolStr>) -> usize {
    text_of.map_or(0, text)
}

/// The elements of a list, and what each has on the heap.
fn list<T>(list: &[T], each: impl Fn(&T) -> usize) -> usize {
    size_of_val(list) + list.iter().map(each).sum::<usize>()
}

fn problems(all: &[FieldError]) -> usize {
    list(all, |problem| problem.pointer.len() + problem.detail.len())
}

fn variant(of: &Variant) -> usize {
    text(&of.sku) + maybe(of.title.as_ref()) + size_of_val(of.scheduled.as_slice())
}

impl Footprint for Product {
    fn heap_bytes(&self) -> usize {
        let texts = text(&self.product_id) + text(&self.title) + text(&self.category_path);
        let attributes = self.attributes.iter().map(|(name, value)| ENTRY_BYTES + text(name) + text(value));
        texts
            + maybe(self.description.as_ref())
            + maybe(self.brand.as_ref())
            + list(&self.category, text)
            + attributes.sum::<usize>()
            // What was left out is shared by all versions of the product.
            + list(&self.variants, variant)
    }
}

impl Footprint for Order {
    fn heap_bytes(&self) -> usize {
        let payment = self.payment.as_ref().and_then(|payment| payment.token.as_ref());
        let shipment = self.shipment.as_ref().map_or(0, |shipment| {
            size_of_val(shipment.as_ref()) + maybe(shipment.carrier.as_ref()) + maybe(shipment.tracking.as_ref())
        });
        let history = if self.history.spilled() { size_of_val(self.history.as_slice()) } else { 0 };
        // The texts of lines are the products', which have them already.
        let lines =
            list(
                &self.lines,
                |line| {
                    if line.taken.spilled() { list(&line.taken, |taken| text(&taken.location)) } else { 0 }
                },
            );
        text(&self.order_id)
            + maybe(self.customer_id.as_ref())
            + text(&self.country)
            + lines
            + maybe(payment)
            + shipment
            + history
            + list(&self.money_back_ids, text)
    }
}

impl Footprint for PaymentRow {
    fn heap_bytes(&self) -> usize {
        text(&self.order_id) + maybe(self.token.as_ref())
    }
}

impl Footprint for Stock {
    fn heap_bytes(&self) -> usize {
        let locations = if self.locations.spilled() { size_of_val(self.locations.as_slice()) } else { 0 };
        text(&self.sku) + locations + self.locations.iter().map(|at| text(&at.location)).sum::<usize>()
    }
}

impl Footprint for Credit {
    fn heap_bytes(&self) -> usize {
        let texts = text(&self.credit_id) + maybe(self.customer_id.as_ref()) + text(&self.country);
        texts + maybe(self.reference.as_ref()) + list(&self.lines, |line| text(&line.sku))
    }
}

impl Footprint for Adjustment {
    fn heap_bytes(&self) -> usize {
        let texts = text(&self.adjustment_id) + maybe(self.customer_id.as_ref()) + text(&self.country);
        texts + maybe(self.reference.as_ref())
    }
}

impl Footprint for Operation {
    fn heap_bytes(&self) -> usize {
        let part = self.ids.part.as_ref().map_or(0, |part| size_of::<SmolStr>() + ALLOCATION_BYTES + text(part));
        let refusal = self.refusal.as_ref().map_or(0, |refusal| size_of_val(refusal.as_ref()) + problems(&refusal.1));
        text(&self.command_id) + text(&self.ids.of) + part + refusal
    }
}

impl Footprint for Policy {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Footprint for Revenue {
    fn heap_bytes(&self) -> usize {
        text(&self.key.country) + maybe(self.key.category.as_ref())
    }
}

impl Footprint for Searches {
    fn heap_bytes(&self) -> usize {
        text(&self.key.query)
    }
}

impl Footprint for SearchSession {
    fn heap_bytes(&self) -> usize {
        let opened = if self.opened.spilled() { size_of_val(self.opened.as_slice()) } else { 0 };
        let query = self.performed.as_ref().map_or(0, |performed| text(&performed.key.query));
        text(&self.search_id) + opened + query
    }
}

impl Footprint for Invariant {
    fn heap_bytes(&self) -> usize {
        self.first_violation.as_ref().map_or(0, String::len)
    }
}

impl Footprint for LetterCount {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Footprint for Residual {
    fn heap_bytes(&self) -> usize {
        0
    }
}

fn money_moved(of: &MoneyMoved) -> usize {
    of.order.bytes() + maybe(of.refund_id.as_ref()) + maybe(of.reason.as_ref())
}

impl Footprint for Event {
    fn heap_bytes(&self) -> usize {
        let fact = match &self.fact {
            EventPayload::ProductChanged(product) => product.bytes(),
            EventPayload::PriceChanged { product_id, sku, price: _, valid_from: _, valid_to: _ } => {
                text(product_id) + text(sku)
            }
            EventPayload::StockUpdated(moved) => {
                text(&moved.sku) + text(&moved.location) + maybe(moved.reference.as_ref())
            }
            EventPayload::InventoryReserved(of) | EventPayload::InventoryReleased(of) => {
                text(&of.sku) + text(&of.location) + text(&of.order_id)
            }
            EventPayload::LowStock { sku, available: _, low_stock_at: _ } => text(sku),
            EventPayload::OrderCreated(order) => order.bytes(),
            EventPayload::OrderUpdated { order, from: _, reason } => order.bytes() + maybe(reason.as_ref()),
            EventPayload::OrderCancelled { order, from: _, reason, refunds } => {
                order.bytes() + maybe(reason.as_ref()) + size_of_val(refunds.as_slice())
            }
            EventPayload::OrderRejected { order_id, code: _, errors } => text(order_id) + problems(errors),
            EventPayload::ItemsReturned { order, returned } => {
                order.bytes() + text(&returned.return_id) + size_of_val(returned.lines.as_slice())
            }
            EventPayload::CreditRecorded(credit) => credit.bytes(),
            EventPayload::AdjustmentRecorded(adjustment) => adjustment.bytes(),
            EventPayload::PaymentRequested { order_id, amount: _, method: _, token } => {
                text(order_id) + maybe(token.as_ref())
            }
            EventPayload::PaymentProcessed(moved)
            | EventPayload::PaymentFailed(moved)
            | EventPayload::RefundIssued(_, moved) => money_moved(moved),
        };
        text(&self.cause) + fact
    }
}

impl Footprint for RawRecord {
    fn heap_bytes(&self) -> usize {
        let RawRecord { key, value, headers, timestamp_ms: _ } = self;
        let optional = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        optional(key) + optional(value) + list(headers, |(name, value)| text(name) + optional(value))
    }
}

impl Footprint for DeadLetter {
    fn heap_bytes(&self) -> usize {
        self.detail.len() + self.record.bytes()
    }
}

/// A changed row: as it is now, or was if it is gone. What it was is what it is of the change before.
fn changes<R: Footprint>(all: &[Change<R>]) -> usize {
    list(all, |change| change.after.as_deref().or(change.before.as_deref()).map_or(0, Footprint::bytes))
}

macro_rules! view_changes {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        impl Footprint for ViewChanges {
            fn heap_bytes(&self) -> usize {
                0 $(+ changes(&self.$field))*
            }
        }
    };
}

crate::for_each_row!(views view_changes);

/// What leaves the core beside rows.
fn beside(events: &[Arc<Event>], letters: &[DeadLetter], imbalances: &[Residual], memos: usize) -> usize {
    list(events, |event| event.bytes()) + list(letters, Footprint::heap_bytes) + size_of_val(imbalances) + memos
}

/// What changes of the memory of searches take.
fn memos(all: &[crate::views::searches::SearchMemoChange]) -> usize {
    list(all, |(_, memo)| memo.as_deref().map_or(0, Footprint::bytes))
}

impl Footprint for LetterQuota {
    fn heap_bytes(&self) -> usize {
        let LetterQuota { counts, dropped } = self;
        size_of_val(counts.as_slice()) + size_of_val(dropped.as_slice())
    }
}

impl Footprint for Shard {
    fn heap_bytes(&self) -> usize {
        let Shard { rows, events, dead_letters, quota, imbalances, search_memory, standings: _ } = self;
        rows.heap_bytes() + quota.heap_bytes() + beside(events, dead_letters, imbalances, memos(search_memory))
    }
}

impl Footprint for Changes {
    fn heap_bytes(&self) -> usize {
        let Changes { record: _, rows, events, dead_letters, quota, imbalances, search_memory, standings: _ } = self;
        rows.bytes() + quota.heap_bytes() + beside(events, dead_letters, imbalances, memos(search_memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::epoch::Epoch;
    use crate::contract::money::Currency;
    use crate::contract::time::Timestamp;

    fn credit(reference: usize, lines: usize) -> Credit {
        let line = crate::shop::credits::CreditLine {
            sku: SmolStr::new("A"),
            quantity: 1,
            unit_price: 1,
            amount: 1,
            category: SmolStr::new("c"),
        };
        Credit {
            credit_id: SmolStr::new("c1"),
            customer_id: None,
            currency: Currency::parse("GBP").unwrap(),
            country: SmolStr::new("GB"),
            lines: vec![line; lines],
            total: 1,
            restock: false,
            reference: Some(SmolStr::new("x".repeat(reference))),
            occurred_at: Timestamp::from_micros(0),
            epoch: Epoch(1),
        }
    }

    #[test]
    fn texts_and_lists_count_with_what_they_have() {
        let small = credit(1, 0).bytes();
        assert!((size_of::<Credit>()..size_of::<Credit>() + 64).contains(&small), "{small}");
        let long = credit(900_000, 0).bytes() - small;
        assert!((900_000..900_100).contains(&long), "{long}");
        let wide = credit(1, 1_000).bytes() - small;
        assert_eq!(wide, 1_000 * size_of::<crate::shop::credits::CreditLine>());
    }

    #[test]
    fn an_epoch_counts_its_rows_and_letters() {
        let record = Arc::new(RawRecord { value: Some(vec![0; 5_000]), ..RawRecord::default() });
        let letter = DeadLetter {
            origin: crate::contract::topic::Origin {
                topic: crate::contract::topic::Topic::Orders,
                partition: 0,
                offset: 0,
            },
            code: crate::contract::input::DeadLetterCode::TooLarge,
            detail: "large".to_owned(),
            record,
        };
        let after = Some(Arc::new(credit(10_000, 0)));
        let rows = ViewChanges { credits: vec![Change { before: None, after }], ..ViewChanges::default() };
        let shard = Shard { rows, dead_letters: vec![letter], ..Shard::default() };
        assert!((15_000..17_000).contains(&shard.bytes()), "{}", shard.bytes());
    }
}
