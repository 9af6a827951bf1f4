//! Cases of many commands or reads whose rows, history or answers grow.

use crate::bench::hostile::attack::{Attack, PATIENCE, line, longest_id, order, pounds};
use crate::bench::hostile::wire;
use crate::bench::hostile::wire::request;
use anyhow::{Context, Result};
use node::client::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The largest page of a list, and some room for its frame.
const PAGE_BYTES_MAX: usize = (4 << 20) + (1 << 16);
/// The largest row.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Sends batches of lines until all are sent or the time is over; returns all outcomes.
fn send_all(
    attack: &mut Attack,
    count: usize,
    at_once: usize,
    within: Duration,
    line: impl Fn(usize) -> Value,
) -> Result<BTreeMap<String, usize>> {
    let (mut all, mut sent, begun) = (BTreeMap::new(), 0, Instant::now());
    while sent < count && begun.elapsed() < within && !attack.is_over() {
        let lines: Vec<Value> = (sent..count.min(sent + at_once)).map(&line).collect();
        sent += lines.len();
        for (outcome, number) in attack.commands(&lines)? {
            *all.entry(outcome).or_default() += number;
        }
    }
    let told: Vec<String> = all.iter().map(|(outcome, number)| format!("{number} {outcome}")).collect();
    attack.note(format!("{sent} of {count} sent: {}", told.join(", ")));
    Ok(all)
}

/// H3
pub fn long_ids(attack: &mut Attack) -> Result<()> {
    let long = "i".repeat(1_000_000);
    let cancel = |n: usize| line(&format!("cancel-{n}"), "CancelOrder", json!({"order_id": format!("{n}{long}")}));
    let outcomes = send_all(attack, 1_000, 7, Duration::from_secs(30), cancel)?;
    attack.expect_only("ids of a million characters", &outcomes, &["invalid"]);
    let refused = |n: usize| {
        let id = format!("refused-{n}");
        line(&id, "PlaceOrder", order(&id, &longest_id("nowhere-"), 1_500))
    };
    let outcomes = send_all(attack, 100, 20, Duration::from_secs(10), refused)?;
    attack.expect_only("orders of what is not there", &outcomes, &["unknown_sku"]);
    let operation = attack.json("/api/v1/operations/refused-0")?;
    let errors = operation["errors"].as_array().map_or(0, Vec::len);
    attack.expect(errors <= 100, || format!("an operation keeps {errors} errors"));
    let bytes = attack.answer_bytes("/api/v1/views/operations?limit=1000")?;
    attack.expect(bytes <= PAGE_BYTES_MAX, || format!("a page of {bytes} bytes"));
    Ok(())
}

/// A product that is nearly as large as a row may be: about 0.8 MB.
fn large_product(turn: usize) -> Value {
    let variant = |n: usize| {
        json!({"sku": longest_id(&format!("large-{n}-")), "title": "t".repeat(256), "price": pounds("1.00"),
            "inventory_policy": "none"})
    };
    let attributes: BTreeMap<String, String> =
        (0..150).map(|n| (format!("attribute-{n}"), format!("{turn}{}", "v".repeat(990)))).collect();
    json!({"product_id": "large", "title": format!("Large {turn}"), "description": "d".repeat(10_000),
        "attributes": attributes, "variants": (0..1_000).map(variant).collect::<Vec<_>>()})
}

/// H9
pub fn history(attack: &mut Attack) -> Result<()> {
    let title = "t".repeat(900_000);
    let long = |n: usize| {
        let variants = json!([{"sku": "long", "price": pounds("1.00"), "inventory_policy": "none"}]);
        let data = json!({"product_id": "long", "title": format!("{n}{title}"), "variants": variants});
        line(&format!("long-{n}"), "PutProduct", data)
    };
    let outcomes = send_all(attack, 2_500, 7, Duration::from_secs(20), long)?;
    attack.expect_only("titles of 900,000 characters", &outcomes, &["invalid"]);
    let large = |n: usize| line(&format!("large-{n}"), "PutProduct", large_product(n));
    let outcomes = send_all(attack, 2_500, 8, Duration::from_secs(20), large)?;
    attack.expect_only("large products", &outcomes, &["succeeded"]);
    Ok(())
}

/// H10
pub fn followers(attack: &mut Attack) -> Result<()> {
    let follow = request("GET", "/api/v1/changes?view=products", attack.node, &[], b"");
    let mut followers = Vec::new();
    for _ in 0..8 {
        let mut stream = wire::connect(attack.node, PATIENCE)?;
        stream.write_all(&follow)?;
        followers.push(stream);
    }
    let large = |n: usize| line(&format!("large-{n}"), "PutProduct", large_product(n));
    let outcomes = send_all(attack, 400, 8, Duration::from_secs(30), large)?;
    attack.expect_only("large products", &outcomes, &["succeeded"]);
    drop(followers);
    Ok(())
}

/// M2
pub fn days(attack: &mut Attack) -> Result<()> {
    let adjust = |n: usize| {
        let (year, rest) = (1960 + n / 336, n % 336);
        let at = format!("{year}-{:02}-{:02}T12:00:00Z", 1 + rest / 28, 1 + rest % 28);
        let id = format!("cent-{n}");
        let data = json!({"adjustment_id": id, "currency": "GBP", "country": "GB", "amount": pounds("0.01"),
            "occurred_at": at});
        line(&id, "RecordAdjustment", data)
    };
    let outcomes = send_all(attack, 20_000, 1_000, Duration::from_secs(20), adjust)?;
    attack.expect_only("adjustments", &outcomes, &["succeeded"]);
    let export = attack.client.post("/api/v1/export/verifications")?;
    attack.expect(export.status == 200, || format!("tables: {}", export.problem()));
    let files = count_files(&attack.data.join("warehouse"))?;
    attack.note(format!("{files} files of tables"));
    attack.expect(files <= 5_000, || format!("{files} files of tables"));
    Ok(())
}

fn count_files(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        count += if path.is_dir() { count_files(&path)? } else { 1 };
    }
    Ok(count)
}

/// M3
pub fn searches(attack: &mut Attack) -> Result<()> {
    // From an address of its own, since loopback's first has no limits.
    let mut stream = wire::Elsewhere::new(3)?.connect(attack.node, PATIENCE)?;
    let mut sent = 0;
    for n in 0..2_000_u64 {
        let word = crate::bench::workload::mixed(n);
        stream.write_all(&request("GET", &format!("/api/v1/search?q=w{word:x}"), attack.node, &[], b""))?;
        let answer = wire::answer(&mut stream)?;
        attack.expect(answer.status == 200 || answer.status == 429, || format!("a search: {}", answer.told()));
        if answer.status != 200 || attack.is_over() {
            break;
        }
        sent += 1;
    }
    attack.note(format!("{sent} searches"));
    let views = attack.json("/api/v1/views")?;
    let mut listed = views["data"].as_array().into_iter().flatten();
    let rows = listed.find(|view| view["name"] == "searches").and_then(|view| view["rows"].as_u64());
    let rows = rows.context("the view is listed")?;
    attack.expect(rows <= 300, || format!("{rows} rows of searches"));
    Ok(())
}

/// M4
pub fn facets(attack: &mut Attack) -> Result<()> {
    let attributed = |n: usize| {
        let attributes: BTreeMap<String, String> =
            (0..16).map(|k| (format!("a{k}"), format!("value {n} of {k} {}", "v".repeat(60)))).collect();
        let variants = json!([{"sku": format!("f-{n}"), "price": pounds("1.00"), "inventory_policy": "none"}]);
        let data = json!({"product_id": format!("f-{n}"), "title": format!("Thing {n}"), "attributes": attributes,
            "variants": variants});
        line(&format!("f-{n}"), "PutProduct", data)
    };
    let outcomes = send_all(attack, 4_000, 500, Duration::from_secs(25), attributed)?;
    attack.expect_only("products", &outcomes, &["succeeded"]);
    let names: Vec<String> = (0..16).map(|k| format!("attributes.a{k}")).collect();
    let path = format!("/api/v1/search?q=thing&facets={}", names.join(","));
    let (base, until) = (attack.client.base().to_owned(), Instant::now() + Duration::from_secs(10));
    let counts = std::thread::scope(|scope| {
        let ask = || -> Result<BTreeMap<u16, usize>> {
            let (client, mut counts) = (Client::new(&base)?, BTreeMap::new());
            while Instant::now() < until {
                *counts.entry(client.get(&path)?.status).or_default() += 1;
            }
            Ok(counts)
        };
        let clients: Vec<_> = (0..80).map(|_| scope.spawn(ask)).collect();
        let counts = clients.into_iter().map(|client| client.join().ok().context("a client has panicked")?);
        counts.collect::<Result<Vec<_>>>()
    })?;
    let mut all = BTreeMap::<u16, usize>::new();
    counts.into_iter().flatten().for_each(|(status, count)| *all.entry(status).or_default() += count);
    attack.note(format!("answers by status: {all:?}"));
    attack.expect(all.keys().all(|status| [200, 429, 503].contains(status)), || format!("searches: {all:?}"));
    attack.expect(all.contains_key(&200), || "no search was answered".to_owned());
    Ok(())
}

/// M8
pub fn wide_rows(attack: &mut Attack) -> Result<()> {
    let variants = json!([{"sku": "W", "price": pounds("1000.00")}]);
    let product = line("w", "PutProduct", json!({"product_id": "W", "title": "Wide", "variants": variants}));
    let received = line("w-in", "MoveStock", json!({"sku": "W", "quantity": 10, "reason": "received"}));
    let placed = line("w-order", "PlaceOrder", order("wide", "W", 1));
    attack.expect_outcomes("the shop", &[product, received, placed], &["succeeded"])?;
    let within = Duration::from_secs(15);
    let window = |n: usize| {
        let from = format!("2090-01-{:02}T{:02}:{:02}:00Z", 1 + n % 28, n / 28 % 24, n / 672 % 60);
        let data = json!({"product_id": "W", "sku": "W", "price": pounds("1.00"), "valid_from": from});
        line(&format!("window-{n}"), "SetPrice", data)
    };
    let outcomes = send_all(attack, 20_000, 1_000, within, window)?;
    attack.expect_only("windows", &outcomes, &["succeeded", "invalid"]);
    attack.expect(outcomes.get("succeeded").is_some_and(|some| *some <= 100), || format!("windows: {outcomes:?}"));
    let shelve = |n: usize| {
        let data = json!({"sku": "W", "location": format!("shelf {n}"), "quantity": 1, "reason": "received"});
        line(&format!("shelf-{n}"), "MoveStock", data)
    };
    let outcomes = send_all(attack, 20_000, 1_000, within, shelve)?;
    attack.expect_only("locations", &outcomes, &["succeeded", "invalid"]);
    attack.expect(outcomes.get("succeeded").is_some_and(|some| *some <= 1_000), || format!("locations: {outcomes:?}"));
    let refund = |n: usize| {
        let id = format!("refund-{n}");
        line(&id, "IssueRefund", json!({"order_id": "wide", "refund_id": id, "amount": pounds("0.01")}))
    };
    let outcomes = send_all(attack, 20_000, 1_000, within, refund)?;
    attack.expect_only("refunds", &outcomes, &["succeeded", "invalid"]);
    attack.expect(outcomes.get("succeeded").is_some_and(|some| *some <= 200), || format!("refunds: {outcomes:?}"));
    for path in ["/api/v1/products/W", "/api/v1/stock/W", "/api/v1/orders/wide"] {
        let bytes = attack.answer_bytes(path)?;
        attack.expect(bytes <= ROW_BYTES_MAX, || format!("{path} has {bytes} bytes"));
    }
    Ok(())
}
