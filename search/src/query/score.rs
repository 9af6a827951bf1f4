//! Ranking: which products have enough of the words, and how well each fits. BM25F over the texts, times the part of
//! the words that were found, times what is known of the product. Not for filters, order and pages.

use super::postings::{List, Lists};
use super::terms::{Find, MatchKind, QueryTerm};
use crate::Error;
use crate::config::RankingWeights;
use dataflows::ports::product_search::{Explanation, WordExplanation};
use std::rc::Rc;
use tantivy::DocId;

/// A find with the products that have it.
struct ScoredMatch {
    find: Find,
    list: Rc<List>,
    rarity: f64,
    saturation: f64,
}

impl ScoredMatch {
    fn score(&self, frequency: f64) -> f64 {
        self.find.weight * self.rarity * frequency * (self.saturation + 1.0) / (frequency + self.saturation)
    }
}

/// A word with what was found for it.
struct MatchedWord {
    word: String,
    is_required: bool,
    finds: Vec<ScoredMatch>,
}

impl MatchedWord {
    /// The best find in a product.
    fn best(&self, segment: usize, doc: DocId) -> Option<(&ScoredMatch, f64, f64)> {
        let scores = self.finds.iter().filter_map(|find| {
            let frequency = find.list.frequency(segment, doc)?;
            Some((find, frequency, find.score(frequency)))
        });
        scores.fold(None, |best: Option<(&ScoredMatch, f64, f64)>, one| match best {
            Some(best) if best.2 >= one.2 => Some(best),
            Some(_) | None => Some(one),
        })
    }
}

/// A product that fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Its segment.
    pub segment: usize,
    /// Its place there.
    pub doc: DocId,
    /// The fit of the words.
    pub text: f64,
    /// The number of words that it has.
    words: u32,
}

impl Fit {
    /// A product that nothing was asked of.
    pub const fn any(segment: usize, doc: DocId) -> Fit {
        Fit { segment, doc, text: 1.0, words: 0 }
    }
}

/// The words of a query with what was found for them.
pub struct Scores<'a> {
    ranking: &'a RankingWeights,
    words: Vec<MatchedWord>,
}

impl<'a> Scores<'a> {
    /// Of a blank text.
    pub const fn none(ranking: &'a RankingWeights) -> Scores<'a> {
        Scores { ranking, words: Vec::new() }
    }

    /// Looks everything up.
    pub fn of(
        ranking: &'a RankingWeights,
        asked: &[QueryTerm],
        lists: &mut Lists<'_>,
        products: u64,
    ) -> Result<Scores<'a>, Error> {
        let mut words = Vec::with_capacity(asked.len());
        for QueryTerm { word, plain: _, finds, is_required } in asked {
            let mut scored = Vec::with_capacity(finds.len());
            let mut best = 0;
            for find in finds {
                let mut find = find.clone();
                if find.by == MatchKind::Prefix {
                    find.weight = ranking.prefix;
                    // A whole word that was typed is meant, not one that begins like it.
                    if best >= ranking.enough as u64 {
                        continue;
                    }
                }
                let list = lists.of(&find.what)?;
                best = best.max(list.products);
                if list.products > 0 {
                    let (all, with) = (products as f64, list.products as f64);
                    let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
                    scored.push(ScoredMatch { find, list, rarity, saturation: ranking.saturation });
                }
            }
            words.push(MatchedWord { word: word.clone(), is_required: *is_required, finds: scored });
        }
        Ok(Scores { ranking, words })
    }

    /// The products that have enough of the words, and whether any has all of them.
    pub fn fits(&self, segments: usize) -> (Vec<Fit>, bool) {
        let mut fits = Vec::new();
        for segment in 0..segments {
            self.fits_in(segment, &mut fits);
        }
        let all = self.words.len() as u32;
        let with = |words: u32| fits.iter().filter(|fit| fit.words >= words).count();
        let has_all = with(all) > 0;
        let enough = (2..=all).rev().find(|words| with(*words) >= self.ranking.enough).unwrap_or(1);
        fits.retain(|fit| fit.words >= enough);
        (fits, has_all)
    }

    fn fits_in(&self, segment: usize, fits: &mut Vec<Fit>) {
        let lists = self.words.iter().flat_map(|word| &word.finds).filter_map(|find| find.list.segments.get(segment));
        let Some(last) = lists.filter_map(|list| list.last()).map(|(doc, _)| *doc).max() else { return };
        let size = last as usize + 1;
        let (mut text, mut words) = (vec![0.0_f64; size], vec![0_u32; size]);
        let mut best = vec![0.0_f64; size];
        for word in &self.words {
            let lists = || word.finds.iter().filter_map(|find| Some((find, find.list.segments.get(segment)?)));
            for (find, list) in lists() {
                for (doc, frequency) in list {
                    let place = &mut best[*doc as usize];
                    *place = place.max(find.score(*frequency));
                }
            }
            for (_, list) in lists() {
                for (doc, _) in list {
                    let score = std::mem::take(&mut best[*doc as usize]);
                    if score > 0.0 {
                        text[*doc as usize] += score;
                        words[*doc as usize] += 1;
                    }
                }
            }
        }
        let has_required = |doc: DocId| {
            let mut required = self.words.iter().filter(|word| word.is_required);
            required.all(|word| word.best(segment, doc).is_some())
        };
        let all = self.words.len() as f64;
        for (doc, (text, words)) in text.into_iter().zip(words).enumerate() {
            let doc = doc as DocId;
            if words > 0 && has_required(doc) {
                let part = (f64::from(words) / all).powi(self.ranking.all_words);
                fits.push(Fit { segment, doc, text: text * part, words });
            }
        }
    }

    /// The explanation of a product's score.
    pub fn explain(&self, fit: Fit, popularity: f64, availability: f64) -> Explanation {
        let found = self.words.iter().filter_map(|word| Some((word, word.best(fit.segment, fit.doc)?)));
        let words: Vec<_> = found
            .map(|(word, (scored, frequency, score))| WordExplanation {
                word: word.word.clone(),
                found: scored.find.what.text(),
                by: scored.find.by.name(),
                weight: scored.find.weight,
                rarity: scored.rarity,
                frequency,
                score,
            })
            .collect();
        let part = if self.words.is_empty() { 1.0 } else { words.len() as f64 / self.words.len() as f64 };
        let all_words = part.powi(self.ranking.all_words);
        let text = if self.words.is_empty() { 1.0 } else { words.iter().map(|word| word.score).sum() };
        Explanation { text, all_words, popularity, availability, words }
    }
}

/// The factor for how much of a product was sold: each doubling adds the same.
pub fn popularity(ranking: &RankingWeights, sold: u64) -> f64 {
    let doublings = ((sold.saturating_add(1)) as f64).log2();
    1.0 + ranking.popularity * (doublings / 20.0).min(1.0)
}

/// The factor for whether a product can be bought now.
pub const fn availability(ranking: &RankingWeights, is_available: bool) -> f64 {
    if is_available { 1.0 } else { ranking.sold_out }
}
