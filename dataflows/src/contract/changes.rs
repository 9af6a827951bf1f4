//! The output of the core: the changes of an epoch, a shard from each worker, put together again.

use crate::contract::epoch::{Epoch, EpochRecord};
use crate::contract::event::Event;
use crate::contract::input::DeadLetter;
use crate::shop::dead_letters::LetterQuota;
use crate::shop::footprint::{Footprint, list};
use crate::shop::row::{Row, View};
use crate::views::invariants::Residual;
use crate::views::searches::SearchMemoChange;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// The changes of one view as outsiders see them: in the order of their keys, each with the bytes that are published.
pub trait ErasedChanges {
    /// The number of rows that changed.
    fn count(&self) -> usize;

    /// The key of one of them.
    fn key(&self, at: usize) -> Cow<'_, str>;

    /// Its value; none if it is gone.
    fn value(&self, at: usize) -> Option<Vec<u8>>;

    /// Which of them has that key.
    fn find(&self, key: &str) -> Option<usize>;
}

impl<R: Row> ErasedChanges for Vec<Change<R>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn key(&self, at: usize) -> Cow<'_, str> {
        self[at].key()
    }

    fn value(&self, at: usize) -> Option<Vec<u8>> {
        self[at].after.as_deref().map(Row::value)
    }

    fn find(&self, key: &str) -> Option<usize> {
        self.binary_search_by(|change| change.key().as_ref().cmp(key)).ok()
    }
}

/// A row before and after an epoch; at least one of them is there, and they differ.
#[derive(Debug, PartialEq)]
pub struct Change<R> {
    /// The row that was.
    pub before: Option<Arc<R>>,
    /// The row that is.
    pub after: Option<Arc<R>>,
}

impl<R> Clone for Change<R> {
    fn clone(&self) -> Self {
        Change { before: self.before.clone(), after: self.after.clone() }
    }
}

impl<R: Row> Change<R> {
    /// A change, unless nothing changed.
    pub fn of(before: Option<Arc<R>>, after: Option<Arc<R>>) -> Option<Change<R>> {
        let same = match (&before, &after) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after) || before == after,
            (before, after) => before.is_none() && after.is_none(),
        };
        (!same).then_some(Change { before, after })
    }

    /// The key as a text of its own, shared with the row where it is an id.
    pub fn key_text(&self) -> SmolStr {
        self.before.as_deref().or(self.after.as_deref()).map(Row::key_text).unwrap_or_default()
    }

    /// The key of the row.
    pub fn key(&self) -> Cow<'_, str> {
        self.before.as_deref().or(self.after.as_deref()).map(Row::key).unwrap_or_default()
    }
}

/// The state of a view at an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewDigest {
    /// The number of its rows.
    pub rows: u64,
    /// The sum, modulo 2^128, of the hashes of its rows.
    pub digest: u128,
}

/// The hash of a row that digests add up: XXH3-128 over `view 00 key 00 value`.
pub fn row_hash(view: View, key: &str, value: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(view.name().as_bytes());
    hash.update(&[0]);
    hash.update(key.as_bytes());
    hash.update(&[0]);
    hash.update(value);
    hash.digest128()
}

fn hash_of<R: Row>(row: &R) -> u128 {
    let compute = || row_hash(R::VIEW, &row.key(), &row.value());
    row.memo().map_or_else(compute, |memo| memo.get_or(compute))
}

/// The state of every view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewDigests(pub BTreeMap<View, ViewDigest>);

impl ViewDigests {
    /// The standing of a view.
    pub fn of(&self, view: View) -> ViewDigest {
        self.0.get(&view).copied().unwrap_or_default()
    }

    /// The sum over all views.
    pub fn digest(&self) -> u128 {
        self.0.values().fold(0, |sum, standing| sum.wrapping_add(standing.digest))
    }

    /// Counts a change in.
    pub(crate) fn count<R: Row>(&mut self, change: &Change<R>) {
        let standing = self.0.entry(R::VIEW).or_default();
        if let Some(before) = &change.before {
            standing.rows = standing.rows.wrapping_sub(1);
            standing.digest = standing.digest.wrapping_sub(hash_of(before.as_ref()));
        }
        if let Some(after) = &change.after {
            standing.rows = standing.rows.wrapping_add(1);
            standing.digest = standing.digest.wrapping_add(hash_of(after.as_ref()));
        }
    }

    /// Adds the differences that a shard brings.
    pub(crate) fn add(&mut self, other: &ViewDigests) {
        for (view, more) in &other.0 {
            let standing = self.0.entry(*view).or_default();
            standing.rows = standing.rows.wrapping_add(more.rows);
            standing.digest = standing.digest.wrapping_add(more.digest);
        }
        // A view that has become empty is dropped, like one that was always empty: after a restore the two are the
        // same.
        self.0.retain(|_, standing| *standing != ViewDigest::default());
    }
}

/// A digest as outsiders see it: 32 lower-case hex digits.
pub fn digest_text(digest: u128) -> String {
    format!("{digest:032x}")
}

macro_rules! changes {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// The changed rows of every view, by key.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct ViewChanges {
            $(#[doc = concat!("The view `", stringify!($field), "`.")] pub $field: Vec<Change<$row>>,)*
        }

        /// A changed row of any view.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each is a row of the view of that name")]
        pub enum ViewChange {
            $($variant(Change<$row>),)*
        }

        impl ViewChange {
            /// The key of the row.
            pub fn key(&self) -> Cow<'_, str> {
                match self { $(ViewChange::$variant(change) => change.key(),)* }
            }
        }

        impl ViewChanges {
            /// Takes a change in, and counts it.
            pub(crate) fn push(&mut self, change: ViewChange, standings: &mut ViewDigests) {
                match change {
                    $(ViewChange::$variant(change) => {
                        standings.count(&change);
                        self.$field.push(change);
                    })*
                }
            }

            fn append(&mut self, other: ViewChanges) {
                $(self.$field.extend(other.$field);)*
            }

            /// Puts the changes of each view in the order of their keys.
            pub fn sort(&mut self) {
                // Keys of several parts are built again each time they are asked for.
                $(self.$field.sort_by_cached_key(Change::key_text);)*
            }

            /// The changes of a view.
            pub fn of(&self, view: View) -> &dyn ErasedChanges {
                match view { $(View::$variant => &self.$field,)* }
            }

            /// The number of rows that changed.
            pub fn len(&self) -> usize {
                0 $(+ self.$field.len())*
            }

            /// Returns true if none did.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    };
}

crate::for_each_row!(views changes);

/// A worker's part of an epoch.
#[derive(Debug, Default, PartialEq)]
pub struct Shard {
    /// Its changed rows.
    pub rows: ViewChanges,
    /// Its events.
    pub events: Vec<Arc<Event>>,
    /// Its dead letters.
    pub dead_letters: Vec<DeadLetter>,
    /// The changes of their quota.
    pub quota: LetterQuota,
    /// The sums of checks that changed.
    pub imbalances: Vec<Residual>,
    /// The changed memory of searches.
    pub search_memory: Vec<SearchMemoChange>,
    /// The changes of the standings by its rows.
    pub standings: ViewDigests,
}

impl Shard {
    /// Takes a changed row in, and counts it.
    pub fn push(&mut self, change: ViewChange) {
        self.rows.push(change, &mut self.standings);
    }
}

/// An epoch, as it leaves the core.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The epoch, its `now`, its cut.
    pub record: Arc<EpochRecord>,
    /// The changed rows, by key; shared, since they are kept longer than the rest.
    pub rows: Arc<ViewChanges>,
    /// The events, in order.
    pub events: Vec<Arc<Event>>,
    /// The records that could not be read, in order; without those that are only counted.
    pub dead_letters: Vec<DeadLetter>,
    /// The changes of the quota of dead letters.
    pub quota: LetterQuota,
    /// The sums of checks that changed, as they are now.
    pub imbalances: Vec<Residual>,
    /// The changed memory of searches, by their ids.
    pub search_memory: Vec<SearchMemoChange>,
    /// The state of every view after it.
    pub standings: ViewDigests,
}

impl Changes {
    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.record.epoch
    }

    /// Puts the shards of an epoch together; `standings` are those of the epoch before.
    pub fn of(record: Arc<EpochRecord>, shards: Vec<Shard>, mut standings: ViewDigests) -> Changes {
        let mut rows = ViewChanges::default();
        let (mut events, mut dead_letters, mut imbalances) = (Vec::new(), Vec::new(), Vec::new());
        let mut search_memory = Vec::new();
        let mut quota = LetterQuota::default();
        for shard in shards {
            quota.counts.extend(shard.quota.counts);
            quota.dropped.extend(shard.quota.dropped);
            imbalances.extend(shard.imbalances);
            search_memory.extend(shard.search_memory);
            rows.append(shard.rows);
            events.extend(shard.events);
            dead_letters.extend(shard.dead_letters);
            standings.add(&shard.standings);
        }
        rows.sort();
        events.sort_unstable_by_key(|event: &Arc<Event>| event.n);
        dead_letters.sort_unstable();
        quota.counts.sort_unstable();
        quota.dropped.sort_unstable();
        imbalances.sort_unstable_by(|a: &Residual, b| (a.check, &a.subject).cmp(&(b.check, &b.subject)));
        search_memory.sort_unstable_by(|(one, _): &SearchMemoChange, (other, _)| one.cmp(other));
        Changes { record, rows: Arc::new(rows), events, dead_letters, quota, imbalances, search_memory, standings }
    }
}

/// A changed row: as it is now, or was if it is gone. The row before is counted with the change before.
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

/// The output of the core beside rows.
fn beside(events: &[Arc<Event>], letters: &[DeadLetter], imbalances: &[Residual], memos: usize) -> usize {
    list(events, |event| event.bytes()) + list(letters, Footprint::heap_bytes) + size_of_val(imbalances) + memos
}

/// The bytes of changes of the memory of searches.
fn memos(all: &[SearchMemoChange]) -> usize {
    list(all, |(_, memo)| memo.as_deref().map_or(0, Footprint::bytes))
}
