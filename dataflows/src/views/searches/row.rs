//! The row of searches: what was searched for on a day, what it found, and whether any of it was opened. Beside it the
//! memory of each search for a while, so that it and its clicks count once.

use crate::engine::encoding::encode_struct;
use crate::shop::footprint::{Footprint, text};
use crate::shop::row::{Row, View, json_key};
use crate::views::revenue::Period;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::sync::Arc;

/// The key of sums of searches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SearchKey {
    /// The day of the search.
    pub day: Period,
    /// The text that was searched for, as [`crate::shop::searches::observation::normalised`] has it.
    pub query: SmolStr,
}

/// The sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchSums {
    /// The number of searches.
    pub searches: i64,
    /// The number of them that found nothing.
    pub without_results: i64,
    /// The number of products opened from them; one that was opened twice from one search counts once.
    pub clicks: i64,
    /// The number of them that any was opened from.
    pub searches_with_click: i64,
}

impl SearchSums {
    /// Adds another's sums.
    pub const fn add(&mut self, other: &SearchSums) {
        self.searches += other.searches;
        self.without_results += other.without_results;
        self.clicks += other.clicks;
        self.searches_with_click += other.searches_with_click;
    }

    /// Subtracts `other`.
    #[must_use]
    pub const fn beyond(&self, other: &SearchSums) -> SearchSums {
        SearchSums {
            searches: self.searches - other.searches,
            without_results: self.without_results - other.without_results,
            clicks: self.clicks - other.clicks,
            searches_with_click: self.searches_with_click - other.searches_with_click,
        }
    }
}

/// The searches for one text on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searches {
    /// The day and the query.
    pub key: SearchKey,
    /// The sums.
    pub sums: SearchSums,
}

impl Serialize for Searches {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Searches { key: SearchKey { day, query }, sums } = self;
        let SearchSums { searches, without_results, clicks, searches_with_click } = sums;
        let mut row = serializer.serialize_struct("Searches", 6)?;
        row.serialize_field("day", day)?;
        row.serialize_field("query", query)?;
        row.serialize_field("searches", searches)?;
        row.serialize_field("without_results", without_results)?;
        row.serialize_field("clicks", clicks)?;
        row.serialize_field("searches_with_click", searches_with_click)?;
        row.end()
    }
}

impl Row for Searches {
    const VIEW: View = View::Searches;

    fn key(&self) -> Cow<'_, str> {
        let SearchKey { day, query } = &self.key;
        json_key(&(day, query))
    }
}

/// A search that was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSearch {
    /// The key that it counts under.
    pub key: SearchKey,
    /// True if it found nothing.
    pub is_empty: bool,
}

/// The memory of a search, from its first observation on. Not a view's row: outsiders see the sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchSession {
    /// The search's id.
    pub search_id: SmolStr,
    /// The minute since 1970 from which it is remembered, by the epochs' clock.
    pub minute: i64,
    /// The search itself; none as long as only clicks came.
    pub performed: Option<ObservedSearch>,
    /// Hashes of the products that were opened.
    pub opened: SmallVec<[u64; 2]>,
}

impl SearchSession {
    /// The summand of the search, and its key.
    pub fn counted(&self) -> Option<(&SearchKey, SearchSums)> {
        let ObservedSearch { key, is_empty } = self.performed.as_ref()?;
        let sums = SearchSums {
            searches: 1,
            without_results: i64::from(*is_empty),
            clicks: self.opened.len() as i64,
            searches_with_click: i64::from(!self.opened.is_empty()),
        };
        Some((key, sums))
    }
}

/// The memory of a search from now on; none once it is forgotten.
pub type SearchMemoChange = (SmolStr, Option<Arc<SearchSession>>);

encode_struct! {
    Searches { key, sums }
    SearchKey { day, query }
    SearchSums { searches, without_results, clicks, searches_with_click }
    SearchSession { search_id, minute, performed, opened }
    ObservedSearch { key, is_empty }
}

impl Footprint for Searches {
    fn heap_bytes(&self) -> usize {
        text(&self.key.query)
    }
}

impl Footprint for SearchSession {
    fn heap_bytes(&self) -> usize {
        let opened = if self.opened.spilled() { size_of_val(self.opened.as_slice()) } else { 0 };
        let query = self.performed.as_ref().map_or(0, |performed| text(&performed.key.query));
        text(&self.search_id) + opened + query
    }
}
