//! The quality of the first page: NDCG@10 on judged queries over a real catalogue, and what each signal brings to it.
//! Needs the data: `TRADEWIND_TEST_DATA` names its folder. Nothing here or in the ranking knows a product or a query.
//!
//! `TRADEWIND_TEST_SIGNALS=1 cargo test --test tradewind-tests ranking` prints what is lost without each signal.

use crate::support::test_data;
use dataflows::contract::changes::{Change, Changes, ViewChanges, ViewDigests};
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord};
use dataflows::contract::time::Timestamp;
use dataflows::ports::Sink;
use dataflows::ports::product_search::{IndexSnapshot, OfferContext, ProductSearch, SearchQuery};
use dataflows::shop::catalogue::{InventoryPolicy, LeftOut, Product, PutProduct, Variant};
use dataflows::shop::dead_letters::LetterQuota;
use search::{Config, ProductIndex, RankingWeights};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The score of plain BM25.
const BASELINE: f64 = 0.6994;
/// The score that this must reach.
const AIM: f64 = 0.76;

type Judgments = BTreeMap<String, BTreeMap<String, u32>>;

/// A shop in which nothing moves.
struct Still;

impl OfferContext for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }

    fn available(&self, _: &str, _: InventoryPolicy) -> Option<i64> {
        Some(0)
    }
}

/// The row that a product gets.
pub fn row(put: &PutProduct) -> Product {
    let PutProduct { product_id, title, description, brand, category, attributes, variants, occurred_at: _ } =
        put.clone();
    let variants = variants.into_iter().map(|variant| Variant {
        sku: variant.sku,
        title: variant.title,
        price: variant.price.amount.0,
        currency: dataflows::contract::money::Currency::parse(&variant.price.currency).unwrap(),
        inventory_policy: variant.inventory_policy,
        low_stock_at: variant.low_stock_at,
        scheduled: Vec::new(),
    });
    Product {
        product_id,
        title,
        description,
        brand,
        category_path: SmolStr::from(category.join("/")),
        category,
        attributes,
        archived: false,
        variants: variants.collect(),
        left_out: LeftOut::default(),
    }
}

fn changes(epoch: u64, products: Vec<Product>) -> Arc<Changes> {
    let change = |product| Change { before: None, after: Some(Arc::new(product)) };
    let mut rows = ViewChanges { products: products.into_iter().map(change).collect(), ..ViewChanges::default() };
    rows.sort();
    let now = Timestamp::from_micros(epoch as i64);
    let record = EpochRecord { v: 1, epoch: Epoch(epoch), now, rules: 1, cut: Cut::default() };
    Arc::new(Changes {
        record: Arc::new(record),
        rows: Arc::new(rows),
        events: Vec::new(),
        dead_letters: Vec::new(),
        imbalances: Vec::new(),
        quota: LetterQuota::default(),
        search_memory: Vec::new(),
        standings: ViewDigests::default(),
    })
}

fn judgments(path: &Path) -> Judgments {
    let text = std::fs::read_to_string(path).unwrap();
    let mut judgments = Judgments::new();
    for line in text.lines().skip(1) {
        let mut parts = line.rsplitn(3, ',');
        let (rating, product, query) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let query = query.trim_matches('"').to_owned();
        judgments.entry(query).or_default().insert(product.to_owned(), rating.parse().unwrap());
    }
    judgments
}

/// NDCG@10 as the data defines it; none if no product is any good.
fn ndcg(ranked: &[String], judged: &BTreeMap<String, u32>) -> Option<f64> {
    let gain = |rating: u32| f64::from(2_u32.pow(rating) - 1);
    let sum = |ratings: &mut dyn Iterator<Item = u32>| -> f64 {
        ratings.take(10).enumerate().map(|(rank, rating)| gain(rating) / (rank as f64 + 2.0).log2()).sum()
    };
    let mut best: Vec<u32> = judged.values().copied().collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = sum(&mut best.into_iter());
    let got = sum(&mut ranked.iter().map(|id| judged.get(id).copied().unwrap_or(0)));
    (ideal > 0.0).then(|| got / ideal)
}

fn index(config: Config, products: &[PutProduct]) -> (tempfile::TempDir, Arc<dyn IndexSnapshot>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut sink, finder): (_, ProductIndex) = search::open(config, folder.path(), Epoch(0)).unwrap();
    sink.apply(&changes(1, products.iter().map(row).collect()));
    let index = finder.newest(Epoch(1), Duration::from_secs(120)).unwrap();
    (folder, index)
}

/// The mean over the queries that can be scored, and over each fifth of them.
fn score(ranking: RankingWeights, products: &[PutProduct], judgments: &Judgments) -> (f64, Vec<f64>) {
    let (_folder, index) = index(Config { ranking, ..Config::default() }, products);
    let scores = judgments.iter().filter_map(|(query, judged)| {
        let wanted = SearchQuery { text: query.clone(), limit: 10, ..SearchQuery::default() };
        let found = index.find(&wanted, &Still).unwrap();
        let ranked: Vec<String> = found.hits.iter().map(|hit| hit.product_id.to_string()).collect();
        ndcg(&ranked, judged)
    });
    let scores: Vec<f64> = scores.collect();
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    let fold = |n: usize| mean(&scores.iter().copied().skip(n).step_by(5).collect::<Vec<_>>());
    (mean(&scores), (0..5).map(fold).collect())
}

#[test]
fn the_first_page_is_better_than_plain_bm25_on_every_fifth_of_the_queries() {
    let Some(data) = test_data() else { return };
    let products = tools::importers::catalog::read(&data.join("search/products.parquet")).unwrap();
    let judgments = judgments(&data.join("search/judgments_visible.csv"));
    assert_eq!((products.len(), judgments.len()), (19_406, 68));

    let (mean, folds) = score(RankingWeights::default(), &products, &judgments);
    println!("NDCG@10 {mean:.4}, by fifth of the queries {folds:.3?}; plain BM25 {BASELINE}");
    assert!(mean >= AIM, "NDCG@10 is {mean:.4}, and must be {AIM}");

    if std::env::var("TRADEWIND_TEST_SIGNALS").is_ok() {
        print_signals(mean, &products, &judgments);
    }
}

fn print_signals(whole: f64, products: &[PutProduct], judgments: &Judgments) {
    let base = RankingWeights::default;
    let without = [
        ("description as much as title", RankingWeights { description: 1.0, ..base() }),
        ("without description", RankingWeights { description: 0.0, ..base() }),
        ("without attributes", RankingWeights { attributes: 0.0, ..base() }),
        ("without brand", RankingWeights { brand: 0.0, ..base() }),
        ("title alone", RankingWeights { description: 0.0, attributes: 0.0, brand: 0.0, ..base() }),
        ("length not counted", RankingWeights { length: 0.0, ..base() }),
        ("length 0.5", RankingWeights { length: 0.5, ..base() }),
        ("length in proportion", RankingWeights { length: 1.0, ..base() }),
        ("saturation 0.5", RankingWeights { saturation: 0.5, ..base() }),
        ("saturation 2", RankingWeights { saturation: 2.0, ..base() }),
        ("part of the words not counted", RankingWeights { all_words: 0, ..base() }),
        ("any word is enough", RankingWeights { enough: usize::MAX, ..base() }),
        ("all words are needed", RankingWeights { enough: 1, ..base() }),
        ("without prefixes", RankingWeights { prefix: 0.0, ..base() }),
        ("prefixes as much as words", RankingWeights { prefix: 1.0, ..base() }),
    ];
    for (name, ranking) in without {
        let (mean, folds) = score(ranking, products, judgments);
        println!("{name:32} {mean:.4} {:+.4} {folds:.3?}", mean - whole);
    }
}
