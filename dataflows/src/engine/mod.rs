//! The engine: workers that run the dataflow, and one thread that puts the epochs together and hands them to the sinks.
//! Not for reading or keeping anything: those are the sources and the sinks.

mod assembler;
pub mod budget;
mod control;
pub mod encoding;
mod graph;
mod limits;
pub mod manual;
pub(crate) mod operators;
mod pipeline;
pub mod snapshot;

use crate::contract::changes::Changes;
use crate::engine::assembler::EpochAssembler;
use crate::engine::control::EngineControl;
use crate::engine::operators::Message;
use crate::ports::{Sink, Source, Stopwatch, Waker};
use crossbeam_channel::{Receiver, Sender, bounded};
pub use limits::EngineConfig;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use timely::communication::WorkerGuards;

/// The engine could not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are no sources, and so no workers.
    #[error("an engine needs at least one source")]
    NoSources,
    /// A thread or a channel could not be made.
    #[error("the workers could not start: {0}")]
    Workers(String),
}

/// The threads of the workers, once they run.
type Wakes = Vec<Mutex<Option<std::thread::Thread>>>;

/// A running engine. Dropping it leaves it running; `stop` or `join` ends it.
pub struct Engine {
    progress: Arc<EngineControl>,
    wake: Arc<Wakes>,
    collector: JoinHandle<Vec<Box<dyn Sink>>>,
    workers: WorkerGuards<()>,
}

/// Takes the whole process down if the thread that holds it panics: with a worker gone, the others would wait for ever.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl Engine {
    /// Starts a worker for each source. The sinks get every epoch, in order, one after the other. `base` is the state
    /// that the sources resume from, every row of it as if it came with its epoch; the sinks get it first. `stopwatch`
    /// measures how long epochs take.
    #[expect(clippy::disallowed_methods, reason = "the engine is where threads start")]
    pub fn start(
        config: EngineConfig,
        base: Option<Arc<Changes>>,
        sources: Vec<Box<dyn Source>>,
        sinks: Vec<Box<dyn Sink>>,
        stopwatch: Arc<dyn Stopwatch>,
    ) -> Result<Engine, Error> {
        let count = sources.len();
        if count == 0 {
            return Err(Error::NoSources);
        }
        let progress = Arc::new(EngineControl::default());
        let wake = Arc::new((0..count).map(|_| Mutex::new(None)).collect::<Vec<_>>());
        let (send, receive) = bounded(config.shards_waiting_max);
        let collector = {
            let (progress, wake, base) = (Arc::clone(&progress), Arc::clone(&wake), base.clone());
            std::thread::Builder::new()
                .name("collect".to_owned())
                .spawn(move || {
                    let _abort = AbortOnPanic;
                    collect(receive, count, base, sinks, &progress, &wake)
                })
                .map_err(|error| Error::Workers(error.to_string()))?
        };
        let workers = start_workers(config, base, sources, send, &progress, &wake, stopwatch)?;
        Ok(Engine { progress, wake, collector, workers })
    }

    /// Stops reading and applying, and returns the sinks. What was read and not applied is read again after a restart.
    pub fn stop(self) -> Vec<Box<dyn Sink>> {
        self.progress.stopping.store(true, Ordering::Release);
        wake_all(&self.wake);
        self.join()
    }

    /// Waits until all sources have ended, and gives the sinks back.
    pub fn join(self) -> Vec<Box<dyn Sink>> {
        drop(self.workers);
        self.collector.join().expect("a panic of the collector aborts the process")
    }
}

fn wake_one(slot: &Mutex<Option<std::thread::Thread>>) {
    if let Ok(thread) = slot.lock()
        && let Some(thread) = thread.as_ref()
    {
        thread.unpark();
    }
}

fn wake_all(wake: &Wakes) {
    wake.iter().for_each(wake_one);
}

fn start_workers(
    config: EngineConfig,
    base: Option<Arc<Changes>>,
    sources: Vec<Box<dyn Source>>,
    out: Sender<Message>,
    progress: &Arc<EngineControl>,
    wake: &Arc<Wakes>,
    stopwatch: Arc<dyn Stopwatch>,
) -> Result<WorkerGuards<()>, Error> {
    let count = sources.len();
    // Each takes its own away, so that nothing is held once they run.
    let starts = sources.into_iter().map(|source| Some((source, base.clone())));
    let starts = Mutex::new(starts.collect::<Vec<_>>());
    drop(base);
    let out = Mutex::new(out);
    let (progress, wake) = (Arc::clone(progress), Arc::clone(wake));
    timely::execute(timely::Config::process(count), move |worker| {
        let _abort = AbortOnPanic;
        let index = worker.index();
        let start = starts.lock().ok().and_then(|mut all| all[index].take());
        let (mut source, base) = start.expect("a source a worker");
        let out = out.lock().expect("no worker panics while it starts").clone();
        if let Ok(mut slot) = wake[index].lock() {
            *slot = Some(std::thread::current());
        }
        let waker: Waker = {
            let wake = Arc::clone(&wake);
            Arc::new(move || wake_one(&wake[index]))
        };
        source.wake(waker);
        let feed = graph::build(worker, base.as_deref(), Arc::clone(&progress), Arc::clone(&stopwatch), out);
        drop(base);
        pipeline::run(worker, feed, source.as_mut(), &progress, &config);
    })
    .map_err(Error::Workers)
}

/// The thread that puts epochs together.
fn collect(
    messages: Receiver<Message>,
    workers: usize,
    base: Option<Arc<Changes>>,
    sinks: Vec<Box<dyn Sink>>,
    progress: &EngineControl,
    wake: &Wakes,
) -> Vec<Box<dyn Sink>> {
    let mut assembly = EpochAssembler::new(workers, base.as_ref(), sinks);
    if let Some(base) = base {
        progress.applied.store(base.epoch().0, Ordering::Release);
    }
    for message in messages {
        // A worker that stops closes its input, and the dataflow then takes epochs for whole of which others still have
        // a part to read. Workers see the flag before they close, so whatever comes of that is seen after it here.
        if progress.stopping.load(Ordering::Acquire) {
            continue;
        }
        assembly.take(message, |epoch, bytes| {
            progress.applied.store(epoch, Ordering::Release);
            progress.changes_bytes.fetch_sub(bytes, Ordering::AcqRel);
            wake_all(wake);
        });
    }
    assembly.sinks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::epoch::{Cut, Epoch, EpochRecord};
    use crate::contract::input::{DeadLetter, DeadLetterCode, Input, RawRecord};
    use crate::contract::time::Timestamp;
    use crate::contract::topic::{Origin, Topic};
    use crate::ports::NoStopwatch;
    use crate::ports::{SourcePoll, Stride};
    use std::sync::mpsc;

    /// Has epochs up to `last`, one at a time, and then nothing more.
    struct Upto {
        next: u64,
        last: u64,
        bytes: usize,
        idle: mpsc::Sender<()>,
    }

    impl Source for Upto {
        fn wake(&mut self, _: Waker) {}

        fn poll(&mut self, _: usize, _: usize, _: usize) -> SourcePoll {
            if self.next > self.last {
                let _ = self.idle.send(());
                return SourcePoll::Pending;
            }
            let (epoch, now) = (Epoch(self.next), Timestamp::from_micros(self.next as i64));
            self.next += 1;
            let record = EpochRecord { v: 1, epoch, now, rules: 1, cut: Cut::default() };
            let origin = Origin { topic: Topic::Orders, partition: 0, offset: epoch.0 };
            let letter = DeadLetter {
                origin,
                code: DeadLetterCode::Unreadable,
                detail: String::new(),
                record: Arc::new(RawRecord::default()),
            };
            let inputs = vec![(epoch, Input::Dead(letter))];
            SourcePoll::Stride(Stride { epochs: vec![Arc::new(record)], inputs, bytes: self.bytes })
        }
    }

    struct Keep(mpsc::Sender<u64>);

    impl Sink for Keep {
        fn apply(&mut self, changes: &Arc<Changes>) {
            let _ = self.0.send(changes.epoch().0);
        }
    }

    #[test]
    fn an_epoch_that_a_worker_has_not_read_is_not_applied_when_the_engine_stops() {
        // The first worker also feeds the epochs themselves.
        for upto in [[9, 5], [5, 9]] {
            let (applied, seen) = mpsc::channel();
            let idle = upto.map(|_| mpsc::channel());
            let source = |(last, idle): (u64, &(mpsc::Sender<()>, _))| -> Box<dyn Source> {
                Box::new(Upto { next: 1, last, bytes: 1, idle: idle.0.clone() })
            };
            let sources = upto.into_iter().zip(&idle).map(source).collect();
            let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Keep(applied))];
            let engine = Engine::start(EngineConfig::default(), None, sources, sinks, Arc::new(NoStopwatch)).unwrap();
            assert_eq!(seen.iter().take(5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
            for (_, is_idle) in &idle {
                is_idle.recv().unwrap();
            }
            drop(engine.stop());
            assert_eq!(seen.iter().collect::<Vec<_>>(), Vec::<u64>::new());
        }
    }

    /// Takes no epoch before it gets a signal.
    struct Slow(mpsc::Receiver<()>);

    impl Sink for Slow {
        fn apply(&mut self, _: &Arc<Changes>) {
            let _ = self.0.recv();
        }
    }

    /// Runs until so many epochs were fed, and a while longer; returns how many were then.
    fn fed_while_no_sink_takes_any(bytes: usize, least: u64, config: EngineConfig) -> u64 {
        let (idle, is_idle) = mpsc::channel();
        let (take, taken) = mpsc::channel();
        let (asked, polls) = mpsc::channel();
        let source = CountingSource { of: Upto { next: 1, last: 500, bytes, idle }, asked };
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Slow(taken))];
        let engine = Engine::start(config, None, vec![Box::new(source)], sinks, Arc::new(NoStopwatch)).unwrap();
        let mut fed = 0;
        while fed < least {
            fed = polls.recv().unwrap();
        }
        // A worker that may feed more asks at once.
        while let Ok(epoch) = polls.recv_timeout(std::time::Duration::from_millis(200)) {
            fed = epoch;
        }
        // All of it comes through once the sinks take it.
        drop(take);
        is_idle.recv().unwrap();
        drop(engine.stop());
        fed
    }

    /// Reports each epoch that it gives.
    struct CountingSource {
        of: Upto,
        asked: mpsc::Sender<u64>,
    }

    impl Source for CountingSource {
        fn wake(&mut self, waker: Waker) {
            self.of.wake(waker);
        }

        fn poll(&mut self, epochs_max: usize, inputs_max: usize, bytes_max: usize) -> SourcePoll {
            let next = self.of.next;
            let polled = self.of.poll(epochs_max, inputs_max, bytes_max);
            if self.of.next > next {
                let _ = self.asked.send(next);
            }
            polled
        }
    }

    #[test]
    fn what_is_on_its_way_is_bounded_by_bytes_too() {
        let config = EngineConfig::default();
        assert_eq!(fed_while_no_sink_takes_any(1, 500, config.clone()), 500, "by count there is room for all");
        let few =
            fed_while_no_sink_takes_any(1 << 20, 16, EngineConfig { bytes_in_flight: 16 << 20, ..config.clone() });
        assert!((16..=17).contains(&few), "{few}");
        // Each epoch leaves a dead letter, which takes some hundred bytes.
        let few = fed_while_no_sink_takes_any(1, 3, EngineConfig { changes_bytes_in_flight: 4_000, ..config });
        assert!((3..100).contains(&few), "{few}");
    }
}
