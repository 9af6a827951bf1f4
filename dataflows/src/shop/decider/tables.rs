//! All that decisions read: the tables, and what is derived from their rows (which product owns a SKU, which payments
//! expire when, which command ids are forgotten when).

use super::table::Table;
use super::writes::Writes;
use crate::contract::changes::{Change, ViewChange, ViewChanges};
use crate::contract::input::CommandEnvelope;
use crate::contract::time::Timestamp;
use crate::shop::catalogue::{InventoryPolicy, Product, StockRule, Variant};
use crate::shop::operations::Operation;
use crate::shop::orders::Order;
use crate::shop::policy::Policy;
use hashbrown::HashMap;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

macro_rules! tables {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// The shop.
        #[derive(Debug, Default)]
        pub struct Tables {
            $(#[doc = concat!("The table `", $name, "`.")] pub $field: Table<$row>,)*
            owners: HashMap<SmolStr, Owner>,
            deadlines: BTreeSet<(Timestamp, SmolStr)>,
            /// The outcomes by the time until which they are remembered.
            memory: BTreeMap<Timestamp, Vec<Arc<Operation>>>,
        }

        impl Tables {
            fn load_rows(&mut self, base: &ViewChanges) {
                $(self.$field.load_all(&base.$field);)*
            }

            fn put_rows(&mut self, writes: Writes) {
                $(for row in writes.$field {
                    self.$field.put(row);
                })*
            }

            /// The rows that changed since this was asked last.
            pub fn take_changes(&mut self) -> Vec<ViewChange> {
                let mut changes = Vec::new();
                $(changes.extend(self.$field.take_changes().into_iter().map(ViewChange::$variant));)*
                changes
            }
        }
    };
}

crate::for_each_row!(tables tables);

/// The owner of a SKU.
#[derive(Debug)]
struct Owner {
    product_id: SmolStr,
    /// Its index among the product's variants, unless it was left out.
    at: usize,
}

impl Tables {
    /// Takes in the rows of an epoch, whole. Those of views are not kept here.
    pub fn load(&mut self, base: &ViewChanges) {
        for product in rows(&base.products) {
            self.own(product);
            for former in product.left_out.since(None) {
                let left_out = || Owner { product_id: product.product_id.clone(), at: usize::MAX };
                self.owners.entry(former.sku.clone()).or_insert_with(left_out);
            }
        }
        for operation in rows(&base.operations) {
            self.memory.entry(operation.remembered_until).or_default().push(Arc::clone(operation));
        }
        self.deadlines.extend(rows(&base.orders).filter_map(deadline));
        self.load_rows(base);
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy.get("policy").map_or_else(Policy::default, |policy| policy.as_ref().clone())
    }

    /// The product that a SKU belongs to, and its variant there unless it was left out.
    pub fn product_of_sku(&self, sku: &str) -> Option<(&Arc<Product>, Option<&Variant>)> {
        let owner = self.owners.get(sku)?;
        let product = self.products.get(&owner.product_id)?;
        Some((product, product.variants.get(owner.at).filter(|variant| variant.sku == sku)))
    }

    /// The way a SKU's stock is kept, whether or not it is still sold.
    pub fn stock_rule(&self, sku: &str) -> Option<StockRule> {
        let (product, variant) = self.product_of_sku(sku)?;
        variant.map(Variant::rule).or_else(|| product.left_out.get(sku).map(|former| former.rule))
    }

    /// The way a SKU's stock is kept now.
    pub fn inventory_policy(&self, sku: &str) -> InventoryPolicy {
        self.stock_rule(sku).map_or(InventoryPolicy::None, |rule| rule.inventory_policy)
    }

    /// The outcome under the command id, if the id was used.
    pub fn operation_of(&self, envelope: &CommandEnvelope) -> Option<&Arc<Operation>> {
        self.operations.get(&envelope.command_id)
    }

    /// Applies what was decided.
    pub fn apply(&mut self, writes: Writes) {
        for product in &writes.products {
            self.own(product);
        }
        for order in &writes.orders {
            if let Some(before) = self.orders.get(&order.order_id).and_then(deadline) {
                self.deadlines.remove(&before);
            }
            self.deadlines.extend(deadline(order));
        }
        self.put_rows(writes);
    }

    fn own(&mut self, product: &Arc<Product>) {
        for (at, variant) in product.variants.iter().enumerate() {
            if let Some(owner) = self.owners.get_mut(&variant.sku) {
                owner.at = at;
            } else {
                self.owners.insert(variant.sku.clone(), Owner { product_id: product.product_id.clone(), at });
            }
        }
    }

    /// Remembers an outcome.
    pub fn remember(&mut self, operation: Operation) {
        let operation = Arc::new(operation);
        self.memory.entry(operation.remembered_until).or_default().push(Arc::clone(&operation));
        self.operations.put(operation);
    }

    /// Forgets the outcomes whose time is over.
    pub fn forget(&mut self, now: Timestamp) {
        while let Some(entry) = self.memory.first_entry().filter(|entry| *entry.key() < now) {
            for operation in entry.remove() {
                // One whose id had stayed free may have been replaced, and the other has a time of its own.
                let current = self.operations.get(&operation.command_id);
                if current.is_some_and(|current| Arc::ptr_eq(current, &operation)) {
                    self.operations.remove(&operation.command_id);
                }
            }
        }
    }

    /// The order whose payment has been due the longest, if one is.
    pub fn next_due(&self, now: Timestamp) -> Option<Arc<Order>> {
        let (_, order_id) = self.deadlines.first().filter(|(deadline, _)| *deadline < now)?;
        self.orders.get(order_id).cloned()
    }
}

fn rows<R>(changes: &[Change<R>]) -> impl Iterator<Item = &Arc<R>> {
    changes.iter().filter_map(|change| change.after.as_ref())
}

fn deadline(order: &Arc<Order>) -> Option<(Timestamp, SmolStr)> {
    Some((order.payment.as_ref()?.deadline?, order.order_id.clone()))
}
