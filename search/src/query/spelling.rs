//! Guesses: what may have been meant by words that no product has. Only used when the words as they are find no
//! product that has all of them: what was typed beats what is guessed.

use super::postings::{Lists, VOCABULARY};
use super::terms::{Find, MatchKind, QueryTerm, TermPattern};
use crate::Error;
use crate::index::Snapshot;
use std::collections::BTreeMap;
use tantivy::Term;
use tantivy::query::FuzzyTermQuery;

/// Shorter words are not corrected: too many others are like them.
const CORRECTED_CHARS_MIN: usize = 4;
/// Longer words may have two letters wrong.
const TWICE_WRONG_CHARS_MIN: usize = 8;
/// The corrections of a word.
const CORRECTIONS_MAX: usize = 4;
/// The corrections that are compared.
const CANDIDATES_MAX: usize = 64;
/// The shortest half of a split word.
const HALF_BYTES_MIN: usize = 3;

/// Adds guesses to the words; returns true if there were any.
pub fn guess(
    asked: &mut [QueryTerm],
    snapshot: &Snapshot,
    lists: &mut Lists<'_>,
    words_max: usize,
) -> Result<bool, Error> {
    let (mut guessed, mut left) = (false, words_max);
    for at in 0..asked.len() {
        guessed |= join(asked, at, lists)?;
        let Some(word) = single(&asked[at]).map(str::to_owned) else { continue };
        if left == 0 || is_known(&asked[at], lists)? {
            continue;
        }
        left -= 1;
        let mut more = split(&word, lists)?;
        let corrections = corrections(&word, snapshot, lists)?;
        more.extend(corrections.into_iter().map(|word| Find::new(TermPattern::All(vec![word]), MatchKind::Typo)));
        guessed |= !more.is_empty();
        asked[at].finds.extend(more);
    }
    Ok(guessed)
}

/// The word of the index that it means, if that is one.
fn single(asked: &QueryTerm) -> Option<&str> {
    match asked.plain.as_slice() {
        [word] if !asked.is_required => Some(word),
        _ => None,
    }
}

fn is_known(asked: &QueryTerm, lists: &mut Lists<'_>) -> Result<bool, Error> {
    for find in &asked.finds {
        if lists.of(&find.what)?.products > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `smart watch` may be a `smartwatch`: that then counts for both.
fn join(asked: &mut [QueryTerm], at: usize, lists: &mut Lists<'_>) -> Result<bool, Error> {
    let Some([one, two]) = asked.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return Ok(false) };
    let (Some(first), Some(second)) = (single(one), single(two)) else { return Ok(false) };
    let joined = format!("{first}{second}");
    if !lists.has(&joined)? {
        return Ok(false);
    }
    let find = Find::new(TermPattern::All(vec![joined]), MatchKind::Joined);
    one.finds.push(find.clone());
    two.finds.push(find);
    Ok(true)
}

/// `touchscreen` may be a `touch screen`.
fn split(word: &str, lists: &mut Lists<'_>) -> Result<Vec<Find>, Error> {
    if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(Vec::new());
    }
    let mut halves = Vec::new();
    for cut in HALF_BYTES_MIN..word.len().saturating_sub(HALF_BYTES_MIN - 1) {
        let (first, second) = word.split_at(cut);
        if lists.has(first)? && lists.has(second)? {
            let both = TermPattern::All(vec![first.to_owned(), second.to_owned()]);
            if lists.of(&both)?.products > 0 {
                halves.push(Find::new(both, MatchKind::Split));
            }
        }
    }
    Ok(halves)
}

/// The words of titles, brands and categories that are almost that word, the commonest first. Not for short words and
/// for numbers: `4k` is not `5k`.
pub fn corrections(word: &str, snapshot: &Snapshot, lists: &mut Lists<'_>) -> Result<Vec<String>, Error> {
    let chars = word.chars().count();
    if chars < CORRECTED_CHARS_MIN || word.chars().any(|c| !c.is_alphabetic()) {
        return Ok(Vec::new());
    }
    let distances = if chars < TWICE_WRONG_CHARS_MIN { 1..=1 } else { 1..=2 };
    for distance in distances {
        let candidates = almost(word, distance, snapshot)?;
        let mut known = Vec::new();
        for candidate in candidates {
            let products = lists.of(&TermPattern::All(vec![candidate.clone()]))?.products;
            if products > 0 {
                known.push((std::cmp::Reverse(products), candidate));
            }
        }
        known.sort_unstable();
        if !known.is_empty() {
            return Ok(known.into_iter().take(CORRECTIONS_MAX).map(|(_, word)| word).collect());
        }
    }
    Ok(Vec::new())
}

fn almost(word: &str, distance: u8, snapshot: &Snapshot) -> Result<Vec<String>, Error> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for text in VOCABULARY {
        let field = snapshot.fields.of(text);
        let query = FuzzyTermQuery::new(Term::from_field_text(field, word), distance, true);
        for segment in &snapshot.segments {
            let inverted = segment.reader.inverted_index(field)?;
            let mut stream = inverted.terms().search(query.automaton()?).into_stream()?;
            while stream.advance() {
                let Ok(candidate) = std::str::from_utf8(stream.key()) else { continue };
                let is_word = candidate.chars().all(char::is_alphabetic) && candidate.len() + 1 >= CORRECTED_CHARS_MIN;
                if is_word && candidate != word {
                    *found.entry(candidate.to_owned()).or_default() += u64::from(stream.value().doc_freq);
                }
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().map(|(word, count)| (std::cmp::Reverse(count), word)).collect();
    found.sort_unstable();
    Ok(found.into_iter().take(CANDIDATES_MAX).map(|(_, word)| word).collect())
}
