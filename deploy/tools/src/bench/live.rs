//! Commands at a rate into a node that runs in this process, and how soon each is acknowledged and visible. Not over
//! HTTP: only the way from the log into the store is measured.

use super::workload::{order, shop};
use anyhow::{Context, Result, anyhow};
use dataflows::contract::topic::Origin;
use dataflows::ports::{CommandLog, Publication};
use node::Node;
use serving::ViewStore;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The times of all commands, shortest first.
pub struct Latencies {
    /// Until it was durable.
    pub acknowledged_us: Vec<u64>,
    /// From there until it could be read.
    pub visible_us: Vec<u64>,
}

/// Puts the products and their stock in.
pub async fn open(node: &Node) -> Result<()> {
    let waiting: Vec<_> =
        shop()?.into_iter().map(|publication| tokio::spawn(follow(&node.commands, &node.shop, publication))).collect();
    for one in waiting {
        one.await??;
    }
    Ok(())
}

/// Publishes orders from number `first` on at that rate, whether or not those before are through.
pub async fn publish(node: &Node, first: u64, per_s: u64, seconds: u64) -> Result<Latencies> {
    let mut waiting = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / per_s));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    for n in first..first + per_s * seconds {
        tick.tick().await;
        waiting.push(tokio::spawn(follow(&node.commands, &node.shop, order(n)?)));
    }
    let (mut acknowledged_us, mut visible_us) = (Vec::new(), Vec::new());
    for one in waiting {
        let (acknowledged, visible) = one.await??;
        acknowledged_us.push(acknowledged);
        visible_us.push(visible);
    }
    acknowledged_us.sort_unstable();
    visible_us.sort_unstable();
    Ok(Latencies { acknowledged_us, visible_us })
}

/// Microseconds to the acknowledgement, and from there until it is visible.
fn follow(
    commands: &Arc<dyn CommandLog>,
    shop: &ViewStore,
    publication: Publication,
) -> impl Future<Output = Result<(u64, u64)>> + use<> {
    let (commands, shop) = (Arc::clone(commands), shop.clone());
    async move {
        let started = Instant::now();
        let (send, receive) = oneshot::channel();
        commands.append(vec![publication], Box::new(move |result| drop(send.send((result, Instant::now())))));
        let (result, acknowledged) = receive.await?;
        let origin: Origin =
            result.map_err(|error| anyhow!(error))?.first().copied().context("a command has a place")?;
        shop.wait_for_origin(origin).await;
        let visible = acknowledged.elapsed();
        Ok(((acknowledged - started).as_micros() as u64, visible.as_micros() as u64))
    }
}
