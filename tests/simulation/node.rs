//! A node without threads: every part is moved by hand. It ends by being dropped, as a process does.

use super::history::History;
use dataflows::contract::changes::Changes;
use dataflows::engine::EngineConfig;
use dataflows::engine::manual::ManualEngine;
use dataflows::ports::Sink;
use ingest::checkpoint::{self, CheckpointConfig, CheckpointManager, LogRetention, Manifest};
use ingest::dead_letters::{self, DeadLetters};
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::input::sequencer;
use ingest::input::sequencer::{EpochSequencer, Report};
use ingest::input::source::{LogSource, SourceConfig, Worker};
use ingest::log::journal::{Journal, Writer};
use ingest::log::storage::Storage;
use ingest::log::{Log, Partitions, journal};
use ingest::output::publisher;
use ingest::output::publisher::{Outbox, OutputPublisher};
use ingest::testing::{Disk, FaultyLog, LogFaults, ManualClock};
use ingest::{Error, Fatal, Signal};
use serving::ViewStore;
use std::sync::{Arc, Mutex};

/// The parts of a node.
pub struct Node {
    pub engine: ManualEngine,
    pub closer: EpochSequencer,
    pub keeper: CheckpointManager,
    pub letters: DeadLetters,
    pub shop: ViewStore,
    /// The log as publishers see it.
    pub log: Arc<dyn Log>,
    pub writer: Writer,
    pub journal: Arc<Journal>,
    pub outbox: Outbox,
    pub publisher: OutputPublisher,
    pub outputs_writer: Writer,
    pub outputs: Arc<Journal>,
    /// The checkpoint that it began with.
    pub base: Option<Manifest>,
    /// The error that made it impossible to continue.
    pub fatal: Arc<Mutex<Option<Error>>>,
}

pub const PARTITIONS: u32 = 3;

/// Small, so that every edge is near.
fn journal_config() -> journal::JournalConfig {
    journal::JournalConfig {
        segment_bytes: 12_000,
        read_window_bytes: 600,
        index_distance_bytes: 500,
        ..journal::JournalConfig::default()
    }
}

/// The parts that a node is started with.
pub struct Parts {
    pub disk: Disk,
    pub faults: LogFaults,
    pub clock: Arc<ManualClock>,
    pub history: History,
}

impl Node {
    /// Starts on what the disk has.
    pub fn start(parts: Parts) -> Result<Node, Error> {
        let Parts { disk, faults, clock, history } = parts;
        let partitions = Partitions::uniform(PARTITIONS);
        let (journal, writer) = Journal::open_stepped(disk.folder("log"), &partitions, journal_config())?;
        let journal = Arc::new(journal);
        history.see_log(&journal)?;
        let faulty = |is_silent| -> Arc<dyn Log> {
            let inner = history.watched(Arc::clone(&journal));
            Arc::new(FaultyLog::new(inner, faults.clone(), is_silent))
        };
        let (log, patient) = (faulty(true), faulty(false));

        let kept = disk.folder("checkpoints");
        let newest = checkpoint::newest(&*kept, 1)?;
        let (base, state) = newest.map(|(manifest, state)| (manifest, Arc::new(state))).unzip();
        let place = base.as_ref().map_or_else(LogPosition::default, Manifest::place);
        let sealed = SealedEpochs::read(&*patient, place.clone())?;
        let shop = ViewStore::new(&serving::Config::default(), Arc::new(|| 0));
        shop.live_from(sealed.end().epochs.last);
        let letters = DeadLetters::open(disk.folder("dead-letters"), dead_letters::DeadLetterConfig::default())?;

        let Outputs { outputs, outputs_writer, outbox, publisher } = Outputs::open(&disk, &faults)?;
        let (published, from) = (outbox.published(), place.epochs.last);
        assert!(published >= from, "a checkpoint of epoch {from} waits for what is published, which is {published}");

        let fatal: Arc<Mutex<Option<Error>>> = Arc::default();
        let stops: Fatal = {
            let fatal = Arc::clone(&fatal);
            Arc::new(move |error| *fatal.lock().unwrap() = Some(error))
        };
        let worker = Worker { index: 0, peers: 1 };
        let source_config = SourceConfig { uncovered_records_max: 40, read_records_max: 16, ..SourceConfig::default() };
        let source = LogSource::open(Arc::clone(&log), &sealed, worker, Arc::clone(&stops), source_config)?;
        let sinks: Vec<Box<dyn Sink>> = vec![
            Box::new(Twice { inner: Box::new(letters.clone()), history: history.clone() }),
            Box::new(Twice { inner: Box::new(outbox.clone()), history: history.clone() }),
            Box::new(Twice { inner: Box::new(shop.clone()), history: history.clone() }),
            Box::new(history.sink(base.as_ref().map(|base| base.epoch))),
        ];
        let config = EngineConfig { epochs_in_flight: 16, ..EngineConfig::default() };
        let engine = ManualEngine::new(config, state, Box::new(source), sinks);

        let report = Report { clock_behind: Arc::new(|_| {}), stalled: Arc::new(|_| {}), fatal: stops };
        let closer = EpochSequencer::new(Arc::clone(&log), &sealed, clock, report, Signal::default(), paced())?;
        let parts = checkpoint::CheckpointParts {
            folder: kept,
            holder: Arc::new(shop.clone()),
            durables: vec![Arc::new(letters.clone()), Arc::new(outbox.clone())],
            log: patient,
            from: place,
            last: base.clone(),
        };
        let config = CheckpointConfig { kept: 2, log_kept: LogRetention::Needed, ..CheckpointConfig::default() };
        let keeper = CheckpointManager::new(parts, config, Signal::default())?;
        Ok(Node {
            engine,
            closer,
            keeper,
            letters,
            shop,
            log,
            writer,
            journal,
            outbox,
            publisher,
            outputs_writer,
            outputs,
            base,
            fatal,
        })
    }
}

/// As fast as it is moved.
fn paced() -> sequencer::SequencerConfig {
    sequencer::SequencerConfig {
        epoch_ms_min: 0,
        epoch_ms_max: 0,
        epoch_records_max: 20,
        acknowledge_ms_max: u64::MAX,
        ..sequencer::SequencerConfig::default()
    }
}

struct Outputs {
    outputs: Arc<Journal>,
    outputs_writer: Writer,
    outbox: Outbox,
    publisher: OutputPublisher,
}

impl Outputs {
    fn open(disk: &Disk, faults: &LogFaults) -> Result<Outputs, Error> {
        let packed = journal::JournalConfig { is_packed: true, ..journal_config() };
        let (outputs, outputs_writer) =
            Journal::open_stepped(disk.folder("outputs"), &Partitions::outputs(PARTITIONS), packed)?;
        let outputs = Arc::new(outputs);
        let inner = Arc::clone(&outputs) as Arc<dyn Log>;
        let log: Arc<dyn Log> = Arc::new(FaultyLog::new(inner, faults.clone(), false));
        let config = publisher::PublisherConfig {
            durable_ms_max: 0,
            acknowledge_ms_max: u64::MAX,
            append_bytes_max: 3_000,
            append_epochs_max: 4,
            ..publisher::PublisherConfig::default()
        };
        let outbox = Outbox::new(publisher::published(&*log)?, config);
        let publisher = OutputPublisher::new(log, outbox.clone());
        Ok(Outputs { outputs, outputs_writer, outbox, publisher })
    }
}

/// A sink that ignores what it holds must not mind to get it again.
struct Twice {
    inner: Box<dyn Sink>,
    history: History,
}

impl Sink for Twice {
    fn apply(&mut self, changes: &Arc<Changes>) {
        self.inner.apply(changes);
        if self.history.strikes("sink given an epoch twice") {
            self.inner.apply(changes);
        }
    }
}
