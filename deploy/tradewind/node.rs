//! A whole node in one process: log, sequencer, workers, store. Wires the rooms together; HTTP is put in front by the
//! role that runs it.

use crate::config::Config;
use crate::gateway::{self, Gateway};
use crate::roles::dlq::OperatorLetters;
use anyhow::{Context, Result};
use dataflows::engine::Engine;
use dataflows::epoch::{Cut, Epoch};
use dataflows::port::{CommandLog, Sink, Source};
use dataflows::topic::Topic;
use ingest::checkpoint::{self, Checkpoints, Manifest};
use ingest::command_log::LogCommands;
use ingest::dead_letters::{DeadLetters, Flusher};
use ingest::journal::Journal;
use ingest::log::{Log, Partitions};
use ingest::sealed::{Place, Sealed};
use ingest::sequencer::{Report, Sequencer};
use ingest::source::{LogSource, Worker};
use ingest::storage::Folder;
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
    /// What keeps its state.
    pub checkpoints: Arc<Checkpoints>,
    /// What could not be read.
    pub letters: OperatorLetters,
    sequencer: Sequencer,
    flusher: Flusher,
    engine: Engine,
}

impl Node {
    /// Opens the data folder and starts everything behind HTTP. `fatal` is called if the node cannot go on.
    pub fn start(config: &Config, fatal: &Fatal) -> Result<Node> {
        let folder = config.log.data_dir.join("log");
        let log = open_log(config, &folder)?;
        let ingest = config.ingest();
        let kept = config.log.data_dir.join("checkpoints");
        let kept = Arc::new(Folder::at(&kept).with_context(|| format!("making {}", kept.display()))?);
        let newest = checkpoint::newest(&*kept, config.engine.workers).context("reading the checkpoints")?;
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
        let letters = open_letters(config)?;
        // The letters come before the store: what the store holds may be in a checkpoint, which waits for them.
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(letters.clone()), Box::new(shop.clone()), Box::new(gateway)];
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
        let parts = checkpoint::Parts {
            folder: kept,
            holder: Arc::new(shop.clone()),
            durables: vec![Arc::new(letters.clone())],
            log: Arc::clone(&log),
            from: place,
            last,
        };
        let checkpoints = Arc::new(Checkpoints::start(parts, ingest.checkpoint, log_bytes)?);
        let flusher = Flusher::start(letters.clone())?;
        let vitals = vitals(Arc::clone(&log), folder, behind_ms, stall, replay_to, &checkpoints, &letters);
        let letters = OperatorLetters { letters, log };
        Ok(Node { shop, commands, vitals, replay_to, checkpoints, letters, sequencer, engine, flusher })
    }

    /// Stops reading and closing epochs, and waits until what was read has reached the store.
    pub fn stop(self) {
        drop(self.checkpoints);
        self.sequencer.stop();
        self.engine.stop();
        drop(self.flusher);
    }
}

/// Opens the embedded log, or makes it.
pub fn open_log(config: &Config, folder: &Path) -> Result<Arc<dyn Log>> {
    let partitions = Partitions::uniform(config.log.partitions);
    let journal = Journal::open(folder, &partitions, config.ingest().journal)
        .with_context(|| format!("opening the log in {}", folder.display()))?;
    Ok(Arc::new(journal))
}

fn open_letters(config: &Config) -> Result<DeadLetters> {
    let folder = config.log.data_dir.join("dead-letters");
    let opened = Folder::at(&folder).with_context(|| format!("making {}", folder.display()))?;
    DeadLetters::open(Arc::new(opened), config.ingest().dead_letters)
        .with_context(|| format!("opening the dead letters in {}", folder.display()))
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
    letters: &DeadLetters,
) -> VitalsSource {
    let (checkpoints, letters) = (Arc::downgrade(checkpoints), letters.clone());
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
            Some(Gauge {
                name: "dead_letters_open",
                help: "records that could not be read and that nobody has dealt with",
                value: letters.open_count() as f64,
            }),
        ]
        .into_iter()
        .flatten()
        .collect(),
    })
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
