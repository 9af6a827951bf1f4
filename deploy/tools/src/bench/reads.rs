//! `bench reads`: point reads of orders over HTTP, beside an empty handler served by the same stack in the same run.

use super::load::{Comparison, load};
use super::workload::{SKUS, config, fatal, order, order_id, shop};
use access::root::{Purpose, Roots};
use anyhow::{Context, Result, anyhow};
use dataflows::engine::budget::Budget;
use node::Node;
use serving::{Parts, os_entropy, serve, serve_empty};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const ORDERS: u64 = 50_000;
const CONNECTIONS: usize = 16;
const SECONDS: f64 = 5.0;
/// Both are measured in turns, so that a noisy machine is noisy for both.
const TURNS: usize = 2;

/// The figures.
#[derive(serde::Serialize)]
pub struct ReadsResult {
    orders: u64,
    turns: Vec<Comparison>,
    share_of_empty: f64,
}

/// Measures.
pub fn measure(folder: &Path) -> Result<ReadsResult> {
    let config = config(folder)?;
    let node = Node::start(&config, &fatal())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(compare(&config, &node));
    drop(runtime);
    node.stop();
    figures
}

async fn compare(config: &node::config::Config, node: &Node) -> Result<ReadsResult> {
    publish(node).await?;
    let parts = Parts {
        config: config.serving_limits(),
        bytes: Budget::new(config.serving.bytes_in_flight_max),
        shop: node.shop.clone(),
        log: Arc::clone(&node.commands),
        vitals: Arc::clone(&node.vitals),
        keeper: Arc::new(serving::NoKeeper),
        letters: Arc::new(serving::NoLetters),
        exports: Arc::new(serving::NoExports),
        finder: Arc::new(serving::NoFinder),
        cursors: Roots::new([0; 32], None).signer(Purpose::Cursor),
        entropy: os_entropy(),
    };
    let (ours, empty) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let (at, empty_at) = (ours.local_addr()?, empty.local_addr()?);
    tokio::spawn(serve(ours, None, parts, std::future::pending()));
    tokio::spawn(serve_empty(empty, std::future::pending()));
    let paths: Vec<_> =
        (0..4096).map(|n| format!("/api/v1/orders/{}", order_id(super::workload::mixed(n) % ORDERS))).collect();
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let empty = load(empty_at, &paths, CONNECTIONS, SECONDS).await;
        turns.push(Comparison::of(load(at, &paths, CONNECTIONS, SECONDS).await, empty));
    }
    let share_of_empty = turns.iter().map(|turn| turn.share).sum::<f64>() / turns.len() as f64;
    Ok(ReadsResult { orders: ORDERS, turns, share_of_empty })
}

/// Fills the shop, and waits until everything can be read.
async fn publish(node: &Node) -> Result<()> {
    let orders = (0..ORDERS).map(order);
    let all = shop()?.into_iter().map(Ok).chain(orders).collect::<Result<Vec<_>>>()?;
    let mut last = None;
    for some in all.chunks(SKUS as usize) {
        let (send, receive) = oneshot::channel();
        node.commands.append(some.to_vec(), Box::new(move |result| drop(send.send(result))));
        let origins = receive.await?.map_err(|error| anyhow!(error))?;
        last = origins.last().copied();
    }
    node.shop.wait_for_origin(last.context("something was published")?).await.context("it can be read")?;
    Ok(())
}
