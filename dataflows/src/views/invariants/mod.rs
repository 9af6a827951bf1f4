//! The standing checks: facts against the state that they led to, on different paths. Each check is a sum per subject
//! that must be zero; what is not zero is a violation. Sums of zero are forgotten, so a sound shop costs no memory.

mod row;

use crate::contract::changes::{Change, Changes, ViewChange};
use crate::engine::operators::{CoreUpdate, InProcess, SumChange, SumUpdate, WorkerKeys, key_hash, sum_by_key};
use crate::shop::event::EventPayload;
use crate::shop::orders::Order;
use crate::shop::payments::PaymentProcessed;
use crate::shop::refunds::RefundIssued;
use crate::shop::returns::ItemsReturned;
use crate::shop::stock::{Stock, StockUpdated};
use crate::views::revenue::{Grain, Revenue};
use differential_dataflow::{AsCollection, VecCollection};
use hashbrown::HashMap;
pub use row::{Check, Invariant, Residual, Subject};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::vec::{Map, ToStream};
use timely::dataflow::operators::{Capability, Concatenate, Operator};

/// A summand of a check. Without a subject it counts the subjects.
type Key = (Check, Option<Subject>);
type UpdateStream<'s> = Stream<'s, u64, Vec<(InProcess<CoreUpdate>, u64)>>;
type SumUpdates<'s> = Stream<'s, u64, Vec<SumUpdate<Key, i128>>>;
/// The state of a check: the number of subjects, the number of violations, the first of them.
type CheckStatus = (Check, (i64, i64, Option<String>));

/// The rows of the checks that change, and the sums that they follow from. `decided` are facts and rows of tables,
/// `revenue` the rows of revenue.
pub fn invariants<'s>(
    decided: UpdateStream<'s>,
    revenue: UpdateStream<'s>,
    base: Option<&Changes>,
    share: WorkerKeys,
) -> UpdateStream<'s> {
    let scope = decided.scope();
    let weights = scope.concatenate([contributions(decided), contributions(revenue)]);
    let begin = base.map(|base| base.imbalances.as_slice()).unwrap_or_default().iter();
    let begin = begin.map(|of| ((of.check, of.subject.clone()), of.sum)).filter(|(key, _)| share.has(worker(key)));
    let begin: Vec<(Key, i128)> = begin.collect();
    // The sums at the beginning come before all epochs.
    let stood = begin.iter().map(|(key, sum)| {
        let ChangedSum { violation: (key, count), imbalance: _ } =
            changed(SumChange { key: key.clone(), before: 0, after: *sum });
        (key, 0, count)
    });
    let stood = stood.collect::<Vec<_>>().to_stream(scope).as_collection();
    let sums = sum_by_key("Imbalances", weights, begin, worker, changed);
    let imbalances = sums.clone().map(|(changed, epoch)| (InProcess(CoreUpdate::Imbalance(changed.imbalance)), epoch));
    let standing = sums
        .flat_map(|(ChangedSum { violation: (subject, count), imbalance: _ }, epoch)| {
            (count != 0).then_some((subject, epoch, count))
        })
        .as_collection()
        .concat(stood)
        .reduce_named("Violations", |check, input, output| {
            let input = input.iter().map(|(subject, count)| (subject.as_ref(), *count));
            output.push((standing(*check, input), 1));
        })
        .map(|(_, standing)| standing);
    scope.concatenate([rows(standing), imbalances])
}

/// The worker that has a key.
fn worker((check, subject): &Key) -> u64 {
    *check as u64 ^ subject.as_ref().map_or(0, |(of, part)| key_hash(of).rotate_left(1) ^ key_hash(part))
}

/// The state of a check, from its counts in order. Without a subject it counts the check itself, once, and once each
/// thing that it looks at.
fn standing<'a>(check: Check, counts: impl Iterator<Item = (Option<&'a Subject>, isize)>) -> CheckStatus {
    let (mut checked, mut violations, mut first) = (-1, 0, None);
    for (subject, count) in counts {
        match subject {
            None => checked += count as i64,
            Some((of, part)) => {
                violations += 1;
                first.get_or_insert_with(|| format!("{of} {part}").trim_end().to_owned());
            }
        }
    }
    (check, (checked, violations, first))
}

/// The rows that follow from the sums of all checks.
pub fn rows_of(imbalances: &[Residual]) -> Vec<Arc<Invariant>> {
    let mut counts = BTreeMap::<Check, BTreeMap<Option<&Subject>, isize>>::new();
    for of in imbalances {
        let count = if of.subject.is_some() { 1 } else { of.sum as isize };
        counts.entry(of.check).or_default().insert(of.subject.as_ref(), count);
    }
    counts.into_iter().map(|(check, counts)| Arc::new(row(standing(check, counts.into_iter())))).collect()
}

fn row((name, (checked, violations, first_violation)): CheckStatus) -> Invariant {
    Invariant { name, checked, violations, first_violation }
}

/// A sum that changed.
#[derive(Clone)]
struct ChangedSum {
    /// The change of the counts: it became zero, or no longer is; a count as it changes.
    violation: (Key, isize),
    imbalance: Residual,
}

fn changed(SumChange { key, before, after }: SumChange<Key, i128>) -> ChangedSum {
    let count = match &key.1 {
        Some(_) => isize::from(after != 0) - isize::from(before != 0),
        None => (after - before) as isize,
    };
    let imbalance = Residual { check: key.0, subject: key.1.clone(), sum: after };
    ChangedSum { violation: (key, count), imbalance }
}

/// Weighs rows and facts, and sums up per epoch before anything travels: most sums are zero then.
fn contributions<'s>(decided: UpdateStream<'s>) -> SumUpdates<'s> {
    decided.unary(Pipeline, "Weigh", |_capability, _info| {
        move |input, output| {
            input.for_each(|cap, data| {
                let mut by_epoch = Vec::<(u64, Contributions)>::new();
                for (InProcess(decided), epoch) in data.drain(..) {
                    if by_epoch.last().is_none_or(|(last, _)| *last != epoch) {
                        by_epoch.push((epoch, Contributions::default()));
                    }
                    if let Some((_, weights)) = by_epoch.last_mut() {
                        weights.add_decided(&decided);
                    }
                }
                let mut session = output.session(&cap);
                for (epoch, Contributions(weights)) in by_epoch {
                    let weights = weights.into_iter().filter(|(_, weight)| *weight != 0);
                    session.give_iterator(weights.map(|weight| (InProcess(weight), epoch)));
                }
            });
        }
    })
}

#[derive(Default)]
struct Contributions(HashMap<Key, i128>);

impl Contributions {
    fn add(&mut self, check: Check, subject: Subject, weight: impl Into<i128>) {
        let weight = weight.into();
        if weight != 0 {
            *self.0.entry((check, Some(subject))).or_default() += weight;
        }
    }

    fn count(&mut self, check: Check, count: i128) {
        *self.0.entry((check, None)).or_default() += count;
    }

    fn add_decided(&mut self, decided: &CoreUpdate) {
        match decided {
            CoreUpdate::Epoch { record: _, first: true } => {
                for check in Check::ALL {
                    self.count(check, 1);
                }
            }
            CoreUpdate::Epoch { record: _, first: false } | CoreUpdate::Dead(_) => {}
            CoreUpdate::Imbalance(_) | CoreUpdate::SearchMemo(_) | CoreUpdate::Quota(_) => {}
            CoreUpdate::Event(event) => self.add_fact(&event.fact),
            CoreUpdate::Row(ViewChange::Stock(change)) => signed(change, |row, sign| self.add_stock(row, sign)),
            CoreUpdate::Row(ViewChange::Orders(change)) => signed(change, |row, sign| self.add_order(row, sign)),
            CoreUpdate::Row(ViewChange::Revenue(change)) => signed(change, |row, sign| self.add_revenue(row, sign)),
            CoreUpdate::Row(ViewChange::Credits(change)) => signed(change, |row, sign| {
                self.add_money(row.currency.as_str(), -sign * i128::from(row.total));
            }),
            CoreUpdate::Row(ViewChange::Adjustments(change)) => signed(change, |row, sign| {
                self.add_money(row.currency.as_str(), sign * row.amount.amount);
            }),
            CoreUpdate::Row(
                ViewChange::Products(_)
                | ViewChange::Payments(_)
                | ViewChange::Operations(_)
                | ViewChange::Policy(_)
                | ViewChange::Searches(_)
                | ViewChange::Invariants(_),
            ) => {}
        }
    }

    /// Adds what the facts report: the other side of the balance.
    fn add_fact(&mut self, fact: &EventPayload) {
        let order = |id: &SmolStr| (id.clone(), SmolStr::default());
        match fact {
            EventPayload::StockUpdated(StockUpdated(of)) => {
                self.add(Check::StockConservation, (of.sku.clone(), of.location.clone()), of.quantity);
            }
            EventPayload::PaymentProcessed(PaymentProcessed(of)) => {
                self.add(Check::OrderMoney, order(&of.order.order_id), -of.amount.amount)
            }
            EventPayload::RefundIssued(RefundIssued(_, of)) => {
                self.add(Check::OrderMoney, order(&of.order.order_id), of.amount.amount)
            }
            EventPayload::ItemsReturned(ItemsReturned { order: of, returned }) => {
                let units: i128 = returned.lines.iter().map(|line| i128::from(line.quantity)).sum();
                self.add(Check::UnitsReturned, order(&of.order_id), -units);
            }
            EventPayload::ProductChanged(_)
            | EventPayload::PriceChanged(_)
            | EventPayload::InventoryReserved(_)
            | EventPayload::InventoryReleased(_)
            | EventPayload::LowStock(_)
            | EventPayload::OrderCreated(_)
            | EventPayload::OrderUpdated(_)
            | EventPayload::OrderCancelled(_)
            | EventPayload::OrderRejected(_)
            | EventPayload::CreditRecorded(_)
            | EventPayload::AdjustmentRecorded(_)
            | EventPayload::PaymentRequested(_)
            | EventPayload::PaymentFailed(_) => {}
        }
    }

    fn add_stock(&mut self, stock: &Stock, sign: i128) {
        for at in &stock.locations {
            let subject = || (stock.sku.clone(), at.location.clone());
            self.add(Check::StockConservation, subject(), -sign * i128::from(at.on_hand));
            self.add(Check::ReservedByOpenOrders, subject(), sign * i128::from(at.reserved));
            self.count(Check::StockConservation, sign);
            self.count(Check::ReservedByOpenOrders, sign);
        }
    }

    fn add_order(&mut self, order: &Order, sign: i128) {
        let subject = || (order.order_id.clone(), SmolStr::default());
        if order.holds_reservations() {
            for (sku, part) in order.lines.iter().flat_map(|line| line.taken.iter().map(|part| (&line.sku, part))) {
                let of = (sku.clone(), part.location.clone());
                self.add(Check::ReservedByOpenOrders, of, -sign * i128::from(part.quantity));
            }
        }
        let lines = order.lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_price));
        self.add(Check::OrderTotals, subject(), sign * (i128::from(order.total) - lines.sum::<i128>()));
        self.add(Check::OrderMoney, subject(), sign * i128::from(order.refundable()));
        let returned: i128 = order.lines.iter().map(|line| i128::from(line.returned)).sum();
        self.add(Check::UnitsReturned, subject(), sign * returned);
        self.add_money(order.currency.as_str(), sign * i128::from(order.refundable()));
        for check in [Check::OrderTotals, Check::OrderMoney, Check::UnitsReturned] {
            self.count(check, sign);
        }
    }

    /// Money of documents: it must be in the revenue of each grain.
    fn add_money(&mut self, currency: &str, amount: i128) {
        for grain in Grain::ALL {
            self.add(Check::RevenueOfOrders, by_grain(currency, grain), amount);
        }
    }

    fn add_revenue(&mut self, revenue: &Revenue, sign: i128) {
        if revenue.key.category.is_none() {
            let subject = by_grain(revenue.key.currency.as_str(), revenue.key.period.grain());
            self.add(Check::RevenueOfOrders, subject, -sign * revenue.sums.net());
            self.count(Check::RevenueOfOrders, sign);
        }
    }
}

fn by_grain(currency: &str, grain: Grain) -> Subject {
    (SmolStr::new(currency), SmolStr::new_static(grain.name()))
}

/// Calls `add` with the row that goes, negatively, and the row that comes.
fn signed<R>(change: &Change<R>, mut add: impl FnMut(&R, i128)) {
    if let Some(before) = &change.before {
        add(before, -1);
    }
    if let Some(after) = &change.after {
        add(after, 1);
    }
}

/// Pairs what goes with what comes, per epoch, into changes of rows.
fn rows<'s>(standing: VecCollection<'s, u64, CheckStatus, isize>) -> UpdateStream<'s> {
    let to_one = Exchange::new(|((check, _), _, _): &(CheckStatus, u64, isize)| *check as u64);
    standing.inner.unary_frontier(to_one, "InvariantRows", |initial, _info| {
        drop(initial);
        let mut waiting = BTreeMap::<u64, BTreeMap<CheckStatus, isize>>::new();
        let mut held: Option<Capability<u64>> = None;
        move |(input, frontier), output| {
            input.for_each(|cap, data| {
                let Some(cap) = cap.retain_least(output.output_index()) else { return };
                if held.as_ref().is_none_or(|held| cap.time() < held.time()) {
                    held = Some(cap);
                }
                for (standing, epoch, diff) in data.drain(..) {
                    *waiting.entry(epoch).or_default().entry(standing).or_default() += diff;
                }
            });
            let Some(cap) = held.as_mut() else { return };
            {
                let mut session = output.session(&*cap);
                while let Some(entry) = waiting.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                    let (epoch, standings) = entry.remove_entry();
                    // The sums at the beginning are known.
                    if epoch == 0 {
                        continue;
                    }
                    let changes = pair(standings).into_values();
                    let changes =
                        changes.map(|change| (InProcess(CoreUpdate::Row(ViewChange::Invariants(change))), epoch));
                    session.give_iterator(changes);
                }
            }
            match waiting.first_key_value() {
                Some((epoch, _)) => cap.downgrade(epoch),
                None => held = None,
            }
        }
    })
}

fn pair(standings: BTreeMap<CheckStatus, isize>) -> BTreeMap<Check, Change<Invariant>> {
    let mut changes = BTreeMap::<Check, Change<Invariant>>::new();
    for (standing, diff) in standings {
        let change = changes.entry(standing.0).or_insert(Change { before: None, after: None });
        let row = Some(Arc::new(row(standing)));
        match diff {
            0 => {}
            1.. => change.after = row,
            ..0 => change.before = row,
        }
    }
    changes.retain(|_, change| change.before != change.after);
    changes
}
