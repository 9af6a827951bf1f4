//! The core's state at an epoch, whole: what a checkpoint keeps, and what a restart resumes from. Tables and tallies
//! are kept; what follows from them (payments, the results of the checks) is made again. Not for files: `ingest` has
//! those.

use crate::contract::changes::{Change, Changes, Shard, ViewChange, ViewDigests};
use crate::contract::epoch::EpochRecord;
use crate::engine::encoding::{DecodeError, Encoding, Reader};
use crate::shop::dead_letters::LetterCount;
use crate::shop::payments::PaymentRow;
use crate::views::invariants;
use crate::views::invariants::{Invariant, Residual};
use crate::views::searches::SearchSession;
use std::sync::Arc;

macro_rules! tables {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// The tables that are kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum SnapshotTable {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl SnapshotTable {
            /// Everything that is kept.
            pub const ALL: &[SnapshotTable] = &[$(SnapshotTable::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(SnapshotTable::$variant => $name,)* }
            }

            /// The table of that name.
            pub fn from_name(name: &str) -> Option<SnapshotTable> {
                SnapshotTable::ALL.iter().copied().find(|table| table.name() == name)
            }
        }

        /// Reads rows of a table, one after another, and adds them to a shard.
        pub fn load(table: SnapshotTable, bytes: &[u8], shard: &mut Shard) -> Result<(), DecodeError> {
            let mut from = Reader(bytes);
            while !from.0.is_empty() {
                match table {
                    $(SnapshotTable::$variant => {
                        let row = <$row>::load(&mut from)?;
                        restore!($kind $variant row shard);
                    })*
                }
            }
            Ok(())
        }
    };
}

/// Adds a row to a shard: state as it is, any other as one that was not there before.
macro_rules! restore {
    (state $variant:ident $row:ident $shard:ident) => {
        $row.restore($shard)
    };
    ($kind:ident $variant:ident $row:ident $shard:ident) => {
        restore_row($shard, ViewChange::$variant(insertion(Arc::new($row))))
    };
}

crate::for_each_row!(kept tables);

/// State that a view remembers.
trait State {
    fn restore(self, shard: &mut Shard);
}

impl State for Residual {
    fn restore(self, shard: &mut Shard) {
        shard.imbalances.push(self);
    }
}

impl State for LetterCount {
    fn restore(self, shard: &mut Shard) {
        shard.quota.counts.push(self);
    }
}

impl State for SearchSession {
    fn restore(self, shard: &mut Shard) {
        shard.search_memory.push((self.search_id.clone(), Some(Arc::new(self))));
    }
}

/// With what follows from the row alone.
fn restore_row(shard: &mut Shard, change: ViewChange) {
    if let ViewChange::Orders(order) = &change
        && let Some(payment) = order.after.as_deref().and_then(PaymentRow::of)
    {
        shard.push(ViewChange::Payments(insertion(payment.into())));
    }
    shard.push(change);
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

const fn insertion<R>(row: Arc<R>) -> Change<R> {
    Change { before: None, after: Some(row) }
}
