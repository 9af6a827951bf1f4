//! The limits of the search room, and what ranks. Ranking changes no index: it is applied when a query is answered.

use crate::text::synonyms::Synonyms;

/// The limits of this room.
#[derive(Clone, Debug)]
pub struct Config {
    /// The products of a commit, about: more epochs are not put together.
    pub commit_changes_max: usize,
    /// The commits' worth of changes that may wait before epochs are put together without that limit.
    pub commits_waiting_max: usize,
    /// The bytes of changed products that may wait beyond the newest of each; then epochs are put together.
    pub waiting_bytes_max: usize,
    /// The rest of the index after a commit, at most: as long as that took. While many products change, others need
    /// the core too.
    pub rest_ms_max: u64,
    /// The memory in which documents are collected for a commit.
    pub writer_bytes: usize,
    /// The interval at which the index notes its epoch while no product changes.
    pub progress_ms: u64,
    /// The wait before the index is written again when it could not be.
    pub retry_ms: u64,
    /// Older snapshots that next pages may want.
    pub older_max: usize,
    /// The bytes of products as they were that older snapshots keep; then the oldest of them goes.
    pub older_bytes_max: usize,
    /// The time that a snapshot is kept after its last page.
    pub older_ms_max: u64,
    /// The memory of the facets of all queries under way.
    pub facet_bytes_max: usize,
    /// The limits of a query.
    pub query: Limits,
    /// The synonyms.
    pub synonyms: Synonyms,
    /// The weights of ranking.
    pub ranking: RankingWeights,
}

/// The weights of ranking.
///
/// On the judged queries of the Icecat catalogue (60 that can be scored) the first page has an NDCG@10 of 0.799; plain
/// BM25 reaches 0.699. `tests/search/ranking.rs` measures what is lost without each signal:
///
/// | without | NDCG@10 |
/// |---|---|
/// | the length of texts | −0.093 |
/// | descriptions | −0.054 |
/// | plurals made singular (measured before this was written, on the same texts) | −0.049 |
/// | hits that lack a word, where fewer than `enough` products have all | −0.031 |
/// | values of attributes | −0.021 |
/// | the part of the words that were found | −0.009 |
/// | leaving out hits that lack a word, where `enough` products have all | −0.005 |
/// | brands, completions of a known last word | 0.000 |
///
/// What was tried and brought nothing there: words in a row in the title, newer or dearer products first, synonyms for
/// words that are found anyway, and Porter's stemmer in place of plurals. Popularity and availability cannot be
/// measured there, since nothing was sold; they are kept small, so that they order what fits alike.
#[derive(Clone, Debug, PartialEq)]
pub struct RankingWeights {
    /// A find in the title.
    pub title: f64,
    /// In the brand.
    pub brand: f64,
    /// In the category path.
    pub category: f64,
    /// In an id or a SKU.
    pub code: f64,
    /// In the value of an attribute.
    pub attributes: f64,
    /// In the description.
    pub description: f64,
    /// The reduction for longer texts (BM25's `b`): 0 for none, 1 in proportion.
    pub length: f64,
    /// The saturation of repeated words (BM25's `k1`).
    pub saturation: f64,
    /// The power of the part of the words that were found.
    pub all_words: i32,
    /// A product without one of the words is a hit only if fewer than this have all of them.
    pub enough: usize,
    /// A word that only begins like the last one typed; looked for if fewer than `enough` products have that itself.
    pub prefix: f64,
    /// The share that selling a million units adds.
    pub popularity: f64,
    /// The share of its score that a product that cannot be promised keeps.
    pub sold_out: f64,
}

impl Default for RankingWeights {
    fn default() -> Self {
        RankingWeights {
            title: 1.0,
            brand: 0.3,
            category: 0.3,
            code: 1.0,
            attributes: 0.2,
            description: 0.5,
            length: 0.7,
            saturation: 0.8,
            all_words: 1,
            enough: 20,
            prefix: 0.3,
            popularity: 0.2,
            sold_out: 0.8,
        }
    }
}

/// The limits of a query. What is over them is left out of the query, which still answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of its text.
    pub text_bytes_max: usize,
    /// Its words.
    pub words_max: usize,
    /// Everything that is looked up for a word: synonyms, completions, corrections.
    pub finds_per_word_max: usize,
    /// Its words that are guessed at, if no product has them.
    pub guessed_words_max: usize,
    /// The completions of its last word.
    pub completions_max: usize,
    /// The places of words that are read; words and guesses beyond them count as not found.
    pub postings_max: u64,
    /// The facets of a request.
    pub facets_max: usize,
    /// The values of a facet.
    pub facet_values_max: usize,
    /// The products that a suggestion is made from.
    pub suggest_products_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            commit_changes_max: 2_000,
            commits_waiting_max: 64,
            waiting_bytes_max: 64 << 20,
            rest_ms_max: 20,
            writer_bytes: 32 << 20,
            progress_ms: 1_000,
            retry_ms: 1_000,
            older_max: 64,
            older_bytes_max: 64 << 20,
            older_ms_max: 60_000,
            facet_bytes_max: 128 << 20,
            query: Limits::default(),
            synonyms: Synonyms::default(),
            ranking: RankingWeights::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            text_bytes_max: 512,
            words_max: 24,
            finds_per_word_max: 8,
            guessed_words_max: 6,
            completions_max: 64,
            postings_max: 20_000_000,
            facets_max: 16,
            facet_values_max: 100,
            suggest_products_max: 500,
        }
    }
}
