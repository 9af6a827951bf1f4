//! The loop of a worker: read sealed epochs, feed them, work, repeat. Any number of workers run it, each with its share
//! of the partitions; an epoch leaves when all have finished it.

use crate::engine::Config;
use crate::graph::Feed;
use crate::operators::{Fed, Local};
use crate::port::{Input, Polled, Source, Stride};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use timely::worker::Worker;

/// What workers and the one who puts epochs together know of each other.
#[derive(Debug, Default)]
pub struct Progress {
    /// The last epoch that all sinks have.
    pub applied: AtomicU64,
    /// Whether to stop.
    pub stopping: AtomicBool,
}

/// Waits without a wake-up at most this long, so that a stop is seen.
const PARK: Duration = Duration::from_millis(100);

/// Runs a worker until its source ends or the engine stops, and everything fed has left.
pub fn run(worker: &mut Worker, mut feed: Feed, source: &mut dyn Source, progress: &Progress, config: &Config) {
    let mut in_flight = InFlight::default();
    let mut open = true;
    while open && !progress.stopping.load(Ordering::Acquire) {
        in_flight.forget(progress.applied.load(Ordering::Acquire));
        let epochs_free = config.epochs_in_flight.saturating_sub(in_flight.epochs());
        let inputs_free = config.inputs_in_flight.saturating_sub(in_flight.inputs);
        let polled = if epochs_free > 0 && inputs_free > 0 {
            source.poll(epochs_free.min(config.stride_epochs_max), inputs_free.min(config.stride_inputs_max))
        } else {
            Polled::Pending
        };
        match polled {
            Polled::Stride(stride) => {
                in_flight.add(&stride);
                feed_stride(&mut feed, stride, worker.index());
                worker.step();
            }
            Polled::Pending => {
                worker.step_or_park(Some(PARK));
            }
            Polled::End => open = false,
        }
    }
    feed.close();
    while worker.step_or_park(Some(PARK)) {}
}

/// Feeds whole epochs. The time moves once a stride; each input keeps its own epoch beside it.
fn feed_stride(feed: &mut Feed, stride: Stride, worker: usize) {
    let Some(last) = stride.epochs.last().map(|record| record.epoch) else { return };
    if worker == 0 {
        for record in stride.epochs {
            let epoch = record.epoch.0;
            feed.send((Local(Fed::Epoch(record)), epoch));
        }
    }
    for (epoch, input) in stride.inputs {
        let fed = match input {
            Input::Command(envelope) => Fed::Command(envelope),
            Input::Dead(letter) => Fed::Dead(letter),
        };
        feed.send((Local(fed), epoch.0));
    }
    feed.advance_to(last.0 + 1);
    feed.flush();
}

/// What was fed and has not been applied.
#[derive(Default)]
struct InFlight {
    /// Last epoch, number of epochs, number of inputs of each stride.
    strides: VecDeque<(u64, usize, usize)>,
    inputs: usize,
}

impl InFlight {
    fn add(&mut self, stride: &Stride) {
        if let Some(last) = stride.epochs.last() {
            self.strides.push_back((last.epoch.0, stride.epochs.len(), stride.inputs.len()));
            self.inputs += stride.inputs.len();
        }
    }

    fn forget(&mut self, applied: u64) {
        while let Some((_, _, inputs)) = self.strides.pop_front_if(|(last, _, _)| *last <= applied) {
            self.inputs -= inputs;
        }
    }

    fn epochs(&self) -> usize {
        self.strides.iter().map(|(_, epochs, _)| epochs).sum()
    }
}
