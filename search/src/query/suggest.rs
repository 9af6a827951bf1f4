//! Suggestions: what a text that is being typed may become, from the titles and brands of the products that fit it so
//! far, those that sell most first. Not for finding the products.

use super::postings::Lists;
use super::score::{Fit, Scores};
use super::spelling::corrections;
use super::terms::{Find, MatchKind, QueryTerm, TermPattern};
use crate::Error;
use crate::config::Config;
use crate::document::{Text, parts};
use crate::index::{RankedProduct, Snapshot};
use crate::text::{Kind, Word, fold::folded, words};
use std::collections::HashMap;

/// The weight of a completion with a further word.
const FURTHER: f64 = 0.5;

/// The texts that the text may become.
pub fn suggest(snapshot: &Snapshot, config: &Config, text: &str, limit: usize) -> Result<Vec<String>, Error> {
    let mut lists = Lists::new(snapshot, config);
    let mut asked = super::terms::asked(text, &config.query, &config.synonyms);
    let fits = whole(&asked, snapshot, &mut lists, config)?;
    let mut counted = CompletionWeights::default();
    counted.add_all(&asked, snapshot, &fits);
    if counted.0.is_empty() && correct(&mut asked, snapshot, &mut lists, config.query.guessed_words_max)? {
        let fits = whole(&asked, snapshot, &mut lists, config)?;
        counted.add_all(&asked, snapshot, &fits);
    }
    Ok(counted.first(limit))
}

/// The products that have all words; of many those that sell most, then those that fit best.
fn whole(asked: &[QueryTerm], snapshot: &Snapshot, lists: &mut Lists<'_>, config: &Config) -> Result<Vec<Fit>, Error> {
    let products_max = config.query.suggest_products_max;
    let required: Vec<QueryTerm> =
        asked.iter().cloned().map(|asked| QueryTerm { is_required: true, ..asked }).collect();
    let scores = Scores::of(&config.ranking, &required, lists, snapshot.products)?;
    let (mut fits, _) = scores.fits(snapshot.segments.len());
    let sold = |fit: &Fit| snapshot.listed(fit.segment, fit.doc).map_or(0, |listed| listed.sold);
    let id = |fit: &Fit| snapshot.listed(fit.segment, fit.doc).map(|listed| &listed.product.product_id);
    let order =
        |a: &Fit, b: &Fit| sold(b).cmp(&sold(a)).then(b.text.total_cmp(&a.text)).then_with(|| id(a).cmp(&id(b)));
    if fits.len() > products_max {
        fits.select_nth_unstable_by(products_max, order);
        fits.truncate(products_max);
    }
    fits.sort_unstable_by(order);
    Ok(fits)
}

/// Takes the likeliest correction of each word that no product has.
fn correct(
    asked: &mut [QueryTerm],
    snapshot: &Snapshot,
    lists: &mut Lists<'_>,
    words_max: usize,
) -> Result<bool, Error> {
    let (mut corrected, mut left) = (false, words_max);
    for asked in asked {
        let [word] = asked.plain.as_slice() else { continue };
        let mut is_known = false;
        for find in &asked.finds {
            is_known |= lists.of(&find.what)?.products > 0;
        }
        if is_known || left == 0 {
            continue;
        }
        left -= 1;
        if let Some(better) = corrections(word, snapshot, lists)?.into_iter().next() {
            asked.finds = vec![Find::new(TermPattern::All(vec![better.clone()]), MatchKind::Typo)];
            asked.plain = vec![better];
            corrected = true;
        }
    }
    Ok(corrected)
}

/// Completions with their weight.
#[derive(Default)]
struct CompletionWeights(HashMap<String, f64>);

impl CompletionWeights {
    fn add_all(&mut self, asked: &[QueryTerm], snapshot: &Snapshot, fits: &[Fit]) {
        let Some((last, before)) = asked.split_last() else { return };
        let before: Vec<&str> = before.iter().map(shown).collect();
        for fit in fits {
            if let Some(listed) = snapshot.listed(fit.segment, fit.doc) {
                self.add(&before, last, listed);
            }
        }
    }

    /// Counts the words of a product's title and brand that complete the last word, alone and with the next one.
    fn add(&mut self, before: &[&str], last: &QueryTerm, listed: &RankedProduct) {
        let RankedProduct { product, sold } = listed;
        let weight = 1.0 + ((sold + 1) as f64).log2();
        for part in [Text::Title, Text::Brand].into_iter().flat_map(|text| parts(product, text)) {
            let words: Vec<Word> = words(part).into_iter().filter(|word| word.kind == Kind::Word).collect();
            let surface = |word: &Word| folded(&part[word.from..word.to]);
            let Some(at) = words.iter().position(|word| completes(last, word)) else { continue };
            let mut text = before.join(" ");
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&surface(&words[at]));
            *self.0.entry(text.clone()).or_default() += weight;
            let next = words.get(at + 1).map(surface);
            let is_telling = |next: &String| next.len() > 2 && next.chars().all(char::is_alphabetic);
            if let Some(next) = next.filter(is_telling).filter(|next| !text.split(' ').any(|known| known == next)) {
                *self.0.entry(format!("{text} {next}")).or_default() += weight * FURTHER;
            }
        }
    }

    fn first(self, limit: usize) -> Vec<String> {
        let mut all: Vec<(String, f64)> = self.0.into_iter().collect();
        all.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.into_iter().take(limit).map(|(text, _)| text).collect()
    }
}

/// A word before the last: as it was typed, or as it was corrected.
fn shown(asked: &QueryTerm) -> &str {
    match (asked.finds.first(), asked.plain.as_slice()) {
        (Some(find), [corrected]) if find.by == MatchKind::Typo => corrected,
        _ => &asked.word,
    }
}

fn completes(last: &QueryTerm, word: &Word) -> bool {
    last.finds.iter().any(|find| match &find.what {
        TermPattern::All(words) | TermPattern::Row(words) => words.contains(&word.text),
        TermPattern::Beginning(start) => word.text.starts_with(start.as_str()),
    })
}
