//! Queries: a typed text becomes a page of products, exact for the epoch of the index. Not for the index itself.
//!
//! ```text
//! text ─▶ asked: words and what may be found for them ─▶ lists: products that have it ─▶ score ─▶ filters ─▶ page
//!              ▲ guess, if no product has all words ◀──────────┘
//! ```

pub mod postings;
pub mod score;
pub mod spelling;
pub mod terms;

mod facets;
mod filter;
mod highlight;
mod sort;
mod suggest;

#[cfg(test)]
mod tests;

use crate::Error;
use crate::config::Config;
use crate::index::{CachedSnapshot, RankedProduct, Snapshot, SnapshotCache};
use dataflows::contract::epoch::Epoch;
use dataflows::ports::product_search::{
    EpochUnavailable, Hit, IndexSnapshot, IndexStatus, OfferContext, ProductSearch, SearchError, SearchPage,
    SearchQuery,
};
use facets::{FacetCounter, Memory};
use filter::offer;
use highlight::Marks;
use postings::Lists;
use score::{Fit, Scores};
use sort::SortKey;
use std::sync::Arc;
use std::time::Duration;
use terms::QueryTerm;

/// The product index, as callers query it.
pub struct ProductIndex {
    config: Arc<Config>,
    shelf: Arc<SnapshotCache>,
    memory: Arc<Memory>,
}

impl ProductIndex {
    /// Answers from that shelf.
    pub fn new(config: Arc<Config>, shelf: Arc<SnapshotCache>) -> ProductIndex {
        let memory = Arc::new(Memory::new(config.facet_bytes_max));
        ProductIndex { config, shelf, memory }
    }

    fn asking(&self, shelved: Arc<CachedSnapshot>, epoch: Epoch) -> Arc<dyn IndexSnapshot> {
        let (config, memory) = (Arc::clone(&self.config), Arc::clone(&self.memory));
        Arc::new(SnapshotQueries { config, memory, shelved, epoch })
    }
}

impl ProductSearch for ProductIndex {
    fn newest(&self, least: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        let (shelved, epoch) = self.shelf.newest(least, wait)?;
        Ok(self.asking(shelved, epoch))
    }

    fn at(&self, epoch: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable> {
        let shelved = self.shelf.at(epoch, wait)?;
        Ok(self.asking(shelved, epoch))
    }

    fn standing(&self) -> IndexStatus {
        self.shelf.standing()
    }
}

/// A snapshot that is queried.
struct SnapshotQueries {
    config: Arc<Config>,
    memory: Arc<Memory>,
    shelved: Arc<CachedSnapshot>,
    epoch: Epoch,
}

impl IndexSnapshot for SnapshotQueries {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn find(&self, wanted: &SearchQuery, shop: &dyn OfferContext) -> Result<SearchPage, SearchError> {
        let found = find(&self.shelved.snapshot, &self.config, &self.memory, wanted, shop).map_err(failed)?;
        if found.has_more {
            self.shelved.keep_for_paging();
        }
        Ok(found)
    }

    fn suggest(&self, text: &str, limit: usize) -> Result<Vec<String>, SearchError> {
        suggest::suggest(&self.shelved.snapshot, &self.config, text, limit).map_err(failed)
    }
}

fn failed(error: Error) -> SearchError {
    if let Error::Overloaded = error {
        return SearchError::Overloaded;
    }
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    SearchError::Broken(format!("{error}{source}"))
}

/// The words of a text with all that was found for them: guesses only where no product has all words.
fn scores<'a>(
    snapshot: &Snapshot,
    config: &'a Config,
    lists: &mut Lists<'_>,
    text: &str,
) -> Result<(Vec<QueryTerm>, Scores<'a>, Vec<Fit>), Error> {
    let mut asked = terms::asked(text, &config.query, &config.synonyms);
    let mut scores = Scores::of(&config.ranking, &asked, lists, snapshot.products)?;
    let (mut fits, has_all) = scores.fits(snapshot.segments.len());
    if !has_all && spelling::guess(&mut asked, snapshot, lists, config.query.guessed_words_max)? {
        scores = Scores::of(&config.ranking, &asked, lists, snapshot.products)?;
        fits = scores.fits(snapshot.segments.len()).0;
    }
    Ok((asked, scores, fits))
}

/// Every product, for a text that is blank.
fn everything(snapshot: &Snapshot) -> Vec<Fit> {
    let segments = snapshot.segments.iter().enumerate();
    segments.flat_map(|(at, segment)| segment.reader.doc_ids_alive().map(move |doc| Fit::any(at, doc))).collect()
}

/// A product that fits and passes the filters, with its place.
struct Candidate<'a> {
    place: SortKey,
    fit: Fit,
    listed: &'a RankedProduct,
    score: f64,
    factors: (f64, f64),
}

/// Candidates beyond a page that are held before the last of them are dropped.
const CANDIDATES_MAX: usize = 4_096;

fn find(
    snapshot: &Snapshot,
    config: &Config,
    memory: &Memory,
    wanted: &SearchQuery,
    shop: &dyn OfferContext,
) -> Result<SearchPage, Error> {
    let mut lists = Lists::new(snapshot, config);
    let (asked, scores, fits) = if wanted.text.trim().is_empty() {
        (Vec::new(), Scores::none(&config.ranking), everything(snapshot))
    } else {
        scores(snapshot, config, &mut lists, &wanted.text)?
    };
    let mut counting: Vec<FacetCounter<'_>> =
        wanted.facets.iter().take(config.query.facets_max).map(|by| FacetCounter::new(by, memory)).collect();
    let after = wanted.after.as_deref().and_then(SortKey::read);
    let (mut total, mut candidates, mut has_more) = (0, Vec::new(), false);
    for fit in fits {
        let Some(listed) = snapshot.listed(fit.segment, fit.doc) else { continue };
        let Some(offer) = offer(listed, wanted, shop) else { continue };
        total += 1;
        counting.iter_mut().try_for_each(|counting| counting.add(&listed.product, offer.price))?;
        let factors =
            (score::popularity(&config.ranking, listed.sold), score::availability(&config.ranking, offer.is_available));
        let score = fit.text * factors.0 * factors.1;
        let place = SortKey::of(wanted.sort, listed, score, offer.price);
        if after.as_ref().is_none_or(|after| *after < place) {
            candidates.push(Candidate { place, fit, listed, score, factors });
        }
        if candidates.len() >= wanted.limit.saturating_add(CANDIDATES_MAX) {
            has_more |= first(&mut candidates, wanted.limit);
        }
    }
    has_more |= first(&mut candidates, wanted.limit);
    let marks = Marks::of(&asked);
    let hit = |candidate: Candidate<'_>| Hit {
        product_id: candidate.listed.product.product_id.clone(),
        score: candidate.score,
        highlights: marks.highlights(&candidate.listed.product),
        explain: wanted.explain.then(|| scores.explain(candidate.fit, candidate.factors.0, candidate.factors.1)),
        place: candidate.place.text(),
    };
    let hits = candidates.into_iter().map(hit).collect();
    let facets = wanted.facets.iter().map(|by| by.name());
    let counts = counting.into_iter().map(|counting| counting.counts(config.query.facet_values_max));
    Ok(SearchPage { hits, facets: facets.zip(counts).collect(), total, has_more })
}

/// Keeps the first so many candidates, in order; returns true if there were more.
fn first(candidates: &mut Vec<Candidate<'_>>, limit: usize) -> bool {
    let has_more = candidates.len() > limit;
    if has_more {
        candidates.select_nth_unstable_by(limit, |a, b| a.place.cmp(&b.place));
        candidates.truncate(limit);
    }
    candidates.sort_unstable_by(|a, b| a.place.cmp(&b.place));
    has_more
}
