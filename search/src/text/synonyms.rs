//! Synonyms: words that mean the same to this shop's customers, from a file. Used when a query is read, so that a
//! changed file needs no new index.
//!
//! ```text
//! # a comment
//! tv, television, telly          each finds the others
//! solid state drive, ssd         several words may mean one
//! notebook => laptop             one finds the other, and not back
//! ```

use super::{Kind, words};
use crate::Error;
use std::collections::BTreeMap;
use std::path::Path;

/// The lines of a file, at most.
const LINES_MAX: usize = 10_000;
/// The words of a side, at most.
const WORDS_MAX: usize = 6;

/// The synonyms: words in order, and the words that mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synonyms(BTreeMap<Vec<String>, Vec<Vec<String>>>);

impl Synonyms {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Synonyms, Error> {
        let fail = |why: String| Error::Synonyms { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        Synonyms::parse(&text).map_err(fail)
    }

    /// Reads the lines of a file.
    pub fn parse(text: &str) -> Result<Synonyms, String> {
        let mut all = Synonyms::default();
        if text.lines().count() > LINES_MAX {
            return Err(format!("there are more than {LINES_MAX} lines"));
        }
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let fail = |why: &str| format!("line {}: {why}", n + 1);
            if line.is_empty() {
                continue;
            }
            let sides: Vec<_> = line.split("=>").map(terms).collect::<Result<_, _>>().map_err(|why| fail(&why))?;
            match sides.as_slice() {
                [same] if same.len() > 1 => {
                    for one in same {
                        all.add(one, same.iter().filter(|other| *other != one));
                    }
                }
                [from, to] => from.iter().for_each(|one| all.add(one, to.iter())),
                [_] => return Err(fail("name at least two terms, joined by a comma, or `one => another`")),
                _ => return Err(fail("`=>` stands once in a line")),
            }
        }
        Ok(all)
    }

    fn add<'a>(&mut self, from: &[String], to: impl Iterator<Item = &'a Vec<String>>) {
        let known = self.0.entry(from.to_vec()).or_default();
        for one in to {
            if !known.contains(one) {
                known.push(one.clone());
            }
        }
    }

    /// The synonyms of the first words of these: the number of words, and their synonyms.
    pub fn starting<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = (usize, &'a [Vec<String>])> {
        (1..=words.len().min(WORDS_MAX)).filter_map(|count| {
            let from: Vec<String> = words[..count].iter().map(|word| (*word).to_owned()).collect();
            self.0.get(&from).map(|to| (count, to.as_slice()))
        })
    }
}

fn terms(side: &str) -> Result<Vec<Vec<String>>, String> {
    side.split(',')
        .map(|term| {
            let words: Vec<String> =
                words(term).into_iter().filter(|word| word.kind == Kind::Word).map(|word| word.text).collect();
            if words.is_empty() || words.len() > WORDS_MAX {
                return Err(format!("{term:?} has no word, or more than {WORDS_MAX}"));
            }
            Ok(words)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finds_the_others_and_an_arrow_goes_one_way() {
        let given = "# shop\nTVs, television\nsolid state drive, SSD # memory\nnotebook => laptop\n";
        let synonyms = Synonyms::parse(given).unwrap();
        let found = |words: &[&str]| -> Vec<(usize, Vec<String>)> {
            synonyms.starting(words).map(|(count, to)| (count, to.iter().map(|to| to.join(" ")).collect())).collect()
        };
        assert_eq!(found(&["tvs", "stand"]), [(1, vec!["television".to_owned()])]);
        assert_eq!(found(&["solid", "state", "drive"]), [(3, vec!["ssd".to_owned()])]);
        assert_eq!(found(&["ssd"]), [(1, vec!["solid state drive".to_owned()])]);
        assert_eq!(found(&["notebook"]), [(1, vec!["laptop".to_owned()])]);
        assert_eq!(found(&["laptop"]), []);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (given, why) in [
            ("tv\n", "line 1: name at least two terms"),
            ("a, b\na => b => c", "line 2: `=>` stands once"),
            ("tv, !!", "line 1: \" !!\" has no word"),
        ] {
            let error = Synonyms::parse(given).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
