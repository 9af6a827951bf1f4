//! The core's state at an epoch, whole: what a checkpoint keeps, and what a restart goes on from. Tables and tallies are
//! kept; what follows from them (payments, how the checks stand) is made again. Not for files: `ingest` has those.

use crate::contract::changes::{Change, Changes, Shard, ViewChange, ViewDigests};
use crate::contract::epoch::EpochRecord;
use crate::engine::encoding::{DecodeError, Encoding, Reader};
use crate::shop::adjustments::Adjustment;
use crate::shop::catalogue::Product;
use crate::shop::credits::Credit;
use crate::shop::dead_letters::LetterCount;
use crate::shop::operations::Operation;
use crate::shop::orders::Order;
use crate::shop::payments::PaymentRow;
use crate::shop::policy::Policy;
use crate::shop::stock::Stock;
use crate::views::invariants;
use crate::views::invariants::{Invariant, Residual};
use crate::views::revenue::Revenue;
use crate::views::searches::{SearchSession, Searches};
use std::sync::Arc;

macro_rules! tables {
    ($($table:ident $name:literal,)*) => {
        /// What is kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum SnapshotTable {
            $(#[doc = concat!("`", $name, "`")] $table,)*
        }

        impl SnapshotTable {
            /// Everything that is kept.
            pub const ALL: &[SnapshotTable] = &[$(SnapshotTable::$table,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(SnapshotTable::$table => $name,)* }
            }

            /// The table of that name.
            pub fn from_name(name: &str) -> Option<SnapshotTable> {
                SnapshotTable::ALL.iter().copied().find(|table| table.name() == name)
            }
        }
    };
}

tables! {
    Adjustments "adjustments",
    Credits "credits",
    Imbalances "imbalances",
    LetterCounts "letter_counts",
    Operations "operations",
    Orders "orders",
    Policy "policy",
    Products "products",
    Revenue "revenue",
    SearchMemory "search_memory",
    Searches "searches",
    Stock "stock",
}

/// Reads rows of a table, one after another, and adds them to a shard.
pub fn load(table: SnapshotTable, bytes: &[u8], shard: &mut Shard) -> Result<(), DecodeError> {
    let mut from = Reader(bytes);
    while !from.0.is_empty() {
        match table {
            SnapshotTable::Adjustments => shard.push(ViewChange::Adjustments(row::<Adjustment>(&mut from)?)),
            SnapshotTable::Credits => shard.push(ViewChange::Credits(row::<Credit>(&mut from)?)),
            SnapshotTable::Imbalances => shard.imbalances.push(Residual::load(&mut from)?),
            SnapshotTable::LetterCounts => shard.quota.counts.push(LetterCount::load(&mut from)?),
            SnapshotTable::Operations => shard.push(ViewChange::Operations(row::<Operation>(&mut from)?)),
            SnapshotTable::Orders => {
                let order = row::<Order>(&mut from)?;
                if let Some(payment) = order.after.as_deref().and_then(PaymentRow::of) {
                    shard.push(ViewChange::Payments(insertion(payment.into())));
                }
                shard.push(ViewChange::Orders(order));
            }
            SnapshotTable::Policy => shard.push(ViewChange::Policy(row::<Policy>(&mut from)?)),
            SnapshotTable::Products => shard.push(ViewChange::Products(row::<Product>(&mut from)?)),
            SnapshotTable::Revenue => shard.push(ViewChange::Revenue(row::<Revenue>(&mut from)?)),
            SnapshotTable::SearchMemory => {
                let memo = SearchSession::load(&mut from)?;
                shard.search_memory.push((memo.search_id.clone(), Some(Arc::new(memo))));
            }
            SnapshotTable::Searches => shard.push(ViewChange::Searches(row::<Searches>(&mut from)?)),
            SnapshotTable::Stock => shard.push(ViewChange::Stock(row::<Stock>(&mut from)?)),
        }
    }
    Ok(())
}

/// Puts the shards of a state together. The record names the next offset of every partition.
pub fn assemble(record: EpochRecord, mut shards: Vec<Shard>) -> Changes {
    let imbalances: Vec<Residual> = shards.iter().flat_map(|shard| shard.imbalances.iter().cloned()).collect();
    let mut derived = Shard::default();
    for row in invariants::rows_of(&imbalances) {
        derived.push(ViewChange::Invariants(insertion::<Invariant>(row)));
    }
    shards.push(derived);
    Changes::of(Arc::new(record), shards, ViewDigests::default())
}

fn row<R: Encoding>(from: &mut Reader<'_>) -> Result<Change<R>, DecodeError> {
    R::load(from).map(|row| insertion(Arc::new(row)))
}

const fn insertion<R>(row: Arc<R>) -> Change<R> {
    Change { before: None, after: Some(row) }
}
