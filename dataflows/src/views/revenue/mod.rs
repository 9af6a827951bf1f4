//! Revenue by hour, day and month, currency, country and category: sums over decided facts. An order counts in the
//! period in which it was placed, once it is paid; what goes back counts in the period of its own business time.

mod row;

use crate::contract::changes::{AnyChange, Change, Changes};
use crate::contract::money::Currency;
use crate::contract::time::Timestamp;
use crate::engine::operators::Share;
use crate::engine::operators::{Decided, route};
use crate::engine::operators::{Local, Sum, Summand, Tallied, tally};
use crate::shop::event::Fact;
use crate::shop::orders::Order;
use crate::shop::refunds::RefundKind;
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
    decided: Stream<'s, u64, Vec<(Local<Decided>, u64)>>,
    base: Option<&Changes>,
    share: Share,
) -> Stream<'s, u64, Vec<(Local<Decided>, u64)>> {
    let rows = base.map(|base| base.rows.revenue.as_slice()).unwrap_or_default();
    let rows = rows.iter().filter_map(|change| change.after.as_deref());
    let begin = rows.filter(|row| share.has(worker(&row.key))).map(|row| (row.key.clone(), row.sums)).collect();
    tally("Revenue", summands(decided), begin, worker, changed)
}

fn worker(key: &RevenueKey) -> u64 {
    route(&key.country) ^ u64::from(key.category.is_some())
}

fn changed(Tallied { key, before, after }: Tallied<RevenueKey, Sums>) -> Local<Decided> {
    let row = |sums: Sums| (sums != Sums::default()).then(|| Arc::new(Revenue { key: key.clone(), sums }));
    Local(Decided::Row(AnyChange::Revenue(Change { before: row(before), after: row(after) })))
}

type Summands = HashMap<RevenueKey, Sums>;
type SummandStream<'s> = Stream<'s, u64, Vec<Summand<RevenueKey, Sums>>>;

/// What the facts of each epoch add, summed up before it travels: all orders of an hour meet in a few keys.
fn summands<'s>(decided: Stream<'s, u64, Vec<(Local<Decided>, u64)>>) -> SummandStream<'s> {
    decided.unary(Pipeline, "RevenueOfFacts", |_capability, _info| {
        move |input, output| {
            input.for_each(|cap, data| {
                let mut by_epoch = Vec::<(u64, Summands)>::new();
                for (Local(decided), epoch) in data.drain(..) {
                    let Decided::Event(event) = decided else { continue };
                    if by_epoch.last().is_none_or(|(last, _)| *last != epoch) {
                        by_epoch.push((epoch, Summands::new()));
                    }
                    if let Some((_, sums)) = by_epoch.last_mut() {
                        add_fact(sums, &event.fact, event.occurred_at);
                    }
                }
                let mut session = output.session(&cap);
                for (epoch, sums) in by_epoch {
                    session.give_iterator(sums.into_iter().map(|summand| (Local(summand), epoch)));
                }
            });
        }
    })
}

/// Where money counts.
struct Place<'a> {
    at: Timestamp,
    currency: Currency,
    country: &'a SmolStr,
}

impl Place<'_> {
    /// Adds to the rows of a category, or to those over all categories.
    fn add(&self, sums: &mut Summands, category: Option<&SmolStr>, what: &Sums) {
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
    fn add_both(&self, sums: &mut Summands, category: &SmolStr, what: &Sums) {
        self.add(sums, Some(category), what);
        self.add(sums, None, what);
    }
}

/// Adds what a fact brings.
pub(crate) fn add_fact(sums: &mut Summands, fact: &Fact, occurred_at: Timestamp) {
    let of = |order: &Arc<Order>| (order.currency, order.country.clone());
    match fact {
        Fact::OrderCreated(order) if order.payment.as_ref().is_some_and(|payment| payment.processed) => {
            add_sale(sums, order);
        }
        Fact::OrderUpdated { order, from: crate::shop::orders::OrderStatus::PendingPayment, .. } => {
            add_sale(sums, order)
        }
        Fact::OrderCancelled { order, from, refunds, .. }
            if *from != crate::shop::orders::OrderStatus::PendingPayment =>
        {
            let (currency, country) = of(order);
            let place = Place { at: occurred_at, currency, country: &country };
            for (line, refund) in order.lines.iter().zip(refunds) {
                let units_returned = line.quantity.into();
                let what = Sums { returned: i128::from(*refund), units_returned, ..Sums::default() };
                place.add_both(sums, &line.category, &what);
            }
        }
        Fact::ItemsReturned { order, returned } => {
            let (currency, country) = of(order);
            let place = Place { at: occurred_at, currency, country: &country };
            for line in &returned.lines {
                let category = &order.lines[line.line as usize - 1].category;
                let what =
                    Sums { returned: line.amount.amount, units_returned: line.quantity.into(), ..Sums::default() };
                place.add_both(sums, category, &what);
            }
        }
        Fact::CreditRecorded(credit) => {
            let place = Place { at: occurred_at, currency: credit.currency, country: &credit.country };
            for line in &credit.lines {
                let returned = i128::from(line.amount);
                let what = Sums { returned, units_returned: line.quantity.into(), ..Sums::default() };
                place.add_both(sums, &line.category, &what);
            }
        }
        Fact::AdjustmentRecorded(adjustment) => {
            let place = Place { at: occurred_at, currency: adjustment.currency, country: &adjustment.country };
            add_money(sums, &place, adjustment.amount.amount);
        }
        Fact::RefundIssued(RefundKind::MoneyOnly, moved) => {
            let (currency, country) = of(&moved.order);
            add_money(sums, &Place { at: occurred_at, currency, country: &country }, -moved.amount.amount);
        }
        Fact::OrderCreated(_)
        | Fact::OrderUpdated { .. }
        | Fact::OrderCancelled { .. }
        | Fact::RefundIssued(..)
        | Fact::ProductChanged(_)
        | Fact::PriceChanged { .. }
        | Fact::StockUpdated(_)
        | Fact::InventoryReserved(_)
        | Fact::InventoryReleased(_)
        | Fact::LowStock { .. }
        | Fact::OrderRejected { .. }
        | Fact::PaymentRequested { .. }
        | Fact::PaymentProcessed(_)
        | Fact::PaymentFailed(_) => {}
    }
}

/// Money without goods has the empty category.
fn add_money(sums: &mut Summands, place: &Place<'_>, adjusted: i128) {
    place.add_both(sums, &SmolStr::new_static(""), &Sums { adjusted, ..Sums::default() });
}

/// A sale counts where the order was placed: once in each of its categories, and once over all.
fn add_sale(sums: &mut Summands, order: &Order) {
    let place = Place { at: order.placed_at, currency: order.currency, country: &order.country };
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
