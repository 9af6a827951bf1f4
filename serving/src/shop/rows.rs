//! The store's data of each row beside the row by its key: the further orders that routes need, and the name of its
//! schema. A row without an entry here does not compile.

use crate::store::{ApplyContext, Stats, View};
use dataflows::contract::changes::Change;
use dataflows::contract::money::Currency;
use dataflows::contract::time::Timestamp;
use dataflows::shop::adjustments::Adjustment;
use dataflows::shop::catalogue::Product;
use dataflows::shop::credits::Credit;
use dataflows::shop::operations::Operation;
use dataflows::shop::orders::Order;
use dataflows::shop::payments::PaymentRow;
use dataflows::shop::policy::Policy;
use dataflows::shop::row::Row;
use dataflows::shop::stock::Stock;
use dataflows::views::invariants::Invariant;
use dataflows::views::revenue::{Grain, Period, Revenue};
use dataflows::views::searches::{SearchKey, Searches};
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A customer's orders, newest first.
pub type CustomerOrder = (SmolStr, Reverse<Timestamp>, Reverse<SmolStr>);

/// A position in the order of revenue: the grain, whether it is split by category, and then as lists show it.
pub type RevenueSlot = (Grain, bool, Period, Currency, SmolStr, SmolStr);

/// A row of a view that is served.
pub trait StoredRow: Row + Sized {
    /// The name of its schema in the documents.
    const SCHEMA: &'static str;

    /// Its further orders; `()` if there are none.
    type Indexes: Indexes<Self>;
}

/// Further orders of the rows of a view, which share the rows.
pub trait Indexes<R>: Sized {
    /// Without rows.
    fn new() -> Self;

    /// Applies an epoch's changes, and returns the bytes of history that they left.
    fn apply(&self, context: ApplyContext, changes: &[Change<R>]) -> usize;

    /// The sizes of each of them, by its name.
    fn stats(&self) -> Vec<(&'static str, Stats)>;
}

impl<R> Indexes<R> for () {
    fn new() {}

    fn apply(&self, _: ApplyContext, _: &[Change<R>]) -> usize {
        0
    }

    fn stats(&self) -> Vec<(&'static str, Stats)> {
        Vec::new()
    }
}

/// A type of indexes with one order: its name, its keys, what it holds, how changes are applied to it.
macro_rules! index {
    ($indexes:ident of $row:ty: $(#[$about:meta])* $field:ident $name:literal View<$key:ty, $held:ty>, $apply:expr) => {
        #[doc = concat!("Further orders of [`", stringify!($row), "`].")]
        pub struct $indexes {
            $(#[$about])*
            pub $field: View<$key, $held>,
        }

        impl Indexes<$row> for $indexes {
            fn new() -> Self {
                $indexes { $field: View::new(shared) }
            }

            fn apply(&self, context: ApplyContext, changes: &[Change<$row>]) -> usize {
                let apply: fn(&View<$key, $held>, ApplyContext, &[Change<$row>]) -> usize = $apply;
                apply(&self.$field, context, changes)
            }

            fn stats(&self) -> Vec<(&'static str, Stats)> {
                vec![($name, self.$field.stats())]
            }
        }
    };
}

impl StoredRow for Adjustment {
    const SCHEMA: &'static str = "Adjustment";
    type Indexes = ();
}

impl StoredRow for Credit {
    const SCHEMA: &'static str = "Credit";
    type Indexes = ();
}

impl StoredRow for Invariant {
    const SCHEMA: &'static str = "InvariantRow";
    type Indexes = ();
}

impl StoredRow for Operation {
    const SCHEMA: &'static str = "Operation";
    type Indexes = ();
}

impl StoredRow for Order {
    const SCHEMA: &'static str = "Order";
    type Indexes = OrderIndexes;
}

index! { OrderIndexes of Order:
    /// Those of customers.
    by_customer "orders_of_customer" View<CustomerOrder, Order>,
    |view, context, changes| by_keys(view, context, changes, customer_order)
}

impl StoredRow for PaymentRow {
    const SCHEMA: &'static str = "PaymentRow";
    type Indexes = ();
}

impl StoredRow for Policy {
    const SCHEMA: &'static str = "Policy";
    type Indexes = ();
}

impl StoredRow for Product {
    const SCHEMA: &'static str = "ProductRow";
    type Indexes = ProductIndexes;
}

index! { ProductIndexes of Product:
    /// The id of the product that a SKU belongs to, also once it is no longer sold.
    id_by_sku "products_by_sku" View<SmolStr, SmolStr>, by_sku
}

impl StoredRow for Revenue {
    const SCHEMA: &'static str = "RevenueRow";
    type Indexes = RevenueIndexes;
}

index! { RevenueIndexes of Revenue:
    /// As lists show it.
    by_slot "revenue_by_slot" View<RevenueSlot, Revenue>,
    |view, context, changes| by_keys(view, context, changes, |row| [revenue_slot(row)])
}

impl StoredRow for Searches {
    const SCHEMA: &'static str = "SearchesRow";
    type Indexes = SearchesIndexes;
}

index! { SearchesIndexes of Searches:
    /// By day, then query.
    by_day "searches_by_day" View<SearchKey, Searches>,
    |view, context, changes| by_keys(view, context, changes, |row| [row.key.clone()])
}

impl StoredRow for Stock {
    const SCHEMA: &'static str = "Stock";
    type Indexes = StockIndexes;
}

index! { StockIndexes of Stock:
    /// By what can be promised, then SKU.
    by_available "stock_by_available" View<(i64, SmolStr), Stock>,
    |view, context, changes| by_keys(view, context, changes, |row| [(row.available(), row.sku.clone())])
}

/// A row counts once: the further orders only share it.
const fn shared<R>(_: &R) -> usize {
    0
}

/// Applies rows under other keys, which may come and go as the row changes.
fn by_keys<K: Ord + Clone, R, Keys: IntoIterator<Item = K>>(
    view: &View<K, R>,
    context: ApplyContext,
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
    view.apply(context, &mut merged.into_iter().collect())
}

/// Applies whose a SKU is. It stays its product's for ever, so only those that may be new are looked at.
fn by_sku(view: &View<SmolStr, SmolStr>, context: ApplyContext, changes: &[Change<Product>]) -> usize {
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
    view.apply(context, &mut owners)
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
