//! Words: what the index holds and what queries ask for. Products and queries go through the same function, so that
//! what a person reads on a product is what finds it. Not for guessing what was meant; that is the query's.
//!
//! ```text
//! "WD-40 27-inch, 128GB"  ──▶  wd  40  27in  128gb   and beside them  wd40  27  128
//! ```

pub mod fold;
pub mod stem;
pub mod synonyms;
pub mod units;

use fold::fold;

/// Longer words are no words.
const WORD_BYTES_MAX: usize = 64;
/// The parts that a model number may have to be one word too, at most.
const JOINED_PARTS_MAX: usize = 4;
/// The length of such a word, at most.
const JOINED_BYTES_MAX: usize = 32;

/// The relation of a word to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word of the text.
    Word,
    /// The number of the word at the same position, which has its unit too.
    Number,
    /// So many words from this position on, written as one: `wh1000xm4` for `WH-1000XM4`.
    Joined(u32),
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Folded, and stemmed if it is a plain word.
    pub text: String,
    /// Its kind.
    pub kind: Kind,
    /// Its place among the words of the text.
    pub position: u32,
    /// Its start in the text.
    pub from: usize,
    /// Its end.
    pub to: usize,
}

/// A run of letters and digits, before units and joins.
struct Run {
    folded: String,
    from: usize,
    to: usize,
    /// The one character that joins it to the run before, if nothing else is between them.
    glue: Option<char>,
    /// True if nothing but a space or a hyphen is between it and the run before.
    is_near: bool,
    /// True if the sign for inches follows.
    is_inches: bool,
}

/// The words of a text, by position.
pub fn words(text: &str) -> Vec<Word> {
    let runs = runs(text);
    let mut words: Vec<Word> = Vec::with_capacity(runs.len() + runs.len() / 4);
    let (mut at, mut position, mut first) = (0, 0, 0);
    while at < runs.len() {
        if runs[at].glue.is_none() {
            first = at;
        }
        if first == at {
            words.extend(joined(&runs[at..], position));
        }
        let taken = push(&runs[at..], position, &mut words);
        at += taken;
        position += 1;
    }
    words.retain(|word| word.text.len() <= WORD_BYTES_MAX);
    words
}

/// Takes the next word in, with its unit if it is a number; returns the number of runs that it took.
fn push(runs: &[Run], position: u32, words: &mut Vec<Word>) -> usize {
    let Some(run) = runs.first() else { return 1 };
    let word = |text, kind, to| Word { text, kind, position, from: run.from, to };
    let split = run.folded.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(run.folded.len());
    let (number, rest) = run.folded.split_at(split);
    let next = || runs.get(1).filter(|next| next.is_near).and_then(|next| Some((units::unit(&next.folded)?, next.to)));
    let unit = match (number.is_empty(), rest.is_empty()) {
        (true, _) => None,
        (false, true) if run.is_inches => Some(("in", run.to, 1)),
        (false, true) => next().map(|(unit, to)| (unit, to, 2)),
        (false, false) => units::unit_joined(rest).map(|unit| (unit, run.to, 1)),
    };
    match unit {
        Some((unit, to, taken)) => {
            words.push(word(format!("{number}{unit}"), Kind::Word, to));
            words.push(word(number.to_owned(), Kind::Number, to));
            taken
        }
        None => {
            words.push(word(stem::stemmed(&run.folded), Kind::Word, run.to));
            1
        }
    }
}

/// The runs from here on that are joined to each other, as one word: if it reads like a model number, or has hyphens.
fn joined(runs: &[Run], position: u32) -> Option<Word> {
    let more = runs.iter().skip(1).take_while(|run| run.glue.is_some()).count();
    let parts = &runs[..=more];
    if more == 0 || parts.len() > JOINED_PARTS_MAX {
        return None;
    }
    let text: String = parts.iter().map(|run| run.folded.as_str()).collect();
    let is_model =
        text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_hyphened = parts.iter().skip(1).all(|run| run.glue == Some('-'));
    let is_number = |run: &Run| run.folded.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let has_unit = parts.windows(2).any(|pair| is_number(&pair[0]) && units::unit(&pair[1].folded).is_some());
    let fits = text.len() <= JOINED_BYTES_MAX && (is_model || is_hyphened) && !has_unit;
    let text = stem::stemmed(&text);
    let kind = Kind::Joined(more as u32 + 1);
    fits.then(|| Word { text, kind, position, from: parts[0].from, to: parts[more].to })
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut run: Option<Run> = None;
    let mut since: Option<(usize, String)> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        if let Some(run) = run.as_mut() {
            let is_decimal = (c == '.' || c == ',')
                && run.folded.bytes().all(|byte| byte.is_ascii_digit())
                && next.is_some_and(|next| next.is_ascii_digit());
            let is_mark = (c == '\'' || c == '’') && next.is_some_and(char::is_alphabetic);
            if c.is_alphanumeric() || is_decimal || unicode_normalization::char::is_combining_mark(c) {
                fold(if is_decimal { '.' } else { c }, &mut run.folded);
                run.to = at + c.len_utf8();
                continue;
            }
            if is_mark {
                continue;
            }
            run.is_inches = c == '"' || c == '″' || c == '”' || (c == '\'' && next == Some('\''));
        }
        if let Some(run) = run.take().filter(|run| !run.folded.is_empty()) {
            since = Some((run.to, String::new()));
            runs.push(run);
        }
        if c.is_alphanumeric() {
            let between = since.as_ref().map_or("", |(_, between)| between.as_str());
            let glue = between.chars().next().filter(|_| between.chars().count() == 1);
            let glue = glue.filter(|glue| "-./_+".contains(*glue));
            let is_near = glue == Some('-') || between == " " || between == "\u{a0}";
            let mut folded = String::new();
            fold(c, &mut folded);
            run = Some(Run { folded, from: at, to: at + c.len_utf8(), glue, is_near, is_inches: false });
        } else if let Some((_, between)) = since.as_mut()
            && between.len() < 8
        {
            between.push(c);
        }
    }
    runs.extend(run.filter(|run| !run.folded.is_empty()));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<String> {
        words(text).into_iter().filter(|word| word.kind == Kind::Word).map(|word| word.text).collect()
    }

    fn beside(text: &str) -> Vec<String> {
        words(text).into_iter().filter(|word| word.kind != Kind::Word).map(|word| word.text).collect()
    }

    #[test]
    fn a_number_and_its_unit_are_one_word_however_they_are_typed() {
        for text in ["128gb", "128 GB", "128-GB", "128 gigabytes", "128\u{a0}GB"] {
            assert_eq!(plain(text), ["128gb"], "{text}");
            assert_eq!(beside(text), ["128"], "{text}");
        }
        for text in ["27\"", "27 inch", "27-inch", "27in", "27″"] {
            assert_eq!(plain(text), ["27in"], "{text}");
        }
        assert_eq!(plain("3.5mm 3,5 mm 2.4GHz"), ["3.5mm", "3.5mm", "2.4ghz"]);
        assert_eq!(plain("4 in 1 hub"), ["4", "in", "1", "hub"]);
        assert_eq!(plain("5 m cable, 2 metres"), ["5m", "cable", "2m"]);
    }

    #[test]
    fn a_model_number_is_found_with_and_without_its_hyphens() {
        assert_eq!(plain("WH-1000XM4"), ["wh", "1000xm4"]);
        assert_eq!(beside("WH-1000XM4"), ["wh1000xm4"]);
        assert_eq!(beside("SHM3100U/10"), ["shm3100u10"]);
        assert_eq!(beside("Wi-Fi e-mail"), ["wifi", "email"]);
        assert_eq!(beside("iPhone/iPod 1/2"), Vec::<String>::new());
    }

    #[test]
    fn accents_marks_and_plurals_fold_away() {
        assert_eq!(
            plain("Children's CAFÉ Batteries – Intel® Core™2"),
            ["children", "cafe", "battery", "intel", "core", "2"]
        );
        assert_eq!(plain("\u{0}\u{1b}[31m ,,, \"\" ~"), ["31m"]);
        assert_eq!(plain(""), Vec::<String>::new());
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "Über-Kabel 5 m";
        let shown: Vec<_> =
            words(text).into_iter().map(|word| (text[word.from..word.to].to_owned(), word.position)).collect();
        let expected = [("Über-Kabel", 0), ("Über", 0), ("Kabel", 1), ("5 m", 2), ("5 m", 2)];
        assert_eq!(shown, expected.map(|(text, position)| (text.to_owned(), position)));
    }
}
