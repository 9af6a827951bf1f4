//! The views of the shop: the rows of every view by key, and the same rows in further orders where a route needs one.
//! Not for saying which epoch is read: a [`Reading`](super::Reading) does that.

use crate::store::{ApplyContext, Stats, View};
use dataflows::contract::changes::{Change, ViewChanges};
use dataflows::contract::money::Currency;
use dataflows::contract::time::Timestamp;
use dataflows::shop::adjustments::Adjustment;
use dataflows::shop::catalogue::Product;
use dataflows::shop::credits::Credit;
use dataflows::shop::dead_letters::LetterCount;
use dataflows::shop::footprint::Footprint;
use dataflows::shop::operations::Operation;
use dataflows::shop::orders::Order;
use dataflows::shop::payments::PaymentRow;
use dataflows::shop::policy::Policy;
use dataflows::shop::row::{Row, View as Name};
use dataflows::shop::stock::Stock;
use dataflows::views::invariants::{Invariant, Residual};
use dataflows::views::revenue::{Grain, Period, Revenue};
use dataflows::views::searches::{SearchKey, SearchMemoChange, SearchSession, Searches};
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

/// A customer's orders, newest first.
pub type CustomerOrder = (SmolStr, Reverse<Timestamp>, Reverse<SmolStr>);

/// A place in the order of revenue: the grain, whether it is split by category, and then as lists show it.
pub type RevenueSlot = (Grain, bool, Period, Currency, SmolStr, SmolStr);

/// Every view, and the further orders that share its rows.
pub struct Views {
    /// By product id.
    pub products: View<SmolStr, Product>,
    /// The id of the product that a SKU belongs to, also once it is no longer sold.
    pub products_by_sku: View<SmolStr, SmolStr>,
    /// By SKU.
    pub stock: View<SmolStr, Stock>,
    /// By what can be promised, then SKU.
    pub stock_by_available: View<(i64, SmolStr), Stock>,
    /// By order id.
    pub orders: View<SmolStr, Order>,
    /// Those of customers.
    pub orders_of_customer: View<CustomerOrder, Order>,
    /// By order id.
    pub payments: View<SmolStr, PaymentRow>,
    /// By credit id.
    pub credits: View<SmolStr, Credit>,
    /// By adjustment id.
    pub adjustments: View<SmolStr, Adjustment>,
    /// By command id.
    pub operations: View<SmolStr, Operation>,
    /// The one row.
    pub policy: View<SmolStr, Policy>,
    /// By the published key.
    pub revenue: View<SmolStr, Revenue>,
    /// As lists show it.
    pub revenue_by_slot: View<RevenueSlot, Revenue>,
    /// By the published key.
    pub searches: View<SmolStr, Searches>,
    /// By day, then query.
    pub searches_by_day: View<SearchKey, Searches>,
    /// What is remembered of searches, by their ids. Nobody sees it; a checkpoint keeps it.
    pub search_memory: View<SmolStr, SearchSession>,
    /// By name.
    pub invariants: View<SmolStr, Invariant>,
    /// The sums behind them, by what they are of. Nobody sees them; a checkpoint keeps them.
    pub imbalances: View<SmolStr, Residual>,
    /// The dead letters of each topic in a minute. Nobody sees them; a checkpoint keeps them.
    pub letter_counts: View<SmolStr, LetterCount>,
}

/// What an epoch changes that is no view's: a checkpoint keeps it.
pub(super) struct InternalState<'a> {
    pub imbalances: &'a [Residual],
    pub letter_counts: &'a [LetterCount],
    pub search_memory: &'a [SearchMemoChange],
}

/// A row counts once: the further orders only share it.
const fn shared<R>(_: &R) -> usize {
    0
}

fn sized<R: Footprint>(row: &R) -> usize {
    row.bytes()
}

impl Views {
    pub(super) fn new() -> Views {
        Views {
            products: View::new(sized),
            products_by_sku: View::new(shared),
            stock: View::new(sized),
            stock_by_available: View::new(shared),
            orders: View::new(sized),
            orders_of_customer: View::new(shared),
            payments: View::new(sized),
            credits: View::new(sized),
            adjustments: View::new(sized),
            operations: View::new(sized),
            policy: View::new(sized),
            revenue: View::new(sized),
            revenue_by_slot: View::new(shared),
            searches: View::new(sized),
            searches_by_day: View::new(shared),
            search_memory: View::new(sized),
            invariants: View::new(sized),
            imbalances: View::new(sized),
            letter_counts: View::new(sized),
        }
    }

    /// Takes an epoch's changes in, and says how many bytes of history they left.
    pub(super) fn apply(&self, step: ApplyContext, rows: &ViewChanges, kept: &InternalState<'_>) -> usize {
        let ViewChanges {
            products,
            stock,
            orders,
            payments,
            credits,
            adjustments,
            operations,
            policy,
            revenue,
            searches,
            invariants,
        } = rows;
        let InternalState { imbalances, letter_counts, search_memory } = kept;
        by_key(&self.products, step, products)
            + by_sku(&self.products_by_sku, step, products)
            + by_key(&self.stock, step, stock)
            + by_keys(&self.stock_by_available, step, stock, |row| [(row.available(), row.sku.clone())])
            + by_key(&self.orders, step, orders)
            + by_keys(&self.orders_of_customer, step, orders, customer_order)
            + by_key(&self.payments, step, payments)
            + by_key(&self.credits, step, credits)
            + by_key(&self.adjustments, step, adjustments)
            + by_key(&self.operations, step, operations)
            + by_key(&self.policy, step, policy)
            + by_key(&self.revenue, step, revenue)
            + by_keys(&self.revenue_by_slot, step, revenue, |row| [revenue_slot(row)])
            + by_key(&self.searches, step, searches)
            + by_keys(&self.searches_by_day, step, searches, |row| [row.key.clone()])
            + by_key(&self.invariants, step, invariants)
            + self.letter_counts.apply(step, &mut letter_counts.iter().map(letter_count).collect())
            + self.imbalances.apply(step, &mut imbalances.iter().map(imbalance).collect())
            + self.search_memory.apply(step, &mut search_memory.to_vec())
    }

    /// Shows rows of a view from a key on, each with the bytes that are published, until told to stop.
    pub fn rows(
        &self,
        view: Name,
        start: Bound<SmolStr>,
        at: u64,
        rows_max: usize,
        show: impl FnMut(&SmolStr, &[u8]) -> bool,
    ) {
        let bounds = (start, Bound::Unbounded);
        match view {
            Name::Adjustments => show_rows(&self.adjustments, bounds, at, rows_max, show),
            Name::Credits => show_rows(&self.credits, bounds, at, rows_max, show),
            Name::Invariants => show_rows(&self.invariants, bounds, at, rows_max, show),
            Name::Operations => show_rows(&self.operations, bounds, at, rows_max, show),
            Name::Orders => show_rows(&self.orders, bounds, at, rows_max, show),
            Name::Payments => show_rows(&self.payments, bounds, at, rows_max, show),
            Name::Policy => show_rows(&self.policy, bounds, at, rows_max, show),
            Name::Products => show_rows(&self.products, bounds, at, rows_max, show),
            Name::Revenue => show_rows(&self.revenue, bounds, at, rows_max, show),
            Name::Searches => show_rows(&self.searches, bounds, at, rows_max, show),
            Name::Stock => show_rows(&self.stock, bounds, at, rows_max, show),
        }
    }

    /// What each view and each further order holds.
    pub fn stats(&self) -> [(&'static str, Stats); 19] {
        let Views {
            products,
            products_by_sku,
            stock,
            stock_by_available,
            orders,
            orders_of_customer,
            payments,
            credits,
            adjustments,
            operations,
            policy,
            revenue,
            revenue_by_slot,
            searches,
            searches_by_day,
            search_memory,
            invariants,
            imbalances,
            letter_counts,
        } = self;
        [
            ("products", products.stats()),
            ("products_by_sku", products_by_sku.stats()),
            ("stock", stock.stats()),
            ("stock_by_available", stock_by_available.stats()),
            ("orders", orders.stats()),
            ("orders_of_customer", orders_of_customer.stats()),
            ("payments", payments.stats()),
            ("credits", credits.stats()),
            ("adjustments", adjustments.stats()),
            ("operations", operations.stats()),
            ("policy", policy.stats()),
            ("revenue", revenue.stats()),
            ("revenue_by_slot", revenue_by_slot.stats()),
            ("searches", searches.stats()),
            ("searches_by_day", searches_by_day.stats()),
            ("search_memory", search_memory.stats()),
            ("invariants", invariants.stats()),
            ("imbalances", imbalances.stats()),
            ("letter_counts", letter_counts.stats()),
        ]
    }
}

fn show_rows<R: Row>(
    view: &View<SmolStr, R>,
    bounds: (Bound<SmolStr>, Bound<SmolStr>),
    at: u64,
    rows_max: usize,
    mut show: impl FnMut(&SmolStr, &[u8]) -> bool,
) {
    for (key, row) in view.range(bounds, at).limit(rows_max) {
        if !show(&key, &row.value()) {
            return;
        }
    }
}

/// Applies rows under their published key.
fn by_key<R: Row>(view: &View<SmolStr, R>, step: ApplyContext, changes: &[Change<R>]) -> usize {
    let mut changes = changes.iter().map(|change| (change.key_text(), change.after.clone())).collect();
    view.apply(step, &mut changes)
}

fn letter_count(of: &LetterCount) -> (SmolStr, Option<Arc<LetterCount>>) {
    (SmolStr::new_static(of.topic.name()), Some(Arc::new(*of)))
}

fn imbalance(of: &Residual) -> (SmolStr, Option<Arc<Residual>>) {
    (of.key(), (of.sum != 0).then(|| Arc::new(of.clone())))
}

/// Applies rows under other keys, which may come and go as the row changes.
fn by_keys<K: Ord + Clone, R, Keys: IntoIterator<Item = K>>(
    view: &View<K, R>,
    step: ApplyContext,
    changes: &[Change<R>],
    keys: impl Fn(&R) -> Keys,
) -> usize {
    let mut merged: BTreeMap<K, Option<Arc<R>>> = BTreeMap::new();
    for Change { before, after } in changes {
        for key in before.iter().flat_map(|row| keys(row)) {
            // Another row may have come to this key in the same epoch.
            merged.entry(key).or_insert(None);
        }
        if let Some(row) = after {
            merged.extend(keys(row).into_iter().map(|key| (key, Some(Arc::clone(row)))));
        }
    }
    view.apply(step, &mut merged.into_iter().collect())
}

/// Applies whose a SKU is. It stays its product's for ever, so only those that may be new are looked at.
fn by_sku(view: &View<SmolStr, SmolStr>, step: ApplyContext, changes: &[Change<Product>]) -> usize {
    let mut owners = Vec::new();
    for Change { before, after } in changes {
        let Some(after) = after else { continue };
        let id = Arc::new(after.product_id.clone());
        let known: HashSet<&SmolStr> =
            before.iter().flat_map(|row| &row.variants).map(|variant| &variant.sku).collect();
        let former = after.left_out.since(before.as_ref().map(|row| &row.left_out)).map(|former| &former.sku);
        let skus = after.variants.iter().map(|variant| &variant.sku).chain(former);
        owners.extend(skus.filter(|sku| !known.contains(sku)).map(|sku| (sku.clone(), Some(Arc::clone(&id)))));
    }
    owners.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    owners.dedup_by(|(one, _), (other, _)| one == other);
    view.apply(step, &mut owners)
}

fn customer_order(order: &Order) -> Option<CustomerOrder> {
    let customer = order.customer_id.clone()?;
    Some((customer, Reverse(order.placed_at), Reverse(order.order_id.clone())))
}

fn revenue_slot(row: &Revenue) -> RevenueSlot {
    let key = &row.key;
    let category = key.category.clone();
    (
        key.period.grain(),
        category.is_some(),
        key.period,
        key.currency,
        key.country.clone(),
        category.unwrap_or_default(),
    )
}
