//! A sealed log in memory, given to any number of workers in strides of any length.

use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::{Cut, Epoch, EpochRecord, RULES};
use dataflows::contract::input::Input;
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Origin, Topic};
use dataflows::engine::{Engine, EngineConfig};
use dataflows::ports::{NoStopwatch, Sink, Source, SourcePoll, Stride, Waker};
use ingest::log::Record;
use std::sync::{Arc, Mutex};

/// Epochs with what they cover.
#[derive(Clone, Debug, Default)]
pub struct SealedLog {
    pub epochs: Vec<(Arc<EpochRecord>, Vec<Input>)>,
    cut: Cut,
}

impl SealedLog {
    /// Seals an epoch over these records.
    pub fn seal(&mut self, now: Timestamp, records: Vec<(Origin, Record)>) {
        let mut cut = Cut::default();
        for (origin, _) in &records {
            let at = origin.topic_partition();
            cut.set(at, cut.get(at).unwrap_or(0).max(origin.offset + 1));
        }
        self.cut.advance(&cut);
        let epoch = Epoch(self.epochs.len() as u64 + 1);
        let record = Arc::new(EpochRecord { v: 1, epoch, now, rules: RULES, cut });
        let inputs = records.iter().map(|(origin, record)| ingest::input::codec::decode(*origin, record)).collect();
        self.epochs.push((record, inputs));
    }
}

/// The way a log is run. None of it may change an answer.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub workers: usize,
    pub stride: usize,
    pub in_flight: usize,
}

/// The part of a sealed log that a worker reads.
pub struct Replay {
    log: Arc<SealedLog>,
    at: usize,
    worker: usize,
    way: Way,
}

impl Source for Replay {
    fn wake(&mut self, _: Waker) {}

    fn poll(&mut self, epochs_max: usize, _: usize, _: usize) -> SourcePoll {
        let rest = &self.log.epochs[self.at..];
        if rest.is_empty() {
            return SourcePoll::End;
        }
        let taken = &rest[..rest.len().min(epochs_max).min(self.way.stride)];
        self.at += taken.len();
        let ours = |input: &&Input| {
            let origin = input.origin();
            (origin.partition as usize + Topic::ALL.iter().position(|topic| *topic == origin.topic).unwrap_or(0))
                % self.way.workers
                == self.worker
        };
        let mut stride = Stride::default();
        for (record, inputs) in taken {
            stride.epochs.push(Arc::clone(record));
            stride.inputs.extend(inputs.iter().filter(ours).map(|input| (record.epoch, input.clone())));
        }
        SourcePoll::Stride(stride)
    }
}

struct Keep(Arc<Mutex<Vec<Arc<Changes>>>>);

impl Sink for Keep {
    fn apply(&mut self, changes: &Arc<Changes>) {
        self.0.lock().expect("no test panics while it holds this").push(Arc::clone(changes));
    }
}

/// Everything that leaves the core when the log is run that way.
pub fn run(log: &Arc<SealedLog>, way: Way) -> Vec<Arc<Changes>> {
    run_from(log, None, way)
}

/// The same, going on behind the state of an epoch; that state comes first.
pub fn run_from(log: &Arc<SealedLog>, base: Option<Arc<Changes>>, way: Way) -> Vec<Arc<Changes>> {
    let at = base.as_ref().map_or(0, |base| base.epoch().0 as usize);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let sources = (0..way.workers)
        .map(|worker| -> Box<dyn Source> { Box::new(Replay { log: Arc::clone(log), at, worker, way }) });
    let config =
        EngineConfig { epochs_in_flight: way.in_flight, stride_epochs_max: way.stride, ..EngineConfig::default() };
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Keep(Arc::clone(&kept)))];
    Engine::start(config, base, sources.collect(), sinks, Arc::new(NoStopwatch)).expect("there are sources").join();
    let mut kept = kept.lock().expect("the engine has ended");
    std::mem::take(&mut *kept)
}
