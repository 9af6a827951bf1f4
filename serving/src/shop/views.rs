//! The views of the shop: the rows of every view by key, with their further orders, and the state that a checkpoint keeps.
//! Not for saying which epoch is read: a [`StoreSnapshot`](super::StoreSnapshot) does that.

use super::rows::{Indexes, StoredRow};
use crate::store::{ApplyContext, Stats, View};
use dataflows::contract::changes::{Change, ViewChanges};
use dataflows::for_each_row;
use dataflows::shop::dead_letters::LetterCount;
use dataflows::shop::footprint::Footprint;
use dataflows::shop::row::{Row, View as Name};
use dataflows::views::invariants::Residual;
use dataflows::views::searches::{SearchMemoChange, SearchSession};
use smol_str::SmolStr;
use std::ops::{Bound, Deref};
use std::sync::Arc;

/// The rows of a view by key, and in their further orders.
pub struct IndexedView<R: StoredRow> {
    by_key: View<SmolStr, R>,
    /// The further orders.
    pub indexes: R::Indexes,
}

impl<R: StoredRow + Footprint> IndexedView<R> {
    fn new() -> IndexedView<R> {
        IndexedView { by_key: View::new(sized), indexes: R::Indexes::new() }
    }

    fn apply(&self, context: ApplyContext, changes: &[Change<R>]) -> usize {
        let mut rows = changes.iter().map(|change| (change.key_text(), change.after.clone())).collect();
        self.by_key.apply(context, &mut rows) + self.indexes.apply(context, changes)
    }

    fn stats(&self, name: &'static str) -> Vec<(&'static str, Stats)> {
        let mut all = vec![(name, self.by_key.stats())];
        all.extend(self.indexes.stats());
        all
    }
}

impl<R: StoredRow> Deref for IndexedView<R> {
    type Target = View<SmolStr, R>;

    fn deref(&self) -> &View<SmolStr, R> {
        &self.by_key
    }
}

/// The changes of an epoch that are no view's: a checkpoint keeps them.
pub(super) struct InternalState<'a> {
    pub imbalances: &'a [Residual],
    pub letter_counts: &'a [LetterCount],
    pub search_memory: &'a [SearchMemoChange],
}

fn sized<R: Footprint>(row: &R) -> usize {
    row.bytes()
}

macro_rules! views {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// Every view, and the state that a checkpoint keeps beside them.
        pub struct Views {
            $(#[doc = concat!("The rows of `", $name, "`.")] pub $field: IndexedView<$row>,)*
            /// The sums that the checks rest on, by what they are of. Not served.
            pub imbalances: View<SmolStr, Residual>,
            /// The dead letters of each topic in a minute. Not served.
            pub letter_counts: View<SmolStr, LetterCount>,
            /// The remembered searches, by their ids. Not served.
            pub search_memory: View<SmolStr, SearchSession>,
        }

        impl Views {
            pub(super) fn new() -> Views {
                Views {
                    $($field: IndexedView::new(),)*
                    imbalances: View::new(sized),
                    letter_counts: View::new(sized),
                    search_memory: View::new(sized),
                }
            }

            /// Takes an epoch's changes in, and returns the bytes of history that they left.
            pub(super) fn apply(&self, context: ApplyContext, rows: &ViewChanges, state: &InternalState<'_>) -> usize {
                let InternalState { imbalances, letter_counts, search_memory } = state;
                let rows_bytes = 0 $(+ self.$field.apply(context, &rows.$field))*;
                rows_bytes
                    + self.imbalances.apply(context, &mut imbalances.iter().map(imbalance).collect())
                    + self.letter_counts.apply(context, &mut letter_counts.iter().map(letter_count).collect())
                    + self.search_memory.apply(context, &mut search_memory.to_vec())
            }

            /// Shows rows of a view from a key on, each with the bytes that are published, until `show` ends it.
            pub fn rows(
                &self,
                view: Name,
                start: Bound<SmolStr>,
                at: u64,
                rows_max: usize,
                show: impl FnMut(&SmolStr, &[u8]) -> bool,
            ) {
                match view {
                    $(Name::$variant => visit_rows(&self.$field, (start, Bound::Unbounded), at, rows_max, show),)*
                }
            }

            /// The sizes of each view and each further order.
            pub fn stats(&self) -> Vec<(&'static str, Stats)> {
                let views = [$(self.$field.stats($name),)*];
                let state = [
                    ("imbalances", self.imbalances.stats()),
                    ("letter_counts", self.letter_counts.stats()),
                    ("search_memory", self.search_memory.stats()),
                ];
                views.into_iter().flatten().chain(state).collect()
            }
        }

        /// The name of the schema of a view's rows.
        pub const fn schema(view: Name) -> &'static str {
            match view {
                $(Name::$variant => <$row as StoredRow>::SCHEMA,)*
            }
        }
    };
}

for_each_row!(views views);

fn visit_rows<R: Row>(
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

fn letter_count(of: &LetterCount) -> (SmolStr, Option<Arc<LetterCount>>) {
    (SmolStr::new_static(of.topic.name()), Some(Arc::new(*of)))
}

fn imbalance(of: &Residual) -> (SmolStr, Option<Arc<Residual>>) {
    (of.key(), (of.sum != 0).then(|| Arc::new(of.clone())))
}
