//! `tradewind up`: everything in one process.

use crate::OpenNode;
use crate::arguments::ConfigFlags;
use crate::client::Client;
use crate::config::{Config, Settings};
use crate::folder_lock::FolderLock;
use crate::service_manager::ServiceManager;
use crate::telemetry::{self, LogHandle};
use crate::{config, descriptors, kafka_listener, malloc_workaround};
use anyhow::{Context, Result};
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::engine::budget::Budget;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::{Fatal, WallClock};
use serving::{ViewStore, serve};
use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::process::exit;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The arguments of `up`.
#[derive(Clone, Debug, clap::Args)]
pub struct UpArgs {
    /// The flags that override the configuration.
    #[command(flatten)]
    pub flags: ConfigFlags,
    /// Also loads a small built-in shop and runs light traffic
    #[arg(long)]
    pub demo: bool,
    /// Allows a --listen beyond loopback, where every caller then has all rights
    #[arg(long)]
    pub insecure: bool,
}

/// The shop and the traffic that `--demo` runs beside the node.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// Loads a shop into the node at that address, and runs traffic until the other end is gone.
    pub run: fn(&str, &mpsc::Receiver<()>) -> Result<()>,
    /// The text about it that is shown once the node at that address is ready.
    pub welcome: fn(&str) -> String,
}

/// The work of the process around the node.
struct Around {
    demo: Option<Demo>,
    /// Reads again what of the configuration can change while the node runs.
    reread: Box<dyn FnMut() -> Result<()> + Send>,
    /// The service manager that started the process.
    manager: ServiceManager,
}

/// Runs until it is stopped.
pub fn run(UpArgs { flags, demo: with_demo, insecure }: UpArgs, demo: Demo) -> Result<()> {
    let settings = flags.clone().settings()?;
    let config = settings.config();
    config.refuse_open_listen(insecure)?;
    let environment = config::environment();
    if config.kafka().is_some() {
        malloc_workaround::reexec_with_zeroed_malloc(&environment)?;
    }
    let logging = telemetry::start(&config.telemetry)?;
    let manager = ServiceManager::of(&environment);
    let reread = Box::new(move || reread(&settings, flags.clone(), &logging));
    let config = descriptors::fit(config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(up(config, Around { demo: with_demo.then_some(demo), reread, manager }))
}

/// Reads the configuration again for a node that runs, and logs what of it waits for the next start.
fn reread(started_with: &Settings, flags: ConfigFlags, logging: &LogHandle) -> Result<()> {
    let settings = flags.settings()?;
    let log_level = settings.config().telemetry.log_level;
    logging.set_level(log_level)?;
    let waits: Vec<&str> = started_with.differences(&settings).filter(|key| !config::RELOADED.contains(key)).collect();
    tracing::info!(?log_level, waits_for_a_restart = waits.join(", "), "the configuration was read again");
    Ok(())
}

async fn up(config: Config, around: Around) -> Result<()> {
    let Around { demo, reread, manager } = around;
    let (stop, stopped) = watch::channel(false);
    // From here on, whatever takes long: a signal to stop ends the node in good order.
    let told = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    let stopping = tokio::spawn(until_told(told, stop, manager.clone()));
    let rereading = tokio::spawn(at_hangup(signal(SignalKind::hangup())?, reread));
    let listen = config.serving.listen;
    let listener = bind(listen).await?;
    let address = listener.local_addr()?;
    let _held = FolderLock::by_node(&config.log.data_dir, &format!("http://{address}"))?;
    let operators = bind_operators(config.serving.operators_listen.filter(|other| *other != listen)).await?;
    let kafka = kafka_listener::bind(&config).await?;
    let fatal: Fatal = Arc::new(|error| {
        tracing::error!(%error, "the node cannot go on");
        exit(1);
    });
    let started = Instant::now();
    let opened = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || OpenNode::new(&config, Arc::new(WallClock))).await??
    };
    let bytes = Budget::new(config.serving.bytes_in_flight_max);
    let parts = opened.parts(&config, &bytes)?;
    let server = tokio::spawn(serve(listener, operators, parts, until(stopped.clone())));
    let kafka_address = kafka.as_ref().map(TcpListener::local_addr).transpose()?;
    let kafka_server = match kafka.zip(kafka_address) {
        Some((socket, at)) => {
            Some(tokio::spawn(opened.kafka_listener(&config, at, &bytes)?.serve(socket, until(stopped.clone()))))
        }
        None => None,
    };
    let node = tokio::task::spawn_blocking(move || opened.start(&config, &fatal)).await??;

    let (stop_demo, demo_stopped) = mpsc::channel();
    let (replay_to, backlog) = (node.replay_to, node.backlog.clone());
    let announced = Announcement { replay_to, backlog, started, address, kafka_address, demo };
    let ready = tokio::spawn(announce(node.shop.clone(), announced, manager, stopped));
    if let Some(demo) = demo {
        let base = format!("http://{address}");
        tokio::task::spawn_blocking(move || {
            if let Err(error) = (demo.run)(&base, &demo_stopped) {
                tracing::warn!(error = format!("{error:#}"), "the demo's traffic has ended");
            }
        });
    }

    let served = server.await?;
    if let Some(server) = kafka_server {
        server.await?;
    }
    drop(stop_demo);
    ready.abort();
    stopping.abort();
    rereading.abort();
    node.shop.set_ready(false, "draining: the node stops");
    tokio::task::spawn_blocking(move || node.stop()).await?;
    served.context("serving")
}

/// Listens for HTTP at an address; the error names what has it.
async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    let error = match TcpListener::bind(listen).await {
        Ok(listener) => return Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => error,
        Err(error) => return Err(error).with_context(|| format!("listening at {listen}")),
    };
    let is_node = tokio::task::spawn_blocking(move || {
        let client = Client::new(&format!("http://{listen}"))?;
        client.probe("/health/live").map(|answer| answer.status == 200 && answer.body.contains("\"live\""))
    });
    let holder = match is_node.await? {
        Ok(true) => "a node answers there (`tradewind status --to` shows it)",
        Ok(false) | Err(_) => "another program has it",
    };
    Err(error).with_context(|| format!("{listen} is taken: {holder}; take another address with --listen, or port 0"))
}

/// The operators' own listener, if there is to be one.
async fn bind_operators(listen: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    let Some(listen) = listen else { return Ok(None) };
    let listener = bind(listen).await?;
    tracing::info!("operators' routes, health and metrics at http://{}", listener.local_addr()?);
    Ok(Some(listener))
}

/// Waits until everything is to stop.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Reads the configuration again at each signal to do so. A configuration with errors changes nothing.
async fn at_hangup(mut hangup: Signal, mut reread: Box<dyn FnMut() -> Result<()> + Send>) {
    while hangup.recv().await.is_some() {
        if let Err(error) = reread() {
            tracing::error!(error = format!("{error:#}"), "the configuration stays as it was");
        }
    }
}

/// Stops the server at the first signal, and ends the process at the second.
async fn until_told([mut interrupt, mut terminate]: [Signal; 2], stop: watch::Sender<bool>, manager: ServiceManager) {
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
        manager.stopping();
        let _ = stop.send(true);
    }
}

/// The text about a node that may be asked.
struct Announcement {
    replay_to: Epoch,
    backlog: Cut,
    started: Instant,
    address: SocketAddr,
    kafka_address: Option<SocketAddr>,
    demo: Option<Demo>,
}

/// Shows the replay, and reports when the node may be asked and when it no longer may.
async fn announce(
    shop: ViewStore,
    announced: Announcement,
    manager: ServiceManager,
    mut stopped: watch::Receiver<bool>,
) {
    let Announcement { replay_to, backlog, started, address, kafka_address, demo } = announced;
    let bar = if replay_to > Epoch(0) && std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("replaying {wide_bar} {pos}/{len} epochs, {per_sec}, {eta} left");
        ProgressBar::new(replay_to.0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    } else {
        ProgressBar::hidden()
    };
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while shop.latest().is_none_or(|latest| latest < replay_to) {
        tick.tick().await;
        bar.set_position(shop.applied().0);
    }
    bar.finish_and_clear();
    // Records acknowledged before the start that are in no epoch yet come next: a node that is ready must have them.
    shop.set_ready(false, "starting: deciding what the log held beyond its last epoch");
    while shop.cut().is_before(&backlog) || shop.latest() < Some(shop.applied()) {
        tick.tick().await;
    }
    shop.set_ready(true, "");
    manager.ready();
    let kafka = kafka_address.map_or_else(|| "none".to_owned(), |address| address.to_string());
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(epochs = replay_to.0, seconds, kafka, "ready at http://{address}");
    if let Some(demo) = demo {
        println!("{}", (demo.welcome)(&format!("http://{address}")));
    }
    let _ = stopped.wait_for(|stop| *stop).await;
    shop.set_ready(false, "draining: the node stops");
}
