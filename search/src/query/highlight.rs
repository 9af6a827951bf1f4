//! Highlights: the texts of a hit with the words that were found in them, as HTML. Everything of the product's is
//! escaped. Not for the whole of a long text.

use super::terms::{QueryTerm, TermPattern};
use crate::document::{Text, parts};
use crate::text::{Word, words};
use dataflows::shop::catalogue::Product;
use std::collections::{BTreeMap, BTreeSet};

/// The texts that are shown.
const SHOWN: [Text; 3] = [Text::Title, Text::Brand, Text::Description];
/// A longer text is shown from shortly before the first word that was found.
const BYTES_MAX: usize = 240;
/// The length that is shown before it.
const BYTES_BEFORE: usize = 60;

/// The words that are found.
pub struct Marks {
    words: BTreeSet<String>,
    beginnings: Vec<String>,
}

impl Marks {
    /// The words of a query.
    pub fn of(asked: &[QueryTerm]) -> Marks {
        let mut marks = Marks { words: BTreeSet::new(), beginnings: Vec::new() };
        for find in asked.iter().flat_map(|asked| &asked.finds) {
            match &find.what {
                TermPattern::All(words) | TermPattern::Row(words) => marks.words.extend(words.iter().cloned()),
                TermPattern::Beginning(start) => marks.beginnings.push(start.clone()),
            }
        }
        marks
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(word) || self.beginnings.iter().any(|start| word.starts_with(start.as_str()))
    }

    /// The texts of a product in which there is any of them.
    pub fn highlights(&self, product: &Product) -> BTreeMap<&'static str, String> {
        let first = |text: Text| parts(product, text).first().copied().and_then(|part| self.marked(part));
        SHOWN.into_iter().filter_map(|text| Some((text.name(), first(text)?))).collect()
    }

    /// A text with its marks; none if it has none.
    fn marked(&self, text: &str) -> Option<String> {
        let found: Vec<Word> = words(text).into_iter().filter(|word| self.has(&word.text)).collect();
        let first = found.first()?.from;
        let (from, to) = window(text, first);
        let mut html = String::new();
        let mut at = from;
        for word in found.iter().filter(|word| word.to <= to) {
            if word.from >= at {
                escape(&text[at..word.from], &mut html);
                html.push_str("<em>");
                escape(&text[word.from..word.to], &mut html);
                html.push_str("</em>");
                at = word.to;
            }
        }
        escape(&text[at..to], &mut html);
        Some(html)
    }
}

/// The part of a text that is shown, if its first word is there.
fn window(text: &str, first: usize) -> (usize, usize) {
    if text.len() <= BYTES_MAX {
        return (0, text.len());
    }
    let mut from = first.saturating_sub(BYTES_BEFORE);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (from + BYTES_MAX).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    (from, to)
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::query::terms::asked;
    use crate::text::synonyms::Synonyms;

    fn marked(query: &str, text: &str) -> Option<String> {
        Marks::of(&asked(query, &Limits::default(), &Synonyms::default())).marked(text)
    }

    #[test]
    fn words_are_marked_as_they_stand_and_the_rest_is_escaped() {
        let text = "Über-Kabel <b>5 m</b> & cables";
        assert_eq!(
            marked("5m cable", text).unwrap(),
            "Über-Kabel &lt;b&gt;<em>5 m</em>&lt;/b&gt; &amp; <em>cables</em>"
        );
        assert_eq!(marked("uberkabel", text).unwrap(), "<em>Über-Kabel</em> &lt;b&gt;5 m&lt;/b&gt; &amp; cables");
        assert_eq!(marked("mouse", text), None);
    }

    #[test]
    fn of_a_long_text_the_part_with_the_word_is_shown() {
        let text = format!("{} mouse {}", "ü".repeat(900), "é".repeat(900));
        let shown = marked("mouse", &text).unwrap();
        assert!(shown.contains(" <em>mouse</em> ") && shown.len() < 300, "{shown}");
    }
}
