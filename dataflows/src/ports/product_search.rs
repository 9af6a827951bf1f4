//! The port of product search: the questions of the serving room, and the answers of the search room. Both see only
//! this, so neither depends on the other. Not for how products are found.

use crate::contract::epoch::Epoch;
use crate::contract::time::Timestamp;
use crate::shop::catalogue::InventoryPolicy;
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The product index, at the epochs that it can answer for. Its functions may block.
pub trait ProductSearch: Send + Sync {
    /// The index at its newest epoch; waits at most `wait` for one that is not before `least`.
    fn newest(&self, least: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable>;

    /// The index at an epoch that it still has; waits at most `wait` for one that is to come.
    fn at(&self, epoch: Epoch, wait: Duration) -> Result<Arc<dyn IndexSnapshot>, EpochUnavailable>;

    /// The status of the index, for operators.
    fn standing(&self) -> IndexStatus;
}

/// Why the index cannot answer at an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochUnavailable {
    /// It is not that far yet.
    #[error("the index has epoch {newest}")]
    NotYet {
        /// The newest that it has.
        newest: Epoch,
    },
    /// It no longer has that epoch.
    #[error("the index no longer has that epoch, but {newest}")]
    Forgotten {
        /// The newest that it has.
        newest: Epoch,
    },
}

/// The status of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexStatus {
    /// The newest epoch that it can answer for.
    pub epoch: Epoch,
    /// The products in it.
    pub products: u64,
    /// The bytes of its files.
    pub bytes: u64,
    /// The reason why it is stalled now, if it is.
    pub stalled: Option<String>,
}

/// The index at one epoch.
pub trait IndexSnapshot: Send + Sync {
    /// The epoch.
    fn epoch(&self) -> Epoch;

    /// The products that are wanted. `shop` is the shop at the same epoch.
    fn find(&self, wanted: &SearchQuery, shop: &dyn OfferContext) -> Result<SearchPage, SearchError>;

    /// The texts that this one may become, the likeliest first.
    fn suggest(&self, text: &str, limit: usize) -> Result<Vec<String>, SearchError>;
}

/// Why nothing was found out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The index could not be read.
    #[error("the product index could not be read: {0}")]
    Broken(String),
    /// There is no memory for the facets of another search now.
    #[error("the facets of all searches under way take too much memory")]
    Overloaded,
}

/// The shop at one epoch: what of a product the index does not keep.
pub trait OfferContext {
    /// The epoch's time, for prices that hold for a time.
    fn now(&self) -> Timestamp;

    /// The number of a variant that can be promised; `None` where nothing is counted.
    fn available(&self, sku: &str, policy: InventoryPolicy) -> Option<i64>;
}

/// In which order products come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The best first.
    #[default]
    Relevance,
    /// The cheapest first.
    Price,
    /// The dearest first.
    PriceDown,
    /// The newest first.
    Newest,
    /// The most sold first.
    Popularity,
}

impl Sort {
    /// Reads an order's name.
    pub fn parse(name: &str) -> Option<Sort> {
        match name {
            "relevance" => Some(Sort::Relevance),
            "price" => Some(Sort::Price),
            "-price" => Some(Sort::PriceDown),
            "newest" => Some(Sort::Newest),
            "popularity" => Some(Sort::Popularity),
            _ => None,
        }
    }
}

/// A thing that products are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FacetBy {
    /// Their brand.
    Brand,
    /// Their category and all above it.
    Category,
    /// Ranges of their price.
    Price,
    /// The value of an attribute.
    Attribute(SmolStr),
}

impl FacetBy {
    /// Reads a facet's name.
    pub fn parse(name: &str) -> Option<FacetBy> {
        match name {
            "brand" => Some(FacetBy::Brand),
            "category" => Some(FacetBy::Category),
            "price" => Some(FacetBy::Price),
            other => other
                .strip_prefix("attributes.")
                .filter(|name| !name.is_empty())
                .map(|name| FacetBy::Attribute(SmolStr::new(name))),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            FacetBy::Brand => "brand".to_owned(),
            FacetBy::Category => "category".to_owned(),
            FacetBy::Price => "price".to_owned(),
            FacetBy::Attribute(name) => format!("attributes.{name}"),
        }
    }
}

/// Which products are wanted, and how they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// The text that was typed; everything if it is blank.
    pub text: String,
    /// Only of this brand.
    pub brand: Option<String>,
    /// Only in this category, joined by `/`, or below it.
    pub category: Option<String>,
    /// Only with a variant that costs at least this, in ten-thousandths.
    pub price_min: Option<i64>,
    /// Only with a variant that costs at most this, in ten-thousandths.
    pub price_max: Option<i64>,
    /// Only with a variant that can be promised.
    pub in_stock: bool,
    /// In which order.
    pub sort: Sort,
    /// The facets to count.
    pub facets: Vec<FacetBy>,
    /// True to explain how a score came about.
    pub explain: bool,
    /// The number of hits, at most.
    pub limit: usize,
    /// The place of the last hit of the page before.
    pub after: Option<String>,
}

/// A page of products, and what is known of all that are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchPage {
    /// The page.
    pub hits: Vec<Hit>,
    /// The counts of each facet, in the order in which they were asked for.
    pub facets: Vec<(String, Vec<FacetCount>)>,
    /// The number of products on all pages.
    pub total: u64,
    /// True if there is a next page.
    pub has_more: bool,
}

/// The number of products that have a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    /// The value.
    pub value: SmolStr,
    /// The number.
    pub count: u64,
}

/// A product that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its id.
    pub product_id: SmolStr,
    /// The score; higher for a better fit.
    pub score: f64,
    /// The texts in which words were found, as HTML with the words in `<em>`, by field.
    pub highlights: BTreeMap<&'static str, String>,
    /// The explanation of the score, if that was asked for.
    pub explain: Option<Explanation>,
    /// Its place in the order, for the next page.
    pub place: String,
}

/// The parts of a score: `text × all_words × popularity × availability`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The sum over the words.
    pub text: f64,
    /// The part of the words that were found.
    pub all_words: f64,
    /// The factor for how much of it was sold.
    pub popularity: f64,
    /// The factor for whether it can be bought now.
    pub availability: f64,
    /// The words, as they count.
    pub words: Vec<WordExplanation>,
}

/// The part of a score that a word adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordExplanation {
    /// The word as it was typed.
    pub word: String,
    /// The word that was found for it.
    pub found: String,
    /// The way from one to the other: `exact`, `synonym`, `prefix`, `typo`, `joined`, `split`, `phrase`.
    pub by: &'static str,
    /// The weight of such a find, 1 for the word itself.
    pub weight: f64,
    /// Its rarity.
    pub rarity: f64,
    /// Its frequency in the product, weighted by field and measured by length.
    pub frequency: f64,
    /// weight × rarity × frequency × (k1 + 1) / (frequency + k1)
    pub score: f64,
}
