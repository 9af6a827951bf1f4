//! A whole node in one process: log, sequencer, workers, store. Wires the rooms together; HTTP is put in front by the
//! role that runs it.

use crate::config::Config;
use crate::gateway::{self, Gateway};
use anyhow::{Context, Result};
use dataflows::engine::Engine;
use dataflows::epoch::{Cut, Epoch};
use dataflows::finder::{Finder, IndexStanding};
use dataflows::port::{CommandLog, Sink, Source};
use dataflows::topic::Topic;
use ingest::checkpoint::{self, Checkpoints, Manifest};
use ingest::command_log::LogCommands;
use ingest::journal::Journal;
use ingest::log::{Log, Partitions};
use ingest::sealed::{Place, Sealed};
use ingest::sequencer::{Report, Sequencer};
use ingest::source::{LogSource, Worker};
use ingest::{Fatal, WallClock};
use serving::shop::NowMs;
use serving::{Gauge, Shop, Vitals, VitalsSource};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The parts of a node that runs.
pub struct Node {
    /// What requests read.
    pub shop: Shop,
    /// Where requests write.
    pub commands: Arc<dyn CommandLog>,
    /// What the node says of itself.
    pub vitals: VitalsSource,
    /// The last epoch that the log held at the start.
    pub replay_to: Epoch,
    /// What finds products.
    pub finder: Arc<dyn Finder>,
    /// What keeps its state.
    pub checkpoints: Arc<Checkpoints>,
    sequencer: Sequencer,
    engine: Engine,
}

impl Node {
    /// Opens the data folder and starts everything behind HTTP. `fatal` is called if the node cannot go on.
    pub fn start(config: &Config, fatal: &Fatal) -> Result<Node> {
        let folder = config.log.data_dir.join("log");
        let log = open_log(config, &folder)?;
        let kept = config.log.data_dir.join("checkpoints");
        let newest = checkpoint::newest(&kept, config.engine.workers).context("reading the checkpoints")?;
        let (last, base) = newest.map(|(manifest, state)| (manifest, Arc::new(state))).unzip();
        let place = last.as_ref().map_or_else(Place::default, Manifest::place);
        let sealed = Sealed::read(&*log, place.clone()).context("reading the epochs of the log")?;
        if let Some(last) = &last {
            tracing::info!(epoch = last.epoch.0, rows = last.rows(), "the state of a checkpoint is read");
        }
        let replay_to = sealed.end().epochs.last;

        let started = Instant::now();
        let now_ms: NowMs = Arc::new(move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let shop = Shop::new(&config.serving_limits(), Arc::clone(&now_ms));
        shop.live_from(replay_to);

        let ingest = config.ingest();
        let peers = config.engine.workers;
        let sources = (0..peers).map(|index| -> Result<Box<dyn Source>> {
            let worker = Worker { index, peers };
            let (log, fatal) = (Arc::clone(&log), Arc::clone(fatal));
            Ok(Box::new(LogSource::open(log, &sealed, worker, fatal, ingest.source.clone())?))
        });
        let clock = Arc::new(WallClock);
        let commands: Arc<dyn CommandLog> =
            Arc::new(LogCommands::new(Arc::clone(&log), clock.clone(), ingest.command_log.clone()));
        let gateway = Gateway::start(Arc::clone(&commands), replay_to, now_ms, gateway::Config::default())?;
        let (index, finder) = search::open(config.search()?, &config.log.data_dir.join("search"), replay_to)?;
        let finder: Arc<dyn Finder> = Arc::new(finder);
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(shop.clone()), Box::new(gateway), Box::new(index)];
        let engine = Engine::start(config.engine.limits.clone(), base, sources.collect::<Result<_>>()?, sinks)?;

        let behind_ms = Arc::new(AtomicU64::new(0));
        let clock_behind = {
            let behind_ms = Arc::clone(&behind_ms);
            Arc::new(move |behind: Duration| {
                behind_ms.store(u64::try_from(behind.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            })
        };
        let stall = Stall::default();
        let stalled = {
            let stall = Arc::clone(&stall);
            Arc::new(move |why| *stall.lock().unwrap_or_else(PoisonError::into_inner) = why)
        };
        let report = Report { clock_behind, stalled, fatal: Arc::clone(fatal) };
        let sequencer = Sequencer::start(Arc::clone(&log), &sealed, clock, report, ingest.sequencer.clone())?;
        let log_bytes = {
            let folder = folder.clone();
            move || bytes_in(&folder)
        };
        let holder = Arc::new(shop.clone());
        let checkpoints = Checkpoints::start(kept, holder, &*log, place, last, log_bytes, ingest.checkpoint)?;
        let checkpoints = Arc::new(checkpoints);
        let vitals = vitals(log, folder, behind_ms, stall, replay_to, &checkpoints, Arc::clone(&finder));
        Ok(Node { shop, commands, vitals, replay_to, finder, checkpoints, sequencer, engine })
    }

    /// Stops reading and closing epochs, and waits until what was read has reached the store.
    pub fn stop(self) {
        drop(self.checkpoints);
        self.sequencer.stop();
        self.engine.stop();
    }
}

/// Opens the embedded log, or makes it.
pub fn open_log(config: &Config, folder: &Path) -> Result<Arc<dyn Log>> {
    let partitions = Partitions::uniform(config.log.partitions);
    let journal = Journal::open(folder, &partitions, config.ingest().journal)
        .with_context(|| format!("opening the log in {}", folder.display()))?;
    Ok(Arc::new(journal))
}

/// Why no epoch can be closed, while that is so.
type Stall = Arc<Mutex<Option<String>>>;

fn vitals(
    log: Arc<dyn Log>,
    folder: PathBuf,
    behind_ms: Arc<AtomicU64>,
    stall: Stall,
    replay_to: Epoch,
    checkpoints: &Arc<Checkpoints>,
    finder: Arc<dyn Finder>,
) -> VitalsSource {
    let checkpoints = Arc::downgrade(checkpoints);
    Arc::new(move || Vitals {
        ends: command_ends(&*log),
        log_bytes: bytes_in(&folder),
        replay_to: Some(replay_to),
        kafka: None,
        stalled: stall.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        gauges: [
            Some(Gauge {
                name: "clock_behind_seconds",
                help: "how far the wall clock is behind the last epoch",
                value: behind_ms.load(Ordering::Relaxed) as f64 / 1000.0,
            }),
            checkpoints.upgrade().and_then(|checkpoints| checkpoints.last_epoch()).map(|epoch| Gauge {
                name: "checkpoint_epoch",
                help: "the epoch of the newest checkpoint",
                value: epoch.0 as f64,
            }),
            checkpoints.upgrade().and_then(|checkpoints| checkpoints.age()).map(|age| Gauge {
                name: "checkpoint_age_seconds",
                help: "since the newest checkpoint was taken, or this process read it",
                value: age.as_secs_f64(),
            }),
        ]
        .into_iter()
        .flatten()
        .chain(index_gauges(&finder.standing()))
        .collect(),
    })
}

/// How the product index stands.
fn index_gauges(standing: &IndexStanding) -> [Gauge; 4] {
    let IndexStanding { epoch, products, bytes, stalled } = standing;
    let gauge = |name, help, value| Gauge { name, help, value };
    [
        gauge("search_epoch", "the newest epoch that searches are answered at", epoch.0 as f64),
        gauge("search_products", "the products that can be found", *products as f64),
        gauge("search_index_bytes", "the bytes of the product index", *bytes as f64),
        gauge("search_stalled", "1 while the product index cannot be written", f64::from(u8::from(stalled.is_some()))),
    ]
}

/// Where the topics end that epochs cut; nothing while the log cannot say.
fn command_ends(log: &dyn Log) -> Cut {
    let mut ends = log.ends().unwrap_or_default();
    ends.0.remove(&Topic::Epochs);
    ends
}

/// The bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
}
