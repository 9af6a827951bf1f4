//! `bench search`: how fast searches are answered over HTTP, facets on; how soon a changed product is found while many
//! change; how large the index is, and how long it takes to build it from scratch. On a catalogue of one's own, or on a
//! made-up one.

use super::load::{LoadFigures, load};
use super::percentile_ms;
use super::workload::{config, fatal, mixed};
use crate::importers::catalog;
use access::root::{Purpose, Roots};
use anyhow::{Context, Result, anyhow, ensure};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::topic::Origin;
use dataflows::engine::budget::Budget;
use dataflows::ports::Publication;
use dataflows::shop::catalogue::PutProduct;
use dataflows::shop::command::{Command, CommandType};
use node::Node;
use node::config::Config;
use serde::Serialize;
use serde_json::json;
use serving::{Parts, os_entropy, serve};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const MADE_UP: u64 = 20_000;
const CONNECTIONS: usize = 4;
const SECONDS: f64 = 5.0;
const CHANGES_PER_S: u64 = 1_000;
const CHANGES_S: u64 = 10;
/// Changes that are published together.
const AT_ONCE: u64 = 10;
const WAIT: Duration = Duration::from_secs(300);

/// The figures.
#[derive(Serialize)]
pub struct SearchResult {
    products: usize,
    queries: usize,
    /// From the first command to the moment at which all products can be found.
    import_s: f64,
    index_bytes_a_product: f64,
    searches: LoadFigures,
    one_at_a_time: LoadFigures,
    suggestions: LoadFigures,
    freshness: Freshness,
    /// A start with the index there, and without.
    restart_s: f64,
    rebuild_s: f64,
}

#[derive(Serialize)]
struct Freshness {
    changes_per_s: u64,
    changes: u64,
    /// From the moment at which the store has an epoch to that at which the index has it.
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
}

/// Measures.
pub fn measure(folder: &Path, products: Option<&Path>, queries: Option<&Path>) -> Result<SearchResult> {
    let products = products.map_or_else(made_up, catalog::read)?;
    let queries = queries.map_or_else(|| Ok(made_up_queries(&products)), read_queries)?;
    ensure!(!products.is_empty() && !queries.is_empty(), "there are products and queries");
    let config = config(folder)?;
    let node = Node::start(&config, &fatal())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let running = runtime.block_on(run(&config, &node, &products, &queries));
    drop(runtime);
    node.stop();
    let SearchRun { import_s, searches, one_at_a_time, suggestions, freshness, last } = running?;
    let (restart_s, _) = start(&config, last)?;
    std::fs::remove_dir_all(folder.join("search")).context("removing the index")?;
    let (rebuild_s, bytes) = start(&config, last)?;
    Ok(SearchResult {
        products: products.len(),
        queries: queries.len(),
        import_s,
        index_bytes_a_product: bytes as f64 / products.len() as f64,
        searches,
        one_at_a_time,
        suggestions,
        freshness,
        restart_s,
        rebuild_s,
    })
}

/// The figures of the running node, and its last epoch.
struct SearchRun {
    import_s: f64,
    searches: LoadFigures,
    one_at_a_time: LoadFigures,
    suggestions: LoadFigures,
    freshness: Freshness,
    last: Epoch,
}

/// Starts the node and waits for its index; returns the seconds that took, and the bytes of the index.
fn start(config: &Config, least: Epoch) -> Result<(f64, u64)> {
    let started = Instant::now();
    let node = Node::start(config, &fatal())?;
    let found = node.finder.newest(least, WAIT);
    let seconds = started.elapsed().as_secs_f64();
    let bytes = node.finder.standing().bytes;
    node.stop();
    found?;
    Ok((seconds, bytes))
}

async fn run(config: &Config, node: &Node, products: &[PutProduct], queries: &[String]) -> Result<SearchRun> {
    let started = Instant::now();
    let mut last = None;
    for some in products.chunks(1_000) {
        let put = |product: &PutProduct| {
            let id = format!("bench-{:016x}", xxhash_rust::xxh3::xxh3_64(product.product_id.as_bytes()));
            Publication::of(id, &Command::PutProduct(product.clone()))
        };
        last = publish(node, some.iter().map(put).collect()).await?.last().copied();
    }
    let pin = node.shop.wait_for_origin(last.context("something was published")?).await.context("it can be read")?;
    find(node, Epoch(pin.epoch())).await?;
    let import_s = started.elapsed().as_secs_f64();

    let parts = Parts {
        config: config.serving_limits(),
        bytes: Budget::new(config.serving.bytes_in_flight_max),
        shop: node.shop.clone(),
        log: Arc::clone(&node.commands),
        vitals: Arc::clone(&node.vitals),
        keeper: Arc::new(serving::NoKeeper),
        letters: Arc::new(serving::NoLetters),
        exports: Arc::new(serving::NoExports),
        finder: Arc::clone(&node.finder),
        cursors: Roots::new([0; 32], None).signer(Purpose::Cursor),
        entropy: os_entropy(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, None, parts, std::future::pending()));
    let encoded = |text: &String| node::client::percent_encoded(text);
    let facets = "brand,category,price,attributes.t_product_colour";
    let paths: Vec<String> =
        queries.iter().map(|text| format!("/api/v1/search?q={}&facets={facets}", encoded(text))).collect();
    let starts: BTreeSet<String> = queries
        .iter()
        .flat_map(|text| (1..=text.chars().count()).map(|end| text.chars().take(end).collect()))
        .collect();
    let starts: Vec<String> = starts.iter().map(|text| format!("/api/v1/search/suggest?q={}", encoded(text))).collect();
    let searches = load(address, &paths, CONNECTIONS, SECONDS).await;
    let one_at_a_time = load(address, &paths, 1, SECONDS).await;
    let suggestions = load(address, &starts, 1, SECONDS).await;
    let (freshness, last) = freshness(node, products).await?;
    Ok(SearchRun { import_s, searches, one_at_a_time, suggestions, freshness, last })
}

/// Changes prices at a steady rate, and waits for each epoch in the store and then in the index.
async fn freshness(node: &Node, products: &[PutProduct]) -> Result<(Freshness, Epoch)> {
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 * AT_ONCE / CHANGES_PER_S));
    let mut waiting = Vec::new();
    let changes = CHANGES_PER_S * CHANGES_S;
    for batch in 0..changes / AT_ONCE {
        tick.tick().await;
        let origins =
            publish(node, (0..AT_ONCE).map(|n| reprice(products, batch * AT_ONCE + n)).collect::<Result<_>>()?);
        let last = origins.await?.last().copied().context("something was published")?;
        let (shop, finder) = (node.shop.clone(), Arc::clone(&node.finder));
        waiting.push(tokio::spawn(async move {
            let pin = shop.wait_for_origin(last).await?;
            let (seen, epoch) = (Instant::now(), Epoch(pin.epoch()));
            let found = tokio::task::spawn_blocking(move || finder.newest(epoch, WAIT).is_ok()).await.ok()?;
            found.then(|| (u64::try_from(seen.elapsed().as_micros()).unwrap_or(u64::MAX), epoch))
        }));
    }
    let (mut took_us, mut last) = (Vec::new(), Epoch(0));
    for one in waiting {
        let (us, epoch) = one.await?.context("a change was not found in time")?;
        took_us.push(us);
        last = last.max(epoch);
    }
    took_us.sort_unstable();
    let at = |percent| percentile_ms(&took_us, percent);
    let figures = Freshness { changes_per_s: CHANGES_PER_S, changes, ms_p50: at(50), ms_p99: at(99), ms_max: at(100) };
    Ok((figures, last))
}

fn reprice(products: &[PutProduct], n: u64) -> Result<Publication> {
    let product = &products[(mixed(n) % products.len() as u64) as usize];
    let sku = &product.variants.first().context("a product has a variant")?.sku;
    let amount = format!("{}.{:02}", 1 + n % 500, n % 100);
    let data = json!({ "product_id": product.product_id, "sku": sku,
        "price": { "amount": amount, "currency": "EUR" } });
    super::workload::command(CommandType::SetPrice, &format!("bench-price-{n}"), &data)
}

async fn publish(node: &Node, commands: Vec<Publication>) -> Result<Vec<Origin>> {
    let (send, receive) = oneshot::channel();
    node.commands.append(commands, Box::new(move |result| drop(send.send(result))));
    receive.await?.map_err(|error| anyhow!(error))
}

async fn find(node: &Node, epoch: Epoch) -> Result<()> {
    let finder = Arc::clone(&node.finder);
    tokio::task::spawn_blocking(move || finder.newest(epoch, WAIT).map(drop)).await??;
    Ok(())
}

/// The first column of a file with a header.
fn read_queries(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let first = |line: &str| line.split(',').next().unwrap_or_default().trim_matches('"').to_owned();
    let queries: BTreeSet<String> = text.lines().skip(1).map(first).filter(|query| !query.is_empty()).collect();
    Ok(queries.into_iter().collect())
}

/// A catalogue of words that are as common as words are: some in many titles, most in few.
fn made_up() -> Result<Vec<PutProduct>> {
    let word = |n: u64| {
        let rank = (mixed(n) % 1_000_000) as f64 / 1_000_000.0;
        let rank = (8_000_f64.powf(rank)) as u64;
        (0..3)
            .map(|part| ["ka", "lo", "mi", "ne", "su", "ta", "ver", "zon"][(mixed(rank * 3 + part) % 8) as usize])
            .collect()
    };
    let words = |n: u64, count: u64| (0..count).map(|k| word(n * 64 + k)).collect::<Vec<String>>().join(" ");
    let product = |n: u64| {
        let (sku, colour) = (format!("made-{n}"), ["Black", "White", "Red"][(n % 3) as usize]);
        let data = json!({ "product_id": sku, "title": words(n, 7), "description": words(n + MADE_UP, 20),
            "brand": format!("Brand {}", mixed(n) % 200), "category": ["Goods", format!("Shelf {}", n % 40)],
            "attributes": { "t_product_colour": colour },
            "variants": [{ "sku": sku, "price": { "amount": format!("{}.50", n % 900), "currency": "EUR" } }] });
        match Command::read(CommandType::PutProduct, &sku, data.to_string().as_bytes())? {
            Command::PutProduct(product) => Ok(product),
            other => Err(anyhow!("{other:?} is no product")),
        }
    };
    (0..MADE_UP).map(product).collect()
}

/// One or two words of titles.
fn made_up_queries(products: &[PutProduct]) -> Vec<String> {
    let pick = |n: u64| {
        let title = &products[(mixed(n) % products.len() as u64) as usize].title;
        title.split(' ').skip((n % 3) as usize).take(1 + (n % 2) as usize).collect::<Vec<_>>().join(" ")
    };
    (0..200).map(pick).filter(|query| !query.is_empty()).collect()
}
