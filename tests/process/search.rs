//! Product search through the real process: while products, prices and stock change, every hit is the product's page
//! and its stock at the epoch of the answer; after a power cut each product is found once.

use super::shop::received;
use super::{Api, Program, TestEnv, Way};
use crate::support::test_data;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

const PRODUCTS: u64 = 60;
const HITS: usize = 1_000;
/// The epochs that they are of, at least.
const EPOCHS: usize = 20;

const NOUNS: [&str; 5] = ["cable", "mouse", "keyboard", "monitor", "battery"];
const KINDS: [&str; 4] = ["wireless", "black", "usb", "5 m"];

fn pick(n: u64, of: &[&'static str]) -> &'static str {
    // SplitMix64's finalizer: a fixed mix.
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    of[((n ^ (n >> 31)) % of.len() as u64) as usize]
}

fn product(id: u64, version: u64) -> Value {
    let title = format!("{} {} {version}", pick(id, &KINDS), pick(id + 1_000, &NOUNS));
    let price = json!({"amount": format!("{}.50", 1 + version % 90), "currency": "EUR"});
    json!({"title": title, "brand": pick(id, &["Acme", "Bolt"]), "category": ["Goods", pick(id, &NOUNS)],
        "variants": [{"sku": format!("s{id}"), "price": price}]})
}

fn put(api: &Api, id: u64, version: u64) -> u64 {
    let path = format!("/api/v1/products/p{id}");
    let answer = api.command("PUT", &path, &format!("put-{id}-{version}"), &product(id, version));
    assert!(answer.status < 300, "{answer:?}");
    answer.epoch()
}

/// Changes products, prices and stock until told to stop.
fn change(api: &Api, is_over: &AtomicBool) -> u64 {
    let mut n = 0;
    while !is_over.load(Ordering::Relaxed) {
        n += 1;
        let id = n * 7 % PRODUCTS;
        match n % 3 {
            0 => {
                put(api, id, n);
            }
            1 => {
                let path = format!("/api/v1/products/p{id}/variants/s{id}/price");
                let price = json!({"price": {"amount": format!("{n}.25"), "currency": "EUR"}});
                api.command("PUT", &path, &format!("price-{n}"), &price).ok();
            }
            _ => {
                let path = format!("/api/v1/stock/s{id}/movements");
                api.post(&path, &format!("move-{n}"), &received(1 + (n % 9) as i64)).expect(201);
            }
        }
    }
    n
}

#[test]
fn a_hit_is_the_product_page_and_the_stock_of_one_epoch() {
    let mut env = TestEnv::start();
    let last = (0..PRODUCTS).map(|id| put(&env, id, 0)).max().unwrap_or_default();
    let is_over = AtomicBool::new(false);
    let changes = std::thread::scope(|scope| {
        let changing = scope.spawn(|| change(&env.client(), &is_over));
        let (mut hits, mut epochs, mut least) = (0, BTreeSet::new(), last);
        for n in 0.. {
            if hits >= HITS && epochs.len() >= EPOCHS {
                break;
            }
            let query = format!("{} {}", pick(n, &KINDS), pick(n * 31, &NOUNS)).replace(' ', "+");
            let sort = pick(n, &["relevance", "price", "-price", "popularity"]);
            let path = format!("/api/v1/search?q={query}&sort={sort}&facets=brand,price&limit=40");
            let found = env.get_with(&path, &[("tradewind-min-epoch", &least.to_string())]).ok();
            assert!(found.epoch() >= least, "{} is before {least}", found.epoch());
            (least, hits) = (found.epoch(), hits + assert_exact(&env, &found.json(), sort, found.epoch()));
            epochs.insert(found.epoch());
        }
        is_over.store(true, Ordering::Relaxed);
        changing.join().expect("changes are taken")
    });
    assert!(changes >= EPOCHS as u64, "only {changes} changes were made meanwhile");
    assert_each_is_found_once(&env);
    env.kill();
    env.restart(&Way::default());
    assert_each_is_found_once(&env);
    put(&env, 3, 1_000_000);
    let newest = put(&env, 4, 1_000_000).to_string();
    let found = env.get_with("/api/v1/search?q=1000000", &[("tradewind-min-epoch", &newest)]).ok().json();
    assert_eq!(found["total"], 2, "{found}");
    env.stop();
}

/// Compares each hit with the pages of its product and its stock at that epoch; says how many there were.
fn assert_exact(api: &Api, found: &Value, sort: &str, epoch: u64) -> usize {
    let hits = found["data"].as_array().expect("hits");
    let amount = |hit: &Value| -> f64 {
        hit["product"]["variants"][0]["price"]["amount"].as_str().and_then(|text| text.parse().ok()).expect("a price")
    };
    for hit in hits {
        let product = &hit["product"];
        let id = product["product_id"].as_str().expect("an id");
        let page = api.get(&format!("/api/v1/products/{id}?as_of={epoch}"));
        assert_eq!(&page.ok().json(), product, "at {epoch}");
        let sku = product["variants"][0]["sku"].as_str().expect("a SKU");
        let stock = api.get(&format!("/api/v1/stock/{sku}?as_of={epoch}")).ok().json();
        assert_eq!(stock["available"], product["variants"][0]["available"], "at {epoch}");
    }
    let prices: Vec<f64> = hits.iter().map(amount).collect();
    match sort {
        "price" => assert!(prices.is_sorted(), "{prices:?}"),
        "-price" => assert!(prices.iter().rev().is_sorted(), "{prices:?}"),
        _ => {}
    }
    let counted: u64 =
        found["facets"]["price"].as_array().expect("counts").iter().filter_map(|one| one["count"].as_u64()).sum();
    assert_eq!(found["total"], counted, "each product has one price");
    hits.len()
}

fn assert_each_is_found_once(api: &Api) {
    let newest = api.get("/api/v1/epochs/latest").epoch().to_string();
    let first = api.get_with("/api/v1/search?limit=7", &[("tradewind-min-epoch", &newest)]).ok();
    let (rows, _) = api.rows(&format!("/api/v1/search?limit=7&as_of={}", first.epoch()));
    let ids: BTreeSet<&str> = rows.iter().filter_map(|hit| hit["product"]["product_id"].as_str()).collect();
    assert_eq!((rows.len() as u64, ids.len() as u64), (PRODUCTS, PRODUCTS));
}

#[test]
fn a_kill_while_the_index_is_written_loses_and_doubles_nothing() {
    let mut env = TestEnv::start();
    for id in 0..PRODUCTS {
        put(&env, id, 0);
    }
    for round in 1..=5 {
        let api = env.client();
        let newest = env.get("/api/v1/epochs/latest").epoch();
        std::thread::scope(|scope| {
            // Until nobody answers.
            scope.spawn(move || {
                for n in 0.. {
                    let (id, version) = (n % PRODUCTS, round * 1_000_000 + n);
                    let (path, key) = (format!("/api/v1/products/p{id}"), format!("put-{id}-{version}"));
                    let headers = [("idempotency-key", key.as_str()), ("content-type", "application/json")];
                    if api.send("PUT", &path, &headers, Some(product(id, version).to_string().as_bytes())).is_err() {
                        break;
                    }
                }
            });
            let later = (newest + 10 * round).to_string();
            env.get_with("/api/v1/search?q=usb", &[("tradewind-min-epoch", &later), ("prefer", "wait=30")]).ok();
            env.kill();
        });
        env.restart(&Way::default());
        assert_each_is_found_once(&env);
        let epoch = env.get("/api/v1/epochs/latest").epoch();
        let at = [("tradewind-min-epoch", &*epoch.to_string())];
        let found = env.get_with("/api/v1/search?limit=100&facets=price", &at).ok();
        assert_eq!(assert_exact(&env, &found.json(), "relevance", found.epoch()) as u64, PRODUCTS);
    }
    env.stop();
}

#[test]
fn a_real_catalogue_is_imported_and_found() {
    let Some(data) = test_data() else { return };
    let file = data.join("search/products.parquet").display().to_string();
    let mut env = TestEnv::start();
    for before in [0, 19_406] {
        let ended = Program::run(&["import", "catalog", &file, "--to", env.base()]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(&format!("19406 commands, {before} of them decided before")), "{}", ended.stdout);
    }
    let newest = env.get("/api/v1/epochs/latest").epoch().to_string();
    let fresh = [("tradewind-min-epoch", newest.as_str()), ("prefer", "wait=30")];
    let found = env.get_with("/api/v1/search?facets=brand&limit=1", &fresh).ok().json();
    assert_eq!(
        (&found["total"], &found["facets"]["brand"][0]),
        (&json!(19_406), &json!({"value": "HP", "count": 2_888}))
    );
    let page = env.get("/api/v1/search?q=wireles+headphons&limit=3&explain=true").ok().json();
    assert!(page["data"][0]["highlights"]["title"].as_str().is_some_and(|title| title.contains("<em>")), "{page}");
    assert!(page["data"][0]["explain"]["words"][0]["by"].is_string(), "{page}");
    let texts = env.get("/api/v1/search/suggest?q=wirele").ok().json();
    assert_eq!(texts["data"][0]["text"], "wireless", "{texts}");
    env.stop();
}

/// The searches, once that many searches and clicks are counted.
fn ranked(env: &Api, by: &str, searches: i64, clicks: i64) -> Value {
    for _ in 0..60 {
        // An epoch later at least: they come once a second without anything to do.
        let next = (env.get("/api/v1/epochs/latest").epoch() + 1).to_string();
        let at = [("tradewind-min-epoch", next.as_str()), ("prefer", "wait=10")];
        let found = env.get_with(&format!("/api/v1/analytics/search?by={by}"), &at).ok().json();
        let sum = |name: &str| -> i64 {
            found["data"].as_array().expect("rows").iter().filter_map(|row| row[name].as_i64()).sum()
        };
        if (sum("searches"), sum("clicks")) == (searches, clicks) || by == "without_results" {
            return found["data"].clone();
        }
    }
    panic!("{searches} searches and {clicks} clicks were never counted");
}

#[test]
fn searches_and_clicks_are_counted_and_a_kill_changes_nothing_of_it() {
    let mut env = TestEnv::start();
    let last = put(&env, 1, 0).max(put(&env, 2, 0)).to_string();
    let fresh = [("tradewind-min-epoch", last.as_str())];
    let search = |env: &Api, query: &str| {
        let found = env.get_with(&format!("/api/v1/search?q={query}"), &fresh).ok();
        found.header("tradewind-search-id").to_owned()
    };
    let noun = pick(1_001, &NOUNS);
    let first = search(&env, noun);
    search(&env, &noun.to_uppercase());
    search(&env, "zzyzzxq");
    let further = env.get(&format!("/api/v1/search?q={noun}&explain=true")).ok();
    assert_eq!((first.len(), further.header("tradewind-search-id")), (20, ""), "who asks for reasons has not searched");
    let click = |env: &Api, product: &str| {
        let data = json!({"search_id": first, "product_id": product, "position": 1});
        env.post("/api/v1/activity", "click", &json!({"type": "SearchResultClicked", "data": data})).expect(202).json()
    };
    for product in ["p1", "p2", "p1"] {
        assert_eq!(click(&env, product)["origin"]["topic"], "activity");
    }
    let both = json!([
        {"query": noun, "searches": 2, "without_results": 0, "clicks": 2, "click_through": 0.5},
        {"query": "zzyzzxq", "searches": 1, "without_results": 1, "clicks": 0, "click_through": 0.0},
    ]);
    assert_eq!(ranked(&env, "top", 3, 2), both);
    assert_eq!(ranked(&env, "click_through", 3, 2), both);
    assert_eq!(ranked(&env, "without_results", 1, 0), json!([both[1]]));

    // What is remembered of a search is in the checkpoint: the repeated click does not count, the new one does.
    env.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
    let digests = env.digests();
    env.kill();
    env.restart(&Way::workers(1));
    assert_eq!(env.digests()["searches"], digests["searches"]);
    for product in ["p2", "p9"] {
        click(&env, product);
    }
    assert_eq!(ranked(&env, "top", 3, 3)[0]["clicks"], 3);
    let wrong = json!({"type": "SearchResultClicked", "data": {"search_id": "s"}});
    let refused = env.post("/api/v1/activity", "wrong", &wrong);
    assert_eq!(refused.problem(), (422, "invalid".to_owned()));
    env.stop();
}
