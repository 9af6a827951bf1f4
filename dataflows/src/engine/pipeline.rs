//! The loop of a worker: read sealed epochs, feed them, work, repeat. Any number of workers run it, each with its share
//! of the partitions; an epoch leaves when all have finished it.

use crate::contract::epoch::Epoch;
use crate::contract::input::Input;
use crate::engine::EngineConfig;
use crate::engine::control::EngineControl;
use crate::engine::graph::Inputs;
use crate::engine::operators::{DeciderInput, InProcess, ObservationInput};
use crate::ports::{Source, SourcePoll, Stride};
use crate::views::searches::minute_of;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;
use timely::worker::Worker;

/// Waits without a wake-up at most this long, so that a stop is seen.
const PARK: Duration = Duration::from_millis(100);

/// Runs a worker until its source ends or the engine stops, and everything fed has left.
pub fn run(
    worker: &mut Worker,
    feed: Inputs,
    source: &mut dyn Source,
    progress: &EngineControl,
    config: &EngineConfig,
) {
    let mut feeding = SourceReader::new(feed, worker.index());
    while !progress.stopping.load(Ordering::Acquire) {
        match feeding.turn(source, progress, config) {
            StepOutcome::Fed => drop(worker.step()),
            StepOutcome::Idle => drop(worker.step_or_park(Some(PARK))),
            StepOutcome::End => break,
        }
    }
    feeding.feed.close();
    while worker.step_or_park(Some(PARK)) {}
}

/// The outcome of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// There is work.
    Fed,
    /// Nothing to read now, or no room for more.
    Idle,
    /// Nothing will ever come again.
    End,
}

/// A worker's input, and what of it is on its way.
pub struct SourceReader {
    feed: Inputs,
    worker: usize,
    in_flight: InFlight,
}

impl SourceReader {
    /// Nothing is on its way yet.
    pub fn new(feed: Inputs, worker: usize) -> SourceReader {
        SourceReader { feed, worker, in_flight: InFlight::default() }
    }

    /// Feeds what the source has, within the limits.
    pub fn turn(&mut self, source: &mut dyn Source, progress: &EngineControl, config: &EngineConfig) -> StepOutcome {
        self.in_flight.forget(progress.applied.load(Ordering::Acquire));
        let epochs_free = config.epochs_in_flight.saturating_sub(self.in_flight.epochs());
        let inputs_free = config.inputs_in_flight.saturating_sub(self.in_flight.inputs);
        let bytes_free = config.bytes_in_flight.saturating_sub(self.in_flight.bytes);
        let is_full = progress.changes_bytes.load(Ordering::Acquire) >= config.changes_bytes_in_flight;
        if epochs_free == 0 || inputs_free == 0 || bytes_free == 0 || is_full {
            return StepOutcome::Idle;
        }
        let (epochs, inputs) = (epochs_free.min(config.stride_epochs_max), inputs_free.min(config.stride_inputs_max));
        match source.poll(epochs, inputs, bytes_free.min(config.stride_bytes_max)) {
            SourcePoll::Stride(stride) => {
                self.in_flight.add(&stride);
                feed_stride(&mut self.feed, stride, self.worker);
                StepOutcome::Fed
            }
            SourcePoll::Pending => StepOutcome::Idle,
            SourcePoll::End => StepOutcome::End,
        }
    }
}

/// Feeds whole epochs. The time moves once a stride; each input keeps its own epoch beside it.
fn feed_stride(feed: &mut Inputs, stride: Stride, worker: usize) {
    let (Some(first), Some(last)) = (stride.epochs.first(), stride.epochs.last()) else { return };
    let (first, last) = (first.epoch.0, last.epoch.0);
    // The epochs of a stride are consecutive.
    let now_of = |epoch: Epoch| stride.epochs[(epoch.0 - first) as usize].now;
    for (epoch, input) in stride.inputs {
        match input {
            Input::Command(envelope) => feed.fed.send((InProcess(DeciderInput::Command(envelope)), epoch.0)),
            Input::Dead(letter) => feed.fed.send((InProcess(DeciderInput::Dead(letter)), epoch.0)),
            Input::Observation(sighting) => {
                feed.seen.send((InProcess(ObservationInput::Sighting { sighting, now: now_of(epoch) }), epoch.0));
            }
        }
    }
    for record in stride.epochs {
        let (epoch, minute) = (record.epoch.0, minute_of(record.now));
        if feed.minute.replace(minute) != Some(minute) {
            feed.seen.send((InProcess(ObservationInput::Minute { minute, worker }), epoch));
        }
        if worker == 0 {
            feed.fed.send((InProcess(DeciderInput::Epoch(record)), epoch));
        }
    }
    feed.advance_to(last + 1);
}

/// A stride that was fed.
struct SentStride {
    /// Its last epoch.
    last: u64,
    epochs: usize,
    inputs: usize,
    bytes: usize,
}

/// The strides that were fed and have not been applied.
#[derive(Default)]
struct InFlight {
    strides: VecDeque<SentStride>,
    inputs: usize,
    bytes: usize,
}

impl InFlight {
    fn add(&mut self, stride: &Stride) {
        if let Some(last) = stride.epochs.last() {
            let (epochs, inputs, bytes) = (stride.epochs.len(), stride.inputs.len(), stride.bytes);
            self.strides.push_back(SentStride { last: last.epoch.0, epochs, inputs, bytes });
            self.inputs += inputs;
            self.bytes += bytes;
        }
    }

    fn forget(&mut self, applied: u64) {
        while let Some(sent) = self.strides.pop_front_if(|sent| sent.last <= applied) {
            self.inputs -= sent.inputs;
            self.bytes -= sent.bytes;
        }
    }

    fn epochs(&self) -> usize {
        self.strides.iter().map(|sent| sent.epochs).sum()
    }
}
