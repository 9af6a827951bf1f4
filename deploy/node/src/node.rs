//! A whole node in one process: log, sequencer, workers, store. Wires the rooms together; HTTP is put in front by the
//! role that runs it, before the state is read, so that a client can ask how far that is.

use crate::config::Config;
use crate::epoch_times::EpochTimes;
use crate::export::{self, ExportHandle};
use crate::gateway::{self, Gateway};
use crate::late_bound::LateBound;
use crate::operator::checkpoints::OperatorCheckpoints;
use crate::operator::dead_letters::OperatorLetters;
use crate::outputs::{self, Outputs};
use crate::retention::OutputRetention;
use crate::{kafka_listener, log, secrets};
use access::root::Purpose;
use anyhow::{Context, Result};
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::{Cut, Epoch};
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::engine::Engine;
use dataflows::engine::budget::Budget;
use dataflows::ports::product_search::{IndexStatus, ProductSearch};
use dataflows::ports::{CommandLog, Sink, Source};
use ingest::checkpoint::{self, Checkpoints, FlushBeforeCheckpoint, Manifest};
use ingest::dead_letters::{DeadLetters, Flusher};
use ingest::input::command_log::LogCommands;
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::input::sequencer::{Report, Sequencer};
use ingest::input::source::{LogSource, Worker};
use ingest::log::Log;
use ingest::log::listener::Listener;
use ingest::log::storage::Folder;
use ingest::output::publisher::Outbox;
use ingest::{Clock, Fatal, WallClock};
use serving::shop::NowMs;
use serving::{Gauge, NoExports, NodeStatus, Parts, Standstill, ViewStore, VitalsSource, os_entropy};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The parts of a node that runs.
pub struct Node {
    /// The views that requests read.
    pub shop: ViewStore,
    /// The log that requests write to.
    pub commands: Arc<dyn CommandLog>,
    /// The vitals of the node.
    pub vitals: VitalsSource,
    /// The last epoch that the log held at the start.
    pub replay_to: Epoch,
    /// The end of the log at the start.
    pub backlog: Cut,
    /// The product search.
    pub finder: Arc<dyn ProductSearch>,
    /// The checkpoints of its state.
    pub checkpoints: Arc<Checkpoints>,
    sequencer: Sequencer,
    engine: Engine,
    flusher: Flusher,
    publishing: Option<outputs::OutputTasks>,
    exporting: Option<export::Thread>,
}

/// A node whose log is open: it can be asked how it is, and takes commands, which are decided once it has started.
pub struct OpenNode {
    /// The views that requests read.
    pub shop: ViewStore,
    /// The log that requests write to.
    pub commands: Arc<dyn CommandLog>,
    /// The vitals of the node.
    pub vitals: VitalsSource,
    late: Arc<LateBound>,
    log: Arc<dyn Log>,
    letters: DeadLetters,
    outputs: Option<Outputs>,
    /// None if no tables are written.
    exporting: Option<ExportHandle>,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    now_ms: NowMs,
    behind_ms: Arc<AtomicU64>,
    stall: Stall,
}

impl OpenNode {
    /// Opens the log in the data folder. The clock gives epochs their time.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<OpenNode> {
        let folder = config.log.data_dir.join("log");
        secrets::own_data_folder(&config.log.data_dir)?;
        let opened = log::open(config)?;
        let log = Arc::clone(&opened.log);
        let started = Instant::now();
        let now_ms: NowMs = Arc::new(move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let shop = ViewStore::new(&config.serving_limits(), Arc::clone(&now_ms));
        let commands: Arc<dyn CommandLog> =
            Arc::new(LogCommands::new(Arc::clone(&log), Arc::clone(&clock), config.ingest().command_log));
        let (behind_ms, stall, late) = (Arc::new(AtomicU64::new(0)), Stall::default(), Arc::<LateBound>::default());
        let letters = open_letters(config)?;
        let outputs = Outputs::open(config)?;
        let exporting = (config.export.tables && outputs.is_some()).then(ExportHandle::default);
        let seen = StatusProbe {
            opened,
            folder: folder.clone(),
            behind_ms: Arc::clone(&behind_ms),
            stall: Arc::clone(&stall),
            late: Arc::clone(&late),
            shop: shop.clone(),
            letters: letters.clone(),
            outbox: outputs.as_ref().map(|outputs| outputs.outbox.clone()),
            kept: outputs.as_ref().and_then(|outputs| outputs.kept.clone()),
            exporting: exporting.clone(),
        };
        let vitals: VitalsSource = Arc::new(move || seen.vitals());
        Ok(OpenNode {
            shop,
            commands,
            vitals,
            late,
            log,
            letters,
            outputs,
            exporting,
            folder,
            clock,
            now_ms,
            behind_ms,
            stall,
        })
    }

    /// The parts that HTTP is served from, with these bytes under way.
    pub fn parts(&self, config: &Config, bytes: &Arc<Budget>) -> Result<Parts> {
        let epochs = TopicPartition::new(Topic::Epochs, 0);
        let others_have_one = || Ok(config.kafka().is_some() && self.log.ends()?.get(epochs).unwrap_or(0) > 0);
        Ok(Parts {
            config: config.serving_limits(),
            bytes: Arc::clone(bytes),
            shop: self.shop.clone(),
            log: Arc::clone(&self.commands),
            vitals: Arc::clone(&self.vitals),
            keeper: Arc::new(OperatorCheckpoints { late: Arc::clone(&self.late), data: config.log.data_dir.clone() }),
            letters: Arc::new(OperatorLetters { letters: self.letters.clone(), log: Arc::clone(&self.log) }),
            exports: match &self.exporting {
                Some(exporting) => Arc::new(exporting.clone()),
                None => Arc::new(NoExports),
            },
            finder: Arc::clone(&self.late) as Arc<dyn ProductSearch>,
            cursors: secrets::roots(config, others_have_one)?.signer(Purpose::Cursor),
            entropy: os_entropy(),
        })
    }

    /// Opens the listener for Kafka clients at that address, with these bytes under way.
    pub fn kafka_listener(&self, config: &Config, address: SocketAddr, bytes: &Arc<Budget>) -> Result<Listener> {
        let outputs = self.outputs.as_ref().map(|outputs| &outputs.log);
        let listener = kafka_listener::open(config, &self.log, outputs, bytes)?;
        self.late.kafka_listen.get_or_init(|| address);
        Ok(listener)
    }

    /// Reports why the node cannot be asked yet.
    fn report_not_ready(&self, why: String) {
        tracing::info!("{why}");
        self.shop.set_ready(false, format!("starting: {why}"));
    }

    /// The state to begin with: that of the newest checkpoint, if there is one.
    fn restore(&self, config: &Config, kept: &Folder) -> Result<Option<(Manifest, Changes)>> {
        let all = checkpoint::list(kept).context("reading the checkpoints")?;
        let Some((_, Ok(newest))) = all.first() else {
            return checkpoint::newest(kept, config.engine.workers).context("reading the checkpoints");
        };
        // Deleted outputs are made again from the log, as long as all of it is there.
        let published = self.outputs.as_ref().map_or(newest.epoch, |outputs| outputs.outbox.published());
        if published < newest.epoch && self.log.starts()?.iter().all(|(_, start)| start == 0) {
            self.report_not_ready(format!(
                "the outputs end at epoch {published}, and are made again from the whole log"
            ));
            return Ok(None);
        }
        self.report_not_ready(format!("reading the checkpoint of epoch {}, {} rows", newest.epoch, newest.rows()));
        checkpoint::newest(kept, config.engine.workers).context("reading the checkpoints")
    }

    /// Reads the state that was kept, and starts all that HTTP needs. `fatal` is called if the node cannot continue.
    pub fn start(self, config: &Config, fatal: &Fatal) -> Result<Node> {
        let kept = config.log.data_dir.join("checkpoints");
        let kept = Arc::new(Folder::at(&kept).with_context(|| format!("making {}", kept.display()))?);
        let (last, base) = self.restore(config, &kept)?.map(|(manifest, state)| (manifest, Arc::new(state))).unzip();
        let OpenNode {
            shop,
            commands,
            vitals,
            late,
            log,
            letters,
            outputs,
            exporting,
            folder,
            clock,
            now_ms,
            behind_ms,
            stall,
        } = self;
        let place = last.as_ref().map_or_else(LogPosition::default, Manifest::place);
        let sealed = SealedEpochs::read(&*log, place.clone()).context("reading the epochs of the log")?;
        if let Some(last) = &last {
            tracing::info!(epoch = last.epoch.0, rows = last.rows(), "the state of a checkpoint is read");
        }
        let replay_to = sealed.end().epochs.last;
        late.replay_to.get_or_init(|| replay_to);
        shop.live_from(replay_to);

        let ingest = config.ingest();
        let peers = config.engine.workers;
        let sources = (0..peers).map(|index| -> Result<Box<dyn Source>> {
            let worker = Worker { index, peers };
            let (log, fatal) = (Arc::clone(&log), Arc::clone(fatal));
            Ok(Box::new(LogSource::open(log, &sealed, worker, fatal, ingest.source.clone())?))
        });
        let gateway = Gateway::start(Arc::clone(&commands), replay_to, now_ms, gateway::GatewayConfig::default())?;
        let outbox = outputs.as_ref().map(|outputs| outputs.outbox.clone());
        // Sinks that make part of an epoch durable get it before the store: the store's rows may be in a checkpoint,
        // which waits for them.
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(letters.clone())];
        sinks.extend(outbox.clone().map(|outbox| -> Box<dyn Sink> { Box::new(outbox) }));
        let (index, finder) = search::open(config.search()?, &config.log.data_dir.join("search"), replay_to)?;
        late.finder.get_or_init(|| Arc::new(finder));
        sinks.extend([Box::new(shop.clone()) as Box<dyn Sink>, Box::new(gateway), Box::new(index)]);
        let times = Arc::new(EpochTimes::new(config.engine.slow_epoch));
        late.epoch_times.get_or_init(|| Arc::clone(&times));
        let engine = Engine::start(config.engine.limits.clone(), base, sources.collect::<Result<_>>()?, sinks, times)?;

        let report = report(behind_ms, stall, fatal);
        let sequencer = Sequencer::start(Arc::clone(&log), &sealed, clock, report, ingest.sequencer.clone())?;
        let log_bytes = move || bytes_in(&folder);
        let mut durables: Vec<Arc<dyn FlushBeforeCheckpoint>> = vec![Arc::new(letters.clone())];
        durables.extend(outbox.map(|outbox| -> Arc<dyn FlushBeforeCheckpoint> { Arc::new(outbox) }));
        let holder = Arc::new(shop.clone());
        let epochs = Arc::clone(&log);
        let parts = checkpoint::CheckpointParts { folder: kept, holder, durables, log, from: place, last };
        let checkpoints = Arc::new(Checkpoints::start(parts, ingest.checkpoint, log_bytes)?);
        late.checkpoints.get_or_init(|| Arc::downgrade(&checkpoints));
        let flusher = Flusher::start(letters)?;
        let publishing = outputs.as_ref().map(|outputs| outputs.start(exporting.as_ref())).transpose()?;
        let exporting = start_export(exporting, outputs, epochs, &shop, config)?;
        Ok(Node {
            shop,
            commands,
            vitals,
            replay_to,
            backlog: sealed.backlog().clone(),
            finder: late,
            checkpoints,
            sequencer,
            engine,
            flusher,
            publishing,
            exporting,
        })
    }
}

impl Node {
    /// Opens the data folder and starts everything at once.
    pub fn start(config: &Config, fatal: &Fatal) -> Result<Node> {
        OpenNode::new(config, Arc::new(WallClock))?.start(config, fatal)
    }

    /// Stops reading and closing epochs, and waits until what was read has reached the store.
    pub fn stop(self) {
        drop(self.checkpoints);
        drop(self.exporting);
        self.sequencer.stop();
        // A sink that waits for room to publish waits no longer; the next start publishes what was not.
        drop(self.publishing);
        self.flusher.end_waiting();
        self.engine.stop();
        drop(self.flusher);
    }
}

/// The receiver of the sequencer's reports.
fn report(behind_ms: Arc<AtomicU64>, stall: Stall, fatal: &Fatal) -> Report {
    let clock_behind = Arc::new(move |behind: Duration| {
        behind_ms.store(u64::try_from(behind.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    });
    let stalled = Arc::new(move |why| *stall.lock().unwrap_or_else(PoisonError::into_inner) = why);
    Report { clock_behind, stalled, fatal: Arc::clone(fatal) }
}

/// Starts to write tables, if that is wanted.
fn start_export(
    exporting: Option<ExportHandle>,
    outputs: Option<Outputs>,
    epochs: Arc<dyn ingest::log::Log>,
    shop: &ViewStore,
    config: &Config,
) -> Result<Option<export::Thread>> {
    let Some((exporting, Outputs { outbox: _, log, kept: _ })) = exporting.zip(outputs) else { return Ok(None) };
    let (data, shop) = (config.log.data_dir.clone(), shop.clone());
    exporting.start(export::Parts { log, epochs, data, shop, config: config.export.clone() }).map(Some)
}

fn open_letters(config: &Config) -> Result<DeadLetters> {
    let folder = config.log.data_dir.join("dead-letters");
    let opened = Folder::at(&folder).with_context(|| format!("making {}", folder.display()))?;
    DeadLetters::open(Arc::new(opened), config.ingest().dead_letters)
        .with_context(|| format!("opening the dead letters in {}", folder.display()))
}

/// Why no epoch can be closed, while that is so.
type Stall = Arc<Mutex<Option<String>>>;

/// The parts that the node's status is read from.
struct StatusProbe {
    opened: log::OpenLog,
    folder: PathBuf,
    behind_ms: Arc<AtomicU64>,
    stall: Stall,
    late: Arc<LateBound>,
    shop: ViewStore,
    letters: DeadLetters,
    outbox: Option<Outbox>,
    kept: Option<OutputRetention>,
    exporting: Option<ExportHandle>,
}

impl StatusProbe {
    fn vitals(&self) -> NodeStatus {
        NodeStatus {
            ends: (self.opened.ends)(),
            log_bytes: bytes_in(&self.folder),
            replay_to: self.late.replay_to.get().copied(),
            kafka: self.opened.kafka.clone().or_else(|| Some(self.late.kafka_listen.get()?.to_string())),
            stalled: self.stall.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            standstills: self.standstills(),
            outputs_floor: self.kept.as_ref().and_then(OutputRetention::floor),
            gauges: self.gauges(),
            stages: self.late.epoch_times.get().map(|times| times.decided()).into_iter().collect(),
        }
    }

    fn standstills(&self) -> Vec<Standstill> {
        let holding = |sink, standstill: ingest::Standstill| {
            let ingest::Standstill { why, lasts } = standstill;
            Standstill { sink, why, holds_log: Some(lasts) }
        };
        let beside = |sink, why| Standstill { sink, why, holds_log: None };
        let checkpoints = self.late.checkpoints().and_then(|checkpoints| checkpoints.stalled());
        let outputs = self.outbox.as_ref().and_then(Outbox::stalled);
        [
            checkpoints.map(|standstill| holding("checkpoints", standstill)),
            self.letters.stalled().map(|standstill| holding("dead_letters", standstill)),
            self.exporting.as_ref().and_then(ExportHandle::stalled).map(|why| beside("export", why)),
            outputs.map(|standstill| holding("outputs", standstill)),
            self.kept.as_ref().and_then(OutputRetention::stalled).map(|why| beside("retention", why)),
            self.late.standing().stalled.map(|why| beside("search", why)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn gauges(&self) -> Vec<Gauge> {
        let gauge = |name, help, value| Gauge { name, help, value };
        let behind_s = self.behind_ms.load(Ordering::Relaxed) as f64 / 1000.0;
        let open = self.letters.open_count() as f64;
        let mut gauges = vec![
            gauge("clock_behind_seconds", "how far the wall clock is behind the last epoch", behind_s),
            gauge("dead_letters_open", "records that could not be read and that nobody has dealt with", open),
        ];
        let checkpoints = self.late.checkpoints();
        if let Some(epoch) = checkpoints.as_ref().and_then(|checkpoints| checkpoints.last_epoch()) {
            gauges.push(gauge("checkpoint_epoch", "the epoch of the newest checkpoint", epoch.0 as f64));
        }
        if let Some(age) = checkpoints.as_ref().and_then(|checkpoints| checkpoints.age()) {
            let help = "since the newest checkpoint was taken, or this process read it";
            gauges.push(gauge("checkpoint_age_seconds", help, age.as_secs_f64()));
        }
        if let Some(outbox) = &self.outbox {
            let behind = self.shop.applied().0.saturating_sub(outbox.published().0);
            gauges.push(gauge("outputs_lag_epochs", "epochs that are not published yet", behind as f64));
        }
        gauges.extend(self.kept.iter().flat_map(OutputRetention::gauges));
        gauges.extend(self.exporting.iter().flat_map(|exporting| exporting.gauges(self.shop.applied())));
        gauges.extend(index_gauges(&self.late.standing()));
        gauges
    }
}

/// The figures of the product index.
fn index_gauges(standing: &IndexStatus) -> [Gauge; 4] {
    let IndexStatus { epoch, products, bytes, stalled } = standing;
    let gauge = |name, help, value| Gauge { name, help, value };
    [
        gauge("search_epoch", "the newest epoch that searches are answered at", epoch.0 as f64),
        gauge("search_products", "the products that can be found", *products as f64),
        gauge("search_index_bytes", "the bytes of the product index", *bytes as f64),
        gauge("search_stalled", "1 while the product index cannot be written", f64::from(u8::from(stalled.is_some()))),
    ]
}

/// The bytes of the files in a folder.
pub fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
}
