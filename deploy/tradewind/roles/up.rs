//! `tradewind up`: everything in one process.

use crate::config::Config;
use crate::demo;
use crate::node::Node;
use crate::roles::checkpoint::OperatorCheckpoints;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use ingest::Fatal;
use serving::{Parts, Shop, os_entropy, serve};
use std::io::IsTerminal;
use std::process::exit;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Runs until it is told to stop.
pub fn run(config: Config, with_demo: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(up(config, with_demo))
}

async fn up(config: Config, with_demo: bool) -> Result<()> {
    let listen = config.serving.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening at {listen}"))?;
    let address = listener.local_addr()?;
    let fatal: Fatal = Arc::new(|error| {
        tracing::error!(%error, "the node cannot go on");
        exit(1);
    });
    let started = Instant::now();
    let node = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || Node::start(&config, &fatal)).await??
    };
    let parts = Parts {
        config: config.serving_limits(),
        shop: node.shop.clone(),
        log: Arc::clone(&node.commands),
        vitals: Arc::clone(&node.vitals),
        keeper: Arc::new(OperatorCheckpoints(Arc::clone(&node.checkpoints))),
        finder: Arc::clone(&node.finder),
        entropy: os_entropy(),
    };
    let (stop, mut stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, parts, async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let stopping = tokio::spawn(until_told(stop));

    let (stop_demo, demo_stopped) = mpsc::channel();
    let ready = tokio::spawn(announce(node.shop.clone(), node.replay_to.0, started, address, with_demo));
    if with_demo {
        let base = format!("http://{address}");
        tokio::task::spawn_blocking(move || {
            if let Err(error) = demo::run(&base, &demo_stopped) {
                tracing::warn!(error = format!("{error:#}"), "the demo's traffic has ended");
            }
        });
    }

    let served = server.await?;
    drop(stop_demo);
    ready.abort();
    stopping.abort();
    node.shop.set_ready(false, "stopping");
    tokio::task::spawn_blocking(move || node.stop()).await?;
    served.context("serving")
}

/// Tells the server to stop at the first signal, and ends the process at the second.
async fn until_told(stop: watch::Sender<bool>) -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut told = false;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if told {
            exit(1);
        }
        told = true;
        tracing::info!("stopping; once more to stop at once");
        let _ = stop.send(true);
    }
}

/// Shows the replay, and says when the node may be asked.
async fn announce(shop: Shop, replay_to: u64, started: Instant, address: std::net::SocketAddr, with_demo: bool) {
    let bar = if replay_to > 0 && std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("replaying {wide_bar} {pos}/{len} epochs, {per_sec}, {eta} left");
        ProgressBar::new(replay_to).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    } else {
        ProgressBar::hidden()
    };
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while shop.latest().is_none_or(|latest| latest.0 < replay_to) {
        tick.tick().await;
        bar.set_position(shop.applied().0);
        shop.set_ready(false, format!("replaying: epoch {} of {replay_to}", shop.applied()));
    }
    bar.finish_and_clear();
    shop.set_ready(true, "");
    tracing::info!(epochs = replay_to, seconds = started.elapsed().as_secs_f64(), "ready at http://{address}");
    if with_demo {
        println!("{}", demo::welcome(&format!("http://{address}")));
    }
}
