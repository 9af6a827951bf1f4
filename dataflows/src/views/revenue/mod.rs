//! Revenue by hour, day and month, currency, country and category: sums over decided facts. An order counts in the
//! period in which it was placed, once it is paid; what goes back counts in the period of its own business time.

mod row;

use crate::contract::changes::{Change, Changes, ViewChange};
use crate::contract::money::Currency;
use crate::contract::time::Timestamp;
use crate::engine::operators::{CoreUpdate, InProcess, Sum, SumChange, SumUpdate, WorkerKeys, key_hash, sum_by_key};
use crate::shop::adjustments::AdjustmentRecorded;
use crate::shop::credits::CreditRecorded;
use crate::shop::event::EventPayload;
use crate::shop::orders::{Order, OrderCancelled, OrderCreated, OrderUpdated};
use crate::shop::refunds::{RefundIssued, RefundKind};
use crate::shop::returns::ItemsReturned;
use hashbrown::HashMap;
pub use row::{Grain, Period, Revenue, RevenueKey, Sums};
use smol_str::SmolStr;
use std::collections::BTreeSet;
use std::sync::Arc;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;

impl Sum for Sums {
    fn add(&mut self, other: &Sums) {
        self.add(other);
    }
}

/// The revenue rows that change.
pub fn revenue<'s>(
    decided: Stream<'s, u64, Vec<(InProcess<CoreUpdate>, u64)>>,
    base: Option<&Changes>,
    share: WorkerKeys,
) -> Stream<'s, u64, Vec<(InProcess<CoreUpdate>, u64)>> {
    let rows = base.map(|base| base.rows.revenue.as_slice()).unwrap_or_default();
    let rows = rows.iter().filter_map(|change| change.after.as_deref());
    let begin = rows.filter(|row| share.has(worker(&row.key))).map(|row| (row.key.clone(), row.sums)).collect();
    sum_by_key("Revenue", summands(decided), begin, worker, changed)
}

fn worker(key: &RevenueKey) -> u64 {
    key_hash(&key.country) ^ u64::from(key.category.is_some())
}

fn changed(SumChange { key, before, after }: SumChange<RevenueKey, Sums>) -> InProcess<CoreUpdate> {
    let row = |sums: Sums| (sums != Sums::default()).then(|| Arc::new(Revenue { key: key.clone(), sums }));
    InProcess(CoreUpdate::Row(ViewChange::Revenue(Change { before: row(before), after: row(after) })))
}

type RevenueSums = HashMap<RevenueKey, Sums>;
type SummandStream<'s> = Stream<'s, u64, Vec<SumUpdate<RevenueKey, Sums>>>;

/// The sums of the facts of each epoch, made before they travel: all orders of an hour meet in a few keys.
fn summands<'s>(decided: Stream<'s, u64, Vec<(InProcess<CoreUpdate>, u64)>>) -> SummandStream<'s> {
    decided.unary(Pipeline, "RevenueOfFacts", |_capability, _info| {
        move |input, output| {
            input.for_each(|cap, data| {
                let mut by_epoch = Vec::<(u64, RevenueSums)>::new();
                for (InProcess(decided), epoch) in data.drain(..) {
                    let CoreUpdate::Event(event) = decided else { continue };
                    if by_epoch.last().is_none_or(|(last, _)| *last != epoch) {
                        by_epoch.push((epoch, RevenueSums::new()));
                    }
                    if let Some((_, sums)) = by_epoch.last_mut() {
                        add_fact(sums, &event.fact, event.occurred_at);
                    }
                }
                let mut session = output.session(&cap);
                for (epoch, sums) in by_epoch {
                    session.give_iterator(sums.into_iter().map(|summand| (InProcess(summand), epoch)));
                }
            });
        }
    })
}

/// The place where money counts.
struct MoneyContext<'a> {
    at: Timestamp,
    currency: Currency,
    country: &'a SmolStr,
}

impl MoneyContext<'_> {
    /// Adds to the rows of a category, or to those over all categories.
    fn add(&self, sums: &mut RevenueSums, category: Option<&SmolStr>, what: &Sums) {
        if *what == Sums::default() {
            return;
        }
        for grain in Grain::ALL {
            let key = RevenueKey {
                period: grain.period(self.at),
                currency: self.currency,
                country: self.country.clone(),
                category: category.cloned(),
            };
            sums.entry(key).or_default().add(what);
        }
    }

    /// Adds to the rows of a category and to those over all.
    fn add_both(&self, sums: &mut RevenueSums, category: &SmolStr, what: &Sums) {
        self.add(sums, Some(category), what);
        self.add(sums, None, what);
    }
}

/// Adds what a fact brings.
pub(crate) fn add_fact(sums: &mut RevenueSums, fact: &EventPayload, occurred_at: Timestamp) {
    let of = |order: &Arc<Order>| (order.currency, order.country.clone());
    match fact {
        EventPayload::OrderCreated(OrderCreated(order))
            if order.payment.as_ref().is_some_and(|payment| payment.processed) =>
        {
            add_sale(sums, order);
        }
        EventPayload::OrderUpdated(OrderUpdated {
            order,
            from: crate::shop::orders::OrderStatus::PendingPayment,
            ..
        }) => add_sale(sums, order),
        EventPayload::OrderCancelled(OrderCancelled { order, from, refunds, .. })
            if *from != crate::shop::orders::OrderStatus::PendingPayment =>
        {
            let (currency, country) = of(order);
            let place = MoneyContext { at: occurred_at, currency, country: &country };
            for (line, refund) in order.lines.iter().zip(refunds) {
                let units_returned = line.quantity.into();
                let what = Sums { returned: i128::from(*refund), units_returned, ..Sums::default() };
                place.add_both(sums, &line.category, &what);
            }
        }
        EventPayload::ItemsReturned(ItemsReturned { order, returned }) => {
            let (currency, country) = of(order);
            let place = MoneyContext { at: occurred_at, currency, country: &country };
            for line in &returned.lines {
                let category = &order.lines[line.line as usize - 1].category;
                let what =
                    Sums { returned: line.amount.amount, units_returned: line.quantity.into(), ..Sums::default() };
                place.add_both(sums, category, &what);
            }
        }
        EventPayload::CreditRecorded(CreditRecorded(credit)) => {
            let place = MoneyContext { at: occurred_at, currency: credit.currency, country: &credit.country };
            for line in &credit.lines {
                let returned = i128::from(line.amount);
                let what = Sums { returned, units_returned: line.quantity.into(), ..Sums::default() };
                place.add_both(sums, &line.category, &what);
            }
        }
        EventPayload::AdjustmentRecorded(AdjustmentRecorded(adjustment)) => {
            let place = MoneyContext { at: occurred_at, currency: adjustment.currency, country: &adjustment.country };
            add_money(sums, &place, adjustment.amount.amount);
        }
        EventPayload::RefundIssued(RefundIssued(RefundKind::MoneyOnly, moved)) => {
            let (currency, country) = of(&moved.order);
            add_money(sums, &MoneyContext { at: occurred_at, currency, country: &country }, -moved.amount.amount);
        }
        EventPayload::OrderCreated(_)
        | EventPayload::OrderUpdated(_)
        | EventPayload::OrderCancelled(_)
        | EventPayload::RefundIssued(_)
        | EventPayload::ProductChanged(_)
        | EventPayload::PriceChanged(_)
        | EventPayload::StockUpdated(_)
        | EventPayload::InventoryReserved(_)
        | EventPayload::InventoryReleased(_)
        | EventPayload::LowStock(_)
        | EventPayload::OrderRejected(_)
        | EventPayload::PaymentRequested(_)
        | EventPayload::PaymentProcessed(_)
        | EventPayload::PaymentFailed(_) => {}
    }
}

/// Money without goods has the empty category.
fn add_money(sums: &mut RevenueSums, place: &MoneyContext<'_>, adjusted: i128) {
    place.add_both(sums, &SmolStr::new_static(""), &Sums { adjusted, ..Sums::default() });
}

/// A sale counts where the order was placed: once in each of its categories, and once over all.
fn add_sale(sums: &mut RevenueSums, order: &Order) {
    let place = MoneyContext { at: order.placed_at, currency: order.currency, country: &order.country };
    let mut all = Sums { orders: 1, ..Sums::default() };
    for line in &order.lines {
        let what = Sums { gross: line.amount.into(), units: line.quantity.into(), ..Sums::default() };
        place.add(sums, Some(&line.category), &what);
        all.add(&what);
    }
    place.add(sums, None, &all);
    let categories: BTreeSet<_> = order.lines.iter().map(|line| &line.category).collect();
    for category in categories {
        place.add(sums, Some(category), &Sums { orders: 1, ..Sums::default() });
    }
}
