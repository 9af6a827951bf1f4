//! Queries against a plain recomputation from the rows, whatever the index went through; pages against the whole list;
//! what people type; and what no one should.

use super::facets::{FacetCounter, Memory};
use super::filter::offer;
use super::sort::SortKey;
use super::terms::{TermPattern, asked};
use crate::config::Config;
use crate::document::{Text, parts};
use crate::index::RankedProduct;
use crate::testing::{Random, Shop, Stock, for_each_seed, product};
use crate::text::words;
use dataflows::contract::epoch::Epoch;
use dataflows::ports::Sink;
use dataflows::ports::product_search::{
    FacetBy, FacetCount, IndexSnapshot, ProductSearch, SearchPage, SearchQuery, Sort,
};
use dataflows::shop::catalogue::Product;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const IDS: u64 = 150;

/// An index that got some changes, and is queried.
struct Env {
    config: Config,
    index: Arc<dyn IndexSnapshot>,
    shop: Shop,
    /// Holds the files.
    _folder: tempfile::TempDir,
}

impl Env {
    /// Fed with these epochs, waiting for each so-manyth.
    fn fed(changes: &[(Arc<dataflows::contract::changes::Changes>, Shop)], wait_each: usize) -> Env {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::default();
        let (mut sink, finder) = crate::open(config.clone(), folder.path(), Epoch(0)).unwrap();
        let wait = |epoch| finder.newest(epoch, Duration::from_secs(60)).unwrap();
        for (n, (changes, _)) in changes.iter().enumerate() {
            sink.apply(changes);
            if n % wait_each == 0 {
                wait(changes.epoch());
            }
        }
        let (last, shop) = changes.last().unwrap();
        Env { config, index: wait(last.epoch()), shop: shop.clone(), _folder: folder }
    }

    fn of(products: Vec<Product>) -> Env {
        let mut shop = Shop::default();
        let changes = shop.put(products);
        Env::fed(&[(changes, shop)], 1)
    }

    fn find(&self, wanted: &SearchQuery) -> SearchPage {
        self.index.find(wanted, &Stock).unwrap()
    }

    fn ids(&self, text: &str) -> Vec<String> {
        let wanted = SearchQuery { text: text.to_owned(), limit: 100, ..SearchQuery::default() };
        self.find(&wanted).hits.iter().map(|hit| hit.product_id.to_string()).collect()
    }

    fn listed(&self) -> Vec<&Arc<Product>> {
        self.shop.products.values().filter(|row| !row.archived).collect()
    }
}

/// The frequency of something in a product, weighted by text and length: from its words alone.
fn frequency(env: &Env, means: &[f64], product: &Product, what: &TermPattern) -> Option<f64> {
    let ranking = &env.config.ranking;
    let weights =
        [ranking.title, ranking.brand, ranking.category, ranking.code, ranking.attributes, ranking.description];
    let any = |is_it: &dyn Fn(&str) -> bool| {
        let of_text = |(at, text): (usize, Text)| {
            let words: Vec<_> = parts(product, text).into_iter().flat_map(words).collect();
            let times = words.iter().filter(|word| is_it(&word.text)).count() as f64;
            weights[at] * times / (1.0 - ranking.length + ranking.length * words.len() as f64 / means[at])
        };
        let sum: f64 = Text::ALL.into_iter().enumerate().map(of_text).sum();
        (sum > 0.0).then_some(sum)
    };
    match what {
        TermPattern::All(all) | TermPattern::Row(all) => {
            let each: Option<Vec<f64>> = all.iter().map(|one| any(&|word| word == one)).collect();
            let least = each?.into_iter().fold(f64::INFINITY, f64::min);
            let in_row = |part: &str| {
                let there = words(part);
                let has = |one: &String, at: u32| there.iter().any(|word| word.position == at && word.text == *one);
                (0..there.len() as u32).any(|from| all.iter().zip(from..).all(|(one, at)| has(one, at)))
            };
            let is_row = || Text::ALL.into_iter().flat_map(|text| parts(product, text)).any(in_row);
            (matches!(what, TermPattern::All(_)) || is_row()).then_some(least)
        }
        TermPattern::Beginning(start) => {
            // Completions are words of titles, brands and categories.
            let vocabulary: Vec<String> = env
                .listed()
                .iter()
                .flat_map(|product| super::postings::VOCABULARY.into_iter().flat_map(|text| parts(product, text)))
                .flat_map(words)
                .map(|word| word.text)
                .filter(|word| word.starts_with(start.as_str()))
                .collect();
            any(&|word| vocabulary.iter().any(|known| known == word))
        }
    }
}

/// The products that should be found, unless guesses are needed.
fn expected(env: &Env, wanted: &SearchQuery) -> Option<SearchPage> {
    let (listed, ranking) = (env.listed(), &env.config.ranking);
    let asked = asked(&wanted.text, &env.config.query, &env.config.synonyms);
    let lengths = |text: Text| {
        let all = listed.iter().flat_map(|product| parts(product, text)).map(|part| words(part).len() as f64);
        (all.sum::<f64>() / listed.len() as f64).max(f64::MIN_POSITIVE)
    };
    let means: Vec<f64> = Text::ALL.into_iter().map(lengths).collect();
    let mut scores = vec![(0.0, 0_usize, true); listed.len()];
    for word in &asked {
        let mut best = vec![0.0_f64; listed.len()];
        let mut enough = false;
        for find in &word.finds {
            if matches!(find.what, TermPattern::Beginning(_)) && enough {
                continue;
            }
            let all: Vec<_> = listed.iter().map(|product| frequency(env, &means, product, &find.what)).collect();
            let (products, with) = (listed.len() as f64, all.iter().flatten().count() as f64);
            enough |= with >= ranking.enough as f64;
            let rarity = (1.0 + (products - with + 0.5) / (with + 0.5)).ln();
            for (best, frequency) in best.iter_mut().zip(&all) {
                let frequency = frequency.unwrap_or(0.0);
                let score = rarity * frequency * (ranking.saturation + 1.0) / (frequency + ranking.saturation);
                *best = best.max(find.weight * score);
            }
        }
        for ((score, words, has_required), best) in scores.iter_mut().zip(best) {
            *score += best;
            *words += usize::from(best > 0.0);
            *has_required &= best > 0.0 || !word.is_required;
        }
    }
    scores.iter_mut().filter(|(_, _, has_required)| !has_required).for_each(|(_, words, _)| *words = 0);
    let with = |least: usize| scores.iter().filter(|(_, words, _)| *words >= least).count();
    let is_blank = wanted.text.trim().is_empty();
    if !is_blank && with(asked.len()) == 0 {
        return None;
    }
    let enough = (2..=asked.len()).rev().find(|words| with(*words) >= ranking.enough).unwrap_or(1);
    let fits = listed.iter().zip(&scores).filter(|(_, (_, words, _))| is_blank || *words >= enough);
    let fits = fits.map(|(product, (score, words, _))| {
        let text = if is_blank { 1.0 } else { score * *words as f64 / asked.len() as f64 };
        (RankedProduct { product: Arc::clone(product), sold: 0 }, text)
    });
    let fits: Vec<(RankedProduct, f64)> = fits.collect();
    Some(page(wanted, ranking.sold_out, &fits))
}

fn page(wanted: &SearchQuery, sold_out: f64, fits: &[(RankedProduct, f64)]) -> SearchPage {
    let memory = Memory::new(usize::MAX);
    let mut counting: Vec<FacetCounter<'_>> = wanted.facets.iter().map(|by| FacetCounter::new(by, &memory)).collect();
    let mut hits: Vec<(SortKey, SmolStr, f64)> = Vec::new();
    for (listed, text) in fits {
        let Some(offer) = offer(listed, wanted, &Stock) else { continue };
        counting.iter_mut().for_each(|counting| counting.add(&listed.product, offer.price).unwrap());
        let score = text * if offer.is_available { 1.0 } else { sold_out };
        hits.push((SortKey::of(wanted.sort, listed, score, offer.price), listed.product.product_id.clone(), score));
    }
    hits.sort_by(|a, b| a.0.cmp(&b.0));
    let hit = |(place, product_id, score): &(SortKey, SmolStr, f64)| dataflows::ports::product_search::Hit {
        product_id: product_id.clone(),
        score: *score,
        highlights: BTreeMap::new(),
        explain: None,
        place: place.text(),
    };
    SearchPage {
        hits: hits.iter().take(wanted.limit).map(hit).collect(),
        facets: wanted.facets.iter().map(FacetBy::name).zip(counting.into_iter().map(|one| one.counts(100))).collect(),
        total: hits.len() as u64,
        has_more: hits.len() > wanted.limit,
    }
}

fn wanted(random: &mut Random) -> SearchQuery {
    const TEXTS: [&str; 12] = [
        "",
        "usb",
        "cable 5m",
        "\"usb cable\"",
        "wireless mouse",
        "hdmi 27in",
        "smart",
        "cafe black x",
        "wh-1000xm4",
        "128 gb usb hdmi mouse ",
        "acme",
        "p7",
    ];
    let maybe = |random: &mut Random, one: &str| (random.below(3) == 0).then(|| one.to_owned());
    SearchQuery {
        text: (*random.one(&TEXTS)).to_owned(),
        brand: maybe(random, "Acme"),
        category: maybe(random, "Cables"),
        price_min: (random.below(3) == 0).then_some(500_000),
        price_max: (random.below(3) == 0).then_some(2_000_000),
        in_stock: random.below(3) == 0,
        sort: *random.one(&[Sort::Relevance, Sort::Price, Sort::PriceDown, Sort::Newest, Sort::Popularity]),
        facets: vec![FacetBy::Brand, FacetBy::Category, FacetBy::Price, FacetBy::Attribute("colour".into())],
        explain: true,
        limit: 1 + random.below(40) as usize,
        after: None,
    }
}

fn epochs(random: &mut Random) -> Vec<(Arc<dataflows::contract::changes::Changes>, Shop)> {
    let mut shop = Shop::default();
    let first: Vec<Product> = (0..IDS).map(|id| product(random, id)).collect();
    let mut epochs = vec![(shop.put(first), shop.clone())];
    for _ in 0..30 {
        epochs.push((shop.next(random, IDS), shop.clone()));
    }
    epochs
}

#[test]
fn what_is_found_is_what_the_rows_say_however_the_index_came_about() {
    for_each_seed(3, |seed| {
        let mut random = Random(seed);
        let epochs = epochs(&mut random);
        let slowly = Env::fed(&epochs, 1);
        let (_, shop) = epochs.last().unwrap();
        let at_once = Env::fed(&[(shop.base(), shop.clone())], 1);
        let mut compared = 0;
        for _ in 0..150 {
            let wanted = wanted(&mut random);
            let mut found = slowly.find(&wanted);
            assert_eq!(found, at_once.find(&wanted), "the same products, the same answer: {wanted:?}");
            for hit in &mut found.hits {
                let explain = hit.explain.take().unwrap();
                let score = explain.text * explain.all_words * explain.popularity * explain.availability;
                assert!((score - hit.score).abs() < 1e-9, "{explain:?} explains {}", hit.score);
                hit.highlights.clear();
            }
            let Some(expected) = expected(&slowly, &wanted) else { continue };
            compared += 1;
            let round = |found: &SearchPage| {
                let hit =
                    |hit: &dataflows::ports::product_search::Hit| (hit.product_id.clone(), (hit.score * 1e9).round());
                (found.hits.iter().map(hit).collect::<Vec<_>>(), found.facets.clone(), found.total, found.has_more)
            };
            assert_eq!(round(&found), round(&expected), "{wanted:?}");
        }
        assert!(compared > 100, "only {compared} were compared");
    });
}

#[test]
fn pages_join_to_the_whole_list() {
    let mut random = Random(5);
    let env = Env::fed(&epochs(&mut random), 7);
    for _ in 0..40 {
        let wanted = wanted(&mut random);
        let whole = env.find(&SearchQuery { limit: usize::MAX, ..wanted.clone() });
        let (mut joined, mut after) = (Vec::new(), None);
        loop {
            let page = env.find(&SearchQuery { after, ..wanted.clone() });
            assert_eq!((page.total, &page.facets), (whole.total, &whole.facets));
            after = page.hits.last().map(|hit| hit.place.clone());
            joined.extend(page.hits);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(joined, whole.hits);
    }
}

fn titled(titles: &[&str]) -> Env {
    let of = |(n, title): (usize, &&str)| Product {
        product_id: SmolStr::new(format!("{}", (b'a' + n as u8) as char)),
        title: SmolStr::new(title),
        description: None,
        brand: None,
        attributes: BTreeMap::new(),
        archived: false,
        ..product(&mut Random(1), n as u64)
    };
    Env::of(titles.iter().enumerate().map(of).collect())
}

#[test]
fn what_people_type_finds_what_they_mean() {
    let titles = [
        "Samsung Galaxy smartwatch 32 mm",
        "Sony WH-1000XM4 wireless headphones",
        "Kingston microSD 128GB memory card",
        "27\" touch screen monitor",
        "Café crème machine",
        "Rechargeable batteries AA",
        "Kabelbinder Größe XL",
    ];
    let env = titled(&titles);
    for (typed, id) in [
        ("samsnug", "a"),
        ("smart watch", "a"),
        ("galaxi", "a"),
        ("wh1000xm4", "b"),
        ("WH 1000XM4", "b"),
        ("headph", "b"),
        ("headfones", "b"),
        ("128 gb", "c"),
        ("128gb card", "c"),
        ("128", "c"),
        ("touchscreen", "d"),
        ("27 inch", "d"),
        ("27in monitor", "d"),
        ("\"touch screen\"", "d"),
        ("cafe creme", "e"),
        ("battery", "f"),
        ("Grosse", "g"),
        ("a", "a"),
        ("sku-2-0", "c"),
    ] {
        assert_eq!(env.ids(typed).first().map(String::as_str), Some(id), "{typed}");
    }
    // Short words and numbers are not corrected: that would be another thing.
    for typed in ["128gc", "64gb", "28in", "ab", "\"screen touch\"", "zzzzzz"] {
        assert_eq!(env.ids(typed), Vec::<String>::new(), "{typed}");
    }
}

#[test]
fn a_text_that_is_being_typed_is_completed_and_corrected() {
    let env = titled(&["Wireless mouse", "Wireless keyboard", "Wireless mouse pad", "HDMI cable"]);
    let suggest = |text: &str| env.index.suggest(text, 3).unwrap();
    assert_eq!(suggest("wireless m"), ["wireless mouse", "wireless mouse pad"]);
    assert_eq!(suggest("wir"), ["wireless", "wireless mouse", "wireless keyboard"]);
    assert_eq!(suggest("Wirelss"), ["wireless", "wireless mouse", "wireless keyboard"]);
    assert_eq!(suggest("wirelss mou"), ["wireless mouse", "wireless mouse pad"]);
    assert_eq!(suggest("hdm"), ["hdmi", "hdmi cable"]);
    assert_eq!(suggest("q"), Vec::<String>::new());
    assert_eq!(suggest(""), Vec::<String>::new());
}

#[test]
fn a_hostile_text_is_answered_quickly() {
    let mut random = Random(11);
    let env = Env::of((0..IDS).map(|id| product(&mut random, id)).collect());
    let letters = (0..100_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect::<String>();
    let hostile = [
        "(".repeat(100_000),
        "\"".repeat(100_000),
        "usb AND (".repeat(10_000),
        ".*".repeat(50_000),
        "*?~^[]{}|\\".repeat(10_000),
        "a ".repeat(100_000),
        letters.clone(),
        letters.chars().map(|c| format!("{c}{c}{c} ")).collect(),
        "\u{0}\u{1b}[2J\u{202e}\u{feff}".repeat(1_000),
        "e\u{301}\u{301}\u{301}".repeat(30_000),
        "cabel ".repeat(1_000),
        (0..5_000).map(|n| format!("wirelesss{n} mousse ")).collect(),
        "🖱️".repeat(10_000),
    ];
    for text in hostile {
        let started = Instant::now();
        let wanted = SearchQuery { text: text.clone(), limit: 20, explain: true, ..SearchQuery::default() };
        env.find(&wanted);
        env.index.suggest(&text, 10).unwrap();
        let start: String = text.chars().take(20).collect();
        assert!(started.elapsed() < Duration::from_secs(5), "{start:?} took {:?}", started.elapsed());
    }
}

#[test]
fn facets_count_a_category_and_all_above_it() {
    let found = titled(&["one"]).find(&SearchQuery { facets: vec![FacetBy::Category], ..SearchQuery::default() });
    let category = titled(&["one"]).shop.products["a"].category_path.clone();
    let mut expected: Vec<SmolStr> = category.match_indices('/').map(|(end, _)| category[..end].into()).collect();
    expected.extend((!category.is_empty()).then_some(category));
    let expected = expected.into_iter().map(|value| FacetCount { value, count: 1 }).collect();
    assert_eq!(found.facets, [("category".to_owned(), expected)]);
}
