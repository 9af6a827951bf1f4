//! `tradewind simulate`: seeded customers over REST with books of their own, and a comparison of those with the
//! shop's. The books follow from acknowledged outcomes alone, so a difference is the shop's fault, or the books'.
//!
//! ```text
//! plan (numbers, books) ─▶ acts ─▶ http ─▶ the node ─▶ answers ─▶ books: orders, shelves ─▶ compared
//! ```
//!
//! Each customer has SKUs that no other touches, so their stock is known exactly by location; all buy from the shared
//! SKUs too, whose totals are compared at the end. All ids begin with `sim-<seed>-<lap>`, the lap being the first that
//! the shop does not have, so a seed can run again on any shop; the same text is the country of all orders, so that the
//! revenue of the run is separate.

mod actions;
mod expected_stock;
mod figures;
mod http;
mod order;
mod planner;
mod role;
mod shared_checks;
mod shopper;

pub use figures::Report;
pub use role::{Args, run};

use crate::split_mix::SplitMix64;
use actions::Action;
use anyhow::{Context, Result, ensure};
use figures::{Run, SimulationCounts};
use http::{Connection, Request};
use planner::Planner;
use shared_checks::Auditor;
use shopper::Shopper;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The number of SKUs that all customers share.
const SHARED_SKUS: u64 = 20;
/// The opening stock of each.
const SHARED_STOCK: i64 = 60;
/// The commands a second that a customer is good for, beside others.
const RATE_EACH: u64 = 4;
/// The fewest and the most customers.
const CUSTOMERS: std::ops::RangeInclusive<u64> = 4..=1_024;
/// The least of the policy's times that a run needs: a payment that waits for the gateway, an id that is repeated.
const POLICY_S_MIN: i64 = 120;

/// The options of a simulation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Commands a second.
    pub rate: u64,
    /// The seconds to send for.
    pub seconds: u64,
    /// The seed of all choices.
    pub seed: u64,
    /// The node.
    pub to: String,
}

/// Simulates, compares, and reports.
pub async fn simulate(options: &Options) -> Result<Report> {
    let address = address(&options.to).await?;
    let mut connection = Connection::new(address);
    let prefix = first_lap(&mut connection, options).await?;
    let mut shoppers = customers(options, &prefix, address);
    open(&mut shoppers, &prefix).await?;

    let (stop, stopped) = watch::channel(false);
    let looking = tokio::spawn(Auditor::new(address).look(SplitMix64::new(options.seed), stopped));
    let count = u32::try_from(shoppers.len()).context("there are few customers")?;
    let interval = Duration::from_secs(1) * count / u32::try_from(options.rate).context("the rate is too high")?;
    let started = Instant::now();
    let until = started + Duration::from_secs(options.seconds);
    let tasks = shoppers.into_iter().enumerate().map(|(n, mut shopper)| {
        // They begin apart from each other, so that the rate is even.
        let first = started + interval * u32::try_from(n).unwrap_or_default() / count;
        tokio::spawn(async move { shopper.go(first, interval, until).await.map(|()| shopper) })
    });
    let mut shoppers = joined(tasks.collect()).await?;
    let seconds = started.elapsed().as_secs_f64();
    let tasks = shoppers
        .drain(..)
        .map(|mut shopper| tokio::spawn(async move { shopper.compare_all().await.map(|()| shopper) }))
        .collect();
    let shoppers = joined(tasks).await?;

    let (mut figures, mut books, mut epoch) = (SimulationCounts::default(), Vec::new(), 0);
    for shopper in shoppers {
        epoch = epoch.max(shopper.epoch());
        figures.add(shopper.figures);
        books.push(shopper.books);
    }
    figures.add(Auditor::new(address).compare(&books, &prefix, epoch).await?);
    // The auditor may have ended already.
    let _ = stop.send(true);
    figures.add(looking.await?);
    let orders = books.iter().map(|books| books.orders.len() + books.rejected.len()).sum();
    Ok(Report::of(Run { seed: options.seed, prefix, customers: books.len(), seconds, orders }, figures))
}

async fn joined(tasks: Vec<tokio::task::JoinHandle<Result<Shopper>>>) -> Result<Vec<Shopper>> {
    let mut shoppers = Vec::with_capacity(tasks.len());
    for task in tasks {
        shoppers.push(task.await??);
    }
    Ok(shoppers)
}

async fn address(to: &str) -> Result<SocketAddr> {
    let host = to.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
    let host = host.with_context(|| format!("{to} is no address of a node; one looks like http://127.0.0.1:8080"))?;
    let found = tokio::net::lookup_host(host).await.with_context(|| format!("looking for {host}"))?.next();
    found.with_context(|| format!("nothing is called {host}"))
}

/// The prefix of this run's ids. Also checks that the shop's policy leaves the run its time.
async fn first_lap(connection: &mut Connection, options: &Options) -> Result<String> {
    let policy = connection.ask(&Request::get("/api/v1/policy".to_owned())).await;
    let policy = policy.with_context(|| format!("no node answers at {}", options.to))?.json();
    let needed = POLICY_S_MIN + i64::try_from(options.seconds)?;
    for (name, least) in
        [("payment_timeout_s", POLICY_S_MIN), ("payment_timeout_external_s", needed), ("id_memory_s", needed)]
    {
        let allowed = policy[name].as_i64().unwrap_or_default();
        ensure!(allowed >= least, "the shop's policy has {name} {allowed}; this run needs at least {least}");
    }
    for lap in 1_u64.. {
        let prefix = format!("sim-{}-{lap}", options.seed);
        let answer = connection.ask(&Request::get(format!("/api/v1/products/{prefix}-all"))).await?;
        match answer.status {
            200 => {}
            404 => return Ok(prefix),
            status => anyhow::bail!("the node answers {status}: {}", answer.json()),
        }
    }
    unreachable!("there are more laps than runs")
}

fn customers(options: &Options, prefix: &str, address: SocketAddr) -> Vec<Shopper> {
    let mut numbers = SplitMix64::new(options.seed);
    let shared: Vec<(String, i64)> = (0..SHARED_SKUS)
        .map(|n| (format!("{prefix}-all-{n}"), i64::try_from(1 + numbers.below(5_000)).unwrap_or(1) * 100))
        .collect();
    let count = (options.rate / RATE_EACH).clamp(*CUSTOMERS.start(), *CUSTOMERS.end());
    let customer = |n: u64| {
        let planner = Planner {
            numbers: SplitMix64::new(numbers.next()),
            name: format!("{prefix}-{n}"),
            country: prefix.to_owned(),
            own: Vec::new(),
            shared: shared.iter().map(|(sku, _)| sku.clone()).collect(),
            in_hand: Vec::new(),
            placed: 0,
        };
        Shopper::new(planner, Connection::new(address), &shared)
    };
    (0..count).map(customer).collect()
}

/// Puts the products and the opening stock in.
async fn open(shoppers: &mut Vec<Shopper>, prefix: &str) -> Result<()> {
    if let Some(first) = shoppers.first_mut() {
        let mut skus: Vec<(String, i64)> = first.books.prices.clone().into_iter().collect();
        skus.sort_unstable();
        first.command(Action::Put { product: format!("{prefix}-all"), skus: skus.clone() }).await?;
        for (sku, _) in skus {
            first.command(Action::Move { sku, location: "main".to_owned(), quantity: SHARED_STOCK }).await?;
        }
    }
    let tasks = shoppers
        .drain(..)
        .map(|mut shopper| tokio::spawn(async move { shopper.open().await.map(|()| shopper) }))
        .collect();
    *shoppers = joined(tasks).await?;
    for shopper in shoppers {
        shopper.figures.begin();
    }
    Ok(())
}
