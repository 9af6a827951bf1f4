//! The engine without threads, moved by hand. Not for production: [`crate::engine::Engine`] is.

use crate::contract::changes::Changes;
use crate::engine::assembler::EpochAssembler;
use crate::engine::control::EngineControl;
use crate::engine::operators::Message;
use crate::engine::pipeline::SourceReader;
pub use crate::engine::pipeline::StepOutcome;
use crate::engine::{EngineConfig, graph};
use crate::ports::{NoStopwatch, Sink, Source};
use crossbeam_channel::{Receiver, unbounded};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::worker::Worker;

/// An engine of one worker on the caller's thread, which moves it by hand: for simulations, where a seed decides what
/// happens next. Dropping it ends it as the end of a process would.
pub struct ManualEngine {
    // Dropped before the worker that it belongs to.
    feeding: SourceReader,
    worker: Worker,
    source: Box<dyn Source>,
    messages: Receiver<Message>,
    assembly: EpochAssembler,
    progress: Arc<EngineControl>,
    config: EngineConfig,
}

impl ManualEngine {
    /// An engine as [`Engine::start`](crate::engine::Engine::start) starts it.
    pub fn new(
        config: EngineConfig,
        base: Option<Arc<Changes>>,
        source: Box<dyn Source>,
        sinks: Vec<Box<dyn Sink>>,
    ) -> ManualEngine {
        let thread = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(timely::WorkerConfig::default(), thread, None);
        // Not bounded: the thread that would wait for room is the one that makes it. What is in flight is.
        let (send, messages) = unbounded();
        let progress = Arc::<EngineControl>::default();
        let feed = graph::build(&mut worker, base.as_deref(), Arc::clone(&progress), Arc::new(NoStopwatch), send);
        let feeding = SourceReader::new(feed, 0);
        let assembly = EpochAssembler::new(1, base.as_ref(), sinks);
        progress.applied.store(base.map_or(0, |base| base.epoch().0), Ordering::Release);
        ManualEngine { feeding, worker, source, messages, assembly, progress, config }
    }

    /// Reads what there is, within the limits, and works on it.
    pub fn work(&mut self) -> StepOutcome {
        let turn = self.feeding.turn(self.source.as_mut(), &self.progress, &self.config);
        self.worker.step();
        turn
    }

    /// Takes at most so many messages of the worker, and hands the epochs that are whole by that to the sinks; returns
    /// how many there were.
    pub fn collect(&mut self, messages_max: usize) -> usize {
        let ManualEngine { messages, assembly, progress, .. } = self;
        let mut take = |message| {
            assembly.take(message, |epoch, bytes| {
                progress.applied.store(epoch, Ordering::Release);
                progress.changes_bytes.fetch_sub(bytes, Ordering::AcqRel);
            });
        };
        messages.try_iter().take(messages_max).map(&mut take).count()
    }
}
