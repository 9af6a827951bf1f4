//! The index's content for a word: the products that have it, and how much. Reads postings within a budget, so that
//! no query takes long; what is beyond it counts as not found. Not for what a query means.

use super::terms::TermPattern;
use crate::Error;
use crate::config::{Config, RankingWeights};
use crate::document::Text;
use crate::index::{Segment, Snapshot};
use std::collections::BTreeMap;
use std::rc::Rc;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED, Term};

/// The texts whose words correct others and complete them.
pub const VOCABULARY: [Text; 3] = [Text::Title, Text::Brand, Text::Category];

/// The products of a segment that have something, in order, with how often.
type InSegment = Vec<(DocId, f64)>;

/// The products that have something, by segment.
#[derive(Debug, Default)]
pub struct List {
    /// By segment.
    pub segments: Vec<InSegment>,
    /// The number of these products.
    pub products: u64,
}

impl List {
    fn of(segments: Vec<InSegment>) -> Rc<List> {
        let products = segments.iter().map(|segment| segment.len() as u64).sum();
        Rc::new(List { segments, products })
    }

    /// The frequency of it in a product.
    pub fn frequency(&self, segment: usize, doc: DocId) -> Option<f64> {
        let list = self.segments.get(segment)?;
        list.binary_search_by_key(&doc, |(doc, _)| *doc).ok().map(|at| list[at].1)
    }
}

/// The lists that a query has read.
pub struct Lists<'a> {
    snapshot: &'a Snapshot,
    ranking: &'a RankingWeights,
    completions_max: usize,
    known: BTreeMap<TermPattern, Rc<List>>,
    budget: u64,
    scratch: Vec<f64>,
}

impl<'a> Lists<'a> {
    /// None yet.
    pub fn new(snapshot: &'a Snapshot, config: &'a Config) -> Lists<'a> {
        let (budget, completions_max) = (config.query.postings_max, config.query.completions_max);
        let known = BTreeMap::new();
        Lists { snapshot, ranking: &config.ranking, completions_max, known, budget, scratch: Vec::new() }
    }

    /// The products that have that.
    pub fn of(&mut self, what: &TermPattern) -> Result<Rc<List>, Error> {
        if let Some(known) = self.known.get(what) {
            return Ok(Rc::clone(known));
        }
        let list = match what {
            TermPattern::All(words) => match words.as_slice() {
                [word] => self.any(std::slice::from_ref(word))?,
                words => self.all(words)?,
            },
            TermPattern::Row(words) => self.row(words)?,
            TermPattern::Beginning(start) => {
                let words = self.beginning(start)?;
                self.any(&words)?
            }
        };
        self.known.insert(what.clone(), Rc::clone(&list));
        Ok(list)
    }

    /// Returns true if any product has that word.
    pub fn has(&mut self, word: &str) -> Result<bool, Error> {
        Ok(self.of(&TermPattern::All(vec![word.to_owned()]))?.products > 0)
    }

    /// The products that have any of these words: how often they have all of them, by text and length (BM25F).
    fn any(&mut self, words: &[String]) -> Result<Rc<List>, Error> {
        let mut segments = Vec::with_capacity(self.snapshot.segments.len());
        for segment in &self.snapshot.segments {
            let mut found: Vec<DocId> = Vec::new();
            self.scratch.resize((segment.reader.max_doc() as usize).max(self.scratch.len()), 0.0);
            for text in Text::ALL {
                let weight = weight(self.ranking, text);
                if weight == 0.0 {
                    continue;
                }
                let lengths = segment.reader.get_fieldnorms_reader(self.snapshot.fields.of(text))?;
                let mean = self.snapshot.mean_length(text);
                for word in words {
                    let Some(mut postings) =
                        postings(self.snapshot, segment, text, word, IndexRecordOption::WithFreqs, &mut self.budget)?
                    else {
                        continue;
                    };
                    while postings.doc() != TERMINATED {
                        let doc = postings.doc();
                        let times = f64::from(postings.term_freq());
                        let length = f64::from(lengths.fieldnorm(doc)) / mean;
                        let place = &mut self.scratch[doc as usize];
                        if *place == 0.0 {
                            found.push(doc);
                        }
                        *place += weight * times / (1.0 - self.ranking.length + self.ranking.length * length);
                        postings.advance();
                    }
                }
            }
            found.sort_unstable();
            let taken = found.into_iter().map(|doc| (doc, std::mem::take(&mut self.scratch[doc as usize])));
            segments.push(taken.filter(|(doc, _)| !segment.reader.is_deleted(*doc)).collect());
        }
        Ok(List::of(segments))
    }

    /// The products that have all of these words: as often as the rarest of them.
    fn all(&mut self, words: &[String]) -> Result<Rc<List>, Error> {
        let mut lists = Vec::with_capacity(words.len());
        for word in words {
            lists.push(self.of(&TermPattern::All(vec![word.clone()]))?);
        }
        let Some((first, others)) = lists.split_first() else { return Ok(Rc::default()) };
        let both = |segment: usize, doc: DocId, least: f64| {
            others.iter().try_fold(least, |least, other| Some(least.min(other.frequency(segment, doc)?)))
        };
        let segments =
            first.segments.iter().enumerate().map(|(at, list)| {
                list.iter().filter_map(|(doc, least)| Some((*doc, both(at, *doc, *least)?))).collect()
            });
        Ok(List::of(segments.collect()))
    }

    /// The products that have these words in a row, in one text.
    fn row(&mut self, words: &[String]) -> Result<Rc<List>, Error> {
        let all = self.of(&TermPattern::All(words.to_vec()))?;
        let mut segments = Vec::with_capacity(self.snapshot.segments.len());
        for (segment, candidates) in self.snapshot.segments.iter().zip(&all.segments) {
            let mut places: BTreeMap<DocId, bool> = candidates.iter().map(|(doc, _)| (*doc, false)).collect();
            for text in Text::ALL {
                self.row_in(segment, text, words, &mut places)?;
            }
            let in_row = |doc: &DocId| places.get(doc).copied().unwrap_or(false);
            segments.push(candidates.iter().filter(|(doc, _)| in_row(doc)).copied().collect());
        }
        Ok(List::of(segments))
    }

    fn row_in(
        &mut self,
        segment: &Segment,
        text: Text,
        words: &[String],
        places: &mut BTreeMap<DocId, bool>,
    ) -> Result<(), Error> {
        let option = IndexRecordOption::WithFreqsAndPositions;
        let mut all = Vec::with_capacity(words.len());
        for word in words {
            match postings(self.snapshot, segment, text, word, option, &mut self.budget)? {
                Some(postings) => all.push(postings),
                None => return Ok(()),
            }
        }
        let (mut starts, mut next) = (Vec::new(), Vec::new());
        for (doc, is_found) in places.iter_mut().filter(|(_, is_found)| !**is_found) {
            let mut is_first = true;
            for (nth, postings) in all.iter_mut().enumerate() {
                if postings.doc() < *doc {
                    postings.seek(*doc);
                }
                if postings.doc() != *doc {
                    starts.clear();
                    break;
                }
                postings.positions(&mut next);
                if is_first {
                    std::mem::swap(&mut starts, &mut next);
                    is_first = false;
                } else {
                    starts.retain(|start| next.binary_search(&(start + nth as u32)).is_ok());
                }
            }
            *is_found = !starts.is_empty();
            starts.clear();
        }
        Ok(())
    }

    /// The words that begin like that, the first ones by letter.
    fn beginning(&self, start: &str) -> Result<Vec<String>, Error> {
        let mut words = std::collections::BTreeSet::new();
        for segment in &self.snapshot.segments {
            for text in VOCABULARY {
                let inverted = segment.reader.inverted_index(self.snapshot.fields.of(text))?;
                let mut stream = inverted.terms().range().ge(start).into_stream()?;
                let mut taken = 0;
                while taken < self.completions_max && stream.advance() && stream.key().starts_with(start.as_bytes()) {
                    taken += 1;
                    words.extend(std::str::from_utf8(stream.key()).ok().map(str::to_owned));
                }
            }
        }
        Ok(words.into_iter().take(self.completions_max).collect())
    }
}

/// The weight of a find in a text.
const fn weight(ranking: &RankingWeights, text: Text) -> f64 {
    match text {
        Text::Title => ranking.title,
        Text::Brand => ranking.brand,
        Text::Category => ranking.category,
        Text::Code => ranking.code,
        Text::Attributes => ranking.attributes,
        Text::Description => ranking.description,
    }
}

/// The postings of a word, unless there are none or the budget does not reach.
fn postings(
    snapshot: &Snapshot,
    segment: &Segment,
    text: Text,
    word: &str,
    option: IndexRecordOption,
    budget: &mut u64,
) -> Result<Option<SegmentPostings>, Error> {
    let field = snapshot.fields.of(text);
    let inverted = segment.reader.inverted_index(field)?;
    let Some(info) = inverted.get_term_info(&Term::from_field_text(field, word))? else { return Ok(None) };
    let Some(left) = budget.checked_sub(u64::from(info.doc_freq)) else { return Ok(None) };
    *budget = left;
    Ok(Some(inverted.read_postings_from_terminfo(&info, option)?))
}
