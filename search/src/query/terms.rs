//! The terms of a query: the words that were typed, each with everything that may be found for it. No text is
//! an error: what makes no sense is not asked for. Not for looking anything up.

use crate::config::Limits;
use crate::text::synonyms::Synonyms;
use crate::text::{Kind, Word, words};

/// The way in which something is found for a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// The word itself.
    Exact,
    /// All its parts in a row, as they were quoted.
    Phrase,
    /// A synonym of it.
    Synonym,
    /// A word that begins like it.
    Prefix,
    /// A word that is written almost like it.
    Typo,
    /// It and its neighbour in one.
    Joined,
    /// Its two halves.
    Split,
}

impl MatchKind {
    /// Its name in explanations.
    pub const fn name(self) -> &'static str {
        match self {
            MatchKind::Exact => "exact",
            MatchKind::Phrase => "phrase",
            MatchKind::Synonym => "synonym",
            MatchKind::Prefix => "prefix",
            MatchKind::Typo => "typo",
            MatchKind::Joined => "joined",
            MatchKind::Split => "split",
        }
    }

    /// The weight of such a find.
    const fn weight(self) -> f64 {
        match self {
            MatchKind::Exact | MatchKind::Phrase => 1.0,
            MatchKind::Joined | MatchKind::Split => 0.9,
            MatchKind::Synonym | MatchKind::Typo => 0.8,
            MatchKind::Prefix => 0.3,
        }
    }
}

/// The words of the index that count as found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TermPattern {
    /// All of them, anywhere.
    All(Vec<String>),
    /// All of them in a row.
    Row(Vec<String>),
    /// Any that begins like that.
    Beginning(String),
}

impl TermPattern {
    /// As explanations show it.
    pub fn text(&self) -> String {
        match self {
            TermPattern::All(words) | TermPattern::Row(words) => words.join(" "),
            TermPattern::Beginning(start) => format!("{start}…"),
        }
    }
}

/// Something that may be found for a word.
#[derive(Clone, Debug, PartialEq)]
pub struct Find {
    /// The words.
    pub what: TermPattern,
    /// The way it is found.
    pub by: MatchKind,
    /// Its weight.
    pub weight: f64,
}

impl Find {
    /// A find, with the weight of its kind.
    pub const fn new(what: TermPattern, by: MatchKind) -> Find {
        Find { what, by, weight: by.weight() }
    }
}

/// A word that was typed.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTerm {
    /// As it was typed.
    pub word: String,
    /// The words of the index that it means, before any guess.
    pub plain: Vec<String>,
    /// The finds for it.
    pub finds: Vec<Find>,
    /// True if a product without it is no hit.
    pub is_required: bool,
}

/// A part of a text, quoted or not.
struct Part<'a> {
    text: &'a str,
    is_quoted: bool,
}

/// The words of a text. Its last word may be the beginning of a longer one, unless something follows it.
pub fn asked(text: &str, limits: &Limits, synonyms: &Synonyms) -> Vec<QueryTerm> {
    let text = start(text, limits.text_bytes_max);
    let parts = parts(text);
    let mut all: Vec<QueryTerm> = Vec::new();
    for part in &parts {
        let more =
            if part.is_quoted { quoted(part.text).into_iter().collect() } else { loose(part.text, limits, synonyms) };
        for one in more {
            if all.len() < limits.words_max && all.iter().all(|known| known.plain != one.plain) {
                all.push(one);
            }
        }
    }
    let ends_in_word = text.chars().next_back().is_some_and(char::is_alphanumeric);
    let is_typing = ends_in_word && parts.last().is_some_and(|part| !part.is_quoted);
    if let Some(last) = all.last_mut().filter(|_| is_typing)
        && let [word] = last.plain.as_slice()
    {
        last.finds.push(Find::new(TermPattern::Beginning(word.clone()), MatchKind::Prefix));
    }
    all
}

/// The start of a text, at most so many bytes.
fn start(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Splits a text at its quotes. A quote after a number means inches; one that is not closed means nothing.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut from, mut open) = (0, None);
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    for (at, _) in text.match_indices('"') {
        let (before, after) = (text[..at].chars().next_back(), text[at + 1..].chars().next());
        match open {
            None if !is_word(before) => open = Some(at),
            Some(begin) if !is_word(after) && at > begin + 1 => {
                parts.push(Part { text: &text[from..begin], is_quoted: false });
                parts.push(Part { text: &text[begin + 1..at], is_quoted: true });
                (from, open) = (at + 1, None);
            }
            None | Some(_) => {}
        }
    }
    parts.push(Part { text: &text[from..], is_quoted: false });
    parts.retain(|part| !part.text.trim().is_empty());
    parts
}

fn plain(words: &[Word]) -> Vec<&Word> {
    words.iter().filter(|word| word.kind == Kind::Word).collect()
}

fn quoted(text: &str) -> Option<QueryTerm> {
    let words = words(text);
    let plain: Vec<String> = plain(&words).into_iter().map(|word| word.text.clone()).collect();
    let find = match plain.as_slice() {
        [] => return None,
        [_] => Find::new(TermPattern::All(plain.clone()), MatchKind::Exact),
        _ => Find::new(TermPattern::Row(plain.clone()), MatchKind::Phrase),
    };
    Some(QueryTerm { word: text.trim().to_owned(), plain, finds: vec![find], is_required: true })
}

fn loose(text: &str, limits: &Limits, synonyms: &Synonyms) -> Vec<QueryTerm> {
    let words = words(text);
    let plain = plain(&words);
    let mut all: Vec<QueryTerm> = Vec::new();
    let mut at = 0;
    while let Some(word) = plain.get(at) {
        let joined = words.iter().find_map(|other| match other.kind {
            Kind::Joined(count) if other.position == word.position => Some((other, count as usize)),
            Kind::Joined(_) | Kind::Word | Kind::Number => None,
        });
        let taken = joined.map_or(1, |(_, count)| count).min(plain.len() - at).max(1);
        let parts: Vec<String> = plain[at..at + taken].iter().map(|word| word.text.clone()).collect();
        let mut finds = vec![Find::new(TermPattern::All(parts.clone()), MatchKind::Exact)];
        let to = plain[at + taken - 1].to;
        if let Some((whole, _)) = joined {
            finds.push(Find::new(TermPattern::All(vec![whole.text.clone()]), MatchKind::Exact));
        }
        all.push(QueryTerm { word: text[word.from..to].to_owned(), plain: parts, finds, is_required: false });
        at += taken;
    }
    add_synonyms(&mut all, limits, synonyms);
    all
}

/// Adds the synonyms of several words in a row to each of them.
fn add_synonyms(all: &mut [QueryTerm], limits: &Limits, synonyms: &Synonyms) {
    for at in 0..all.len() {
        let texts: Vec<String> = all[at..].iter().map(|asked| asked.plain.join(" ")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for (count, others) in synonyms.starting(&texts) {
            for asked in &mut all[at..at + count] {
                let left = limits.finds_per_word_max.saturating_sub(asked.finds.len());
                let more = others.iter().take(left);
                asked.finds.extend(more.map(|other| Find::new(TermPattern::All(other.clone()), MatchKind::Synonym)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let synonyms = Synonyms::parse("tv, television\nsolid state drive, ssd").unwrap();
        let all = asked(text, &Limits::default(), &synonyms);
        let show = |find: &Find| format!("{}:{}", find.by.name(), find.what.text());
        all.iter().map(|asked| asked.finds.iter().map(show).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn words_synonyms_and_the_beginning_of_the_last() {
        assert_eq!(read("Cheap TVs"), ["exact:cheap", "exact:tvs prefix:tvs…"]);
        assert_eq!(read("tv stands "), ["exact:tv synonym:television", "exact:stand"]);
        assert_eq!(read("solid state drives 1 tb")[..2], ["exact:solid synonym:ssd", "exact:state synonym:ssd"]);
    }

    #[test]
    fn quotes_ask_for_a_row_and_inches_are_no_quotes() {
        assert_eq!(read("\"hdmi cable\" 5m"), ["phrase:hdmi cable", "exact:5m prefix:5m…"]);
        assert_eq!(read("27\" monitor"), ["exact:27in", "exact:monitor prefix:monitor…"]);
        assert_eq!(read("\"open cable"), ["exact:open", "exact:cable prefix:cable…"]);
    }

    #[test]
    fn a_model_number_is_asked_for_in_one_and_in_parts() {
        assert_eq!(read("WH-1000XM4 "), ["exact:wh 1000xm4 exact:wh1000xm4"]);
    }

    #[test]
    fn nothing_is_a_syntax_error() {
        for text in ["", "   ", "\"\"", "(((", "+-*/~^:[]{}", "\u{0}\u{1}\u{7f}", "\"", "\" \"", "AND OR NOT ("] {
            let words = read(text).len();
            assert!(words <= 3, "{text:?}");
        }
        let long = "x1 ".repeat(100_000) + &"é".repeat(100_000);
        assert!(read(&long).len() <= Limits::default().words_max);
    }
}
