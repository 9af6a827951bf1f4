//! A node without threads: every part is moved by hand. It ends by being dropped, as a process does.

use super::history::History;
use dataflows::contract::changes::Changes;
use dataflows::engine::stepped::Stepped;
use dataflows::ports::Sink;
use ingest::checkpoint::{self, Keep, Keeper, Manifest};
use ingest::dead_letters::{self, DeadLetters};
use ingest::input::sealed::{Place, Sealed};
use ingest::input::sequencer::{Closer, Report};
use ingest::input::source::{LogSource, Worker};
use ingest::input::{sequencer, source};
use ingest::log::journal::{Journal, Writer};
use ingest::log::storage::Storage;
use ingest::log::{Log, Partitions, journal};
use ingest::output::publisher;
use ingest::output::publisher::{Outbox, Publisher};
use ingest::testing::{Disk, FaultyLog, LogFaults, ManualClock};
use ingest::{Error, Fatal, Signal};
use serving::Shop;
use std::sync::{Arc, Mutex};

/// The parts of a node.
pub struct Node {
    pub engine: Stepped,
    pub closer: Closer,
    pub keeper: Keeper,
    pub letters: DeadLetters,
    pub shop: Shop,
    /// The log as publishers see it.
    pub log: Arc<dyn Log>,
    pub writer: Writer,
    pub journal: Arc<Journal>,
    pub outbox: Outbox,
    pub publisher: Publisher,
    pub outputs_writer: Writer,
    pub outputs: Arc<Journal>,
    /// The checkpoint that it began with.
    pub base: Option<Manifest>,
    /// What made it impossible to go on.
    pub fatal: Arc<Mutex<Option<Error>>>,
}

pub const PARTITIONS: u32 = 3;

/// Small, so that every edge is near.
fn journal_config() -> journal::Config {
    journal::Config {
        segment_bytes: 12_000,
        read_window_bytes: 600,
        index_distance_bytes: 500,
        ..journal::Config::default()
    }
}

/// What a node is started with.
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
        let place = base.as_ref().map_or_else(Place::default, Manifest::place);
        let sealed = Sealed::read(&*patient, place.clone())?;
        let shop = Shop::new(&serving::Config::default(), Arc::new(|| 0));
        shop.live_from(sealed.end().epochs.last);
        let letters = DeadLetters::open(disk.folder("dead-letters"), dead_letters::Config::default())?;

        let Outputs { outputs, outputs_writer, outbox, publisher } = Outputs::open(&disk, &faults)?;
        let (published, from) = (outbox.published(), place.epochs.last);
        assert!(published >= from, "a checkpoint of epoch {from} waits for what is published, which is {published}");

        let fatal: Arc<Mutex<Option<Error>>> = Arc::default();
        let stops: Fatal = {
            let fatal = Arc::clone(&fatal);
            Arc::new(move |error| *fatal.lock().unwrap() = Some(error))
        };
        let worker = Worker { index: 0, peers: 1 };
        let source_config =
            source::Config { uncovered_records_max: 40, read_records_max: 16, ..source::Config::default() };
        let source = LogSource::open(Arc::clone(&log), &sealed, worker, Arc::clone(&stops), source_config)?;
        let sinks: Vec<Box<dyn Sink>> = vec![
            Box::new(Twice { inner: Box::new(letters.clone()), history: history.clone() }),
            Box::new(Twice { inner: Box::new(outbox.clone()), history: history.clone() }),
            Box::new(Twice { inner: Box::new(shop.clone()), history: history.clone() }),
            Box::new(history.sink(base.as_ref().map(|base| base.epoch))),
        ];
        let config = dataflows::engine::Config { epochs_in_flight: 16, ..dataflows::engine::Config::default() };
        let engine = Stepped::new(config, state, Box::new(source), sinks);

        let report = Report { clock_behind: Arc::new(|_| {}), stalled: Arc::new(|_| {}), fatal: stops };
        let closer = Closer::new(Arc::clone(&log), &sealed, clock, report, Signal::default(), paced())?;
        let parts = checkpoint::Parts {
            folder: kept,
            holder: Arc::new(shop.clone()),
            durables: vec![Arc::new(letters.clone()), Arc::new(outbox.clone())],
            log: patient,
            from: place,
            last: base.clone(),
        };
        let config = checkpoint::Config { kept: 2, log_kept: Keep::Needed, ..checkpoint::Config::default() };
        let keeper = Keeper::new(parts, config, Signal::default())?;
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
fn paced() -> sequencer::Config {
    sequencer::Config {
        epoch_ms_min: 0,
        epoch_ms_max: 0,
        epoch_records_max: 20,
        acknowledge_ms_max: u64::MAX,
        ..sequencer::Config::default()
    }
}

struct Outputs {
    outputs: Arc<Journal>,
    outputs_writer: Writer,
    outbox: Outbox,
    publisher: Publisher,
}

impl Outputs {
    fn open(disk: &Disk, faults: &LogFaults) -> Result<Outputs, Error> {
        let packed = journal::Config { is_packed: true, ..journal_config() };
        let (outputs, outputs_writer) =
            Journal::open_stepped(disk.folder("outputs"), &Partitions::outputs(PARTITIONS), packed)?;
        let outputs = Arc::new(outputs);
        let inner = Arc::clone(&outputs) as Arc<dyn Log>;
        let log: Arc<dyn Log> = Arc::new(FaultyLog::new(inner, faults.clone(), false));
        let config = publisher::Config {
            durable_ms_max: 0,
            acknowledge_ms_max: u64::MAX,
            append_bytes_max: 3_000,
            append_epochs_max: 4,
            ..publisher::Config::default()
        };
        let outbox = Outbox::new(publisher::published(&*log)?, config);
        let publisher = Publisher::new(log, outbox.clone());
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
