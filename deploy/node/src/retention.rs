//! Deletes outputs that are old, now and then: a thread beside everything else. Not for what is old: see
//! `ingest::output::Retention`.
//!
//! A failure, as on a full disk, is reported and tried again at the next look; nothing is lost by it.

use crate::export::ExportHandle;
use anyhow::{Context, Result};
use ingest::log::journal::Journal;
use ingest::output::{Floor, Holder, Retention};
use ingest::{Signal, WallClock};
use serving::{Gauge, OutputsFloor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at most.
const LOOK_MS_MAX: u64 = 60_000;
/// And at least.
const LOOK_MS_MIN: u64 = 500;

/// The retention of the outputs. Clones are the same.
#[derive(Clone)]
pub struct OutputRetention {
    journal: Arc<Journal>,
    kept_ms: u64,
    state: Arc<Mutex<State>>,
    signal: Signal,
}

#[derive(Default)]
struct State {
    floor: Option<Floor>,
    stalled: Option<String>,
}

/// A thread that looks. Dropping it ends that.
pub struct RetentionTask {
    kept: OutputRetention,
    thread: Option<JoinHandle<()>>,
}

impl OutputRetention {
    /// For outputs that are kept for so long.
    pub fn new(journal: Arc<Journal>, kept_ms: u64) -> OutputRetention {
        OutputRetention { journal, kept_ms, state: Arc::default(), signal: Signal::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing can be deleted, while that is so.
    pub fn stalled(&self) -> Option<String> {
        self.state().stalled.clone()
    }

    /// The end of the outputs that may be deleted, and the holder of the rest.
    pub fn floor(&self) -> Option<OutputsFloor> {
        let Floor { epoch, holder } = self.state().floor?;
        let held_by = match holder {
            Holder::Age => "outputs.retention_s",
            Holder::Follower => "export",
        };
        Some(OutputsFloor { epoch, held_by })
    }

    /// Figures.
    pub fn gauges(&self) -> Vec<Gauge> {
        let help = "bytes of events, changes of views and dead letters that are kept as topics";
        vec![Gauge { name: "outputs_bytes", help, value: self.journal.bytes() as f64 }]
    }

    /// Starts the thread; the export, if there is one, follows the outputs.
    pub fn start(&self, exporting: Option<ExportHandle>) -> Result<RetentionTask> {
        let kept = self.clone();
        let thread = std::thread::Builder::new().name("retention".to_owned());
        let thread = thread.spawn(move || kept.run(exporting.as_ref())).context("starting to keep outputs")?;
        Ok(RetentionTask { kept: self.clone(), thread: Some(thread) })
    }

    fn run(&self, exporting: Option<&ExportHandle>) {
        let look = Duration::from_millis((self.kept_ms / 10).clamp(LOOK_MS_MIN, LOOK_MS_MAX));
        let mut retention =
            Retention::new(Arc::clone(&self.journal), self.kept_ms, Arc::new(WallClock), self.signal.clone());
        while !self.signal.is_stopped() {
            match retention.step(exporting.map(ExportHandle::followed)) {
                Ok(floor) => *self.state() = State { floor: Some(floor), stalled: None },
                Err(_) if self.signal.is_stopped() => return,
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    let is_new = self.state().stalled.replace(error.clone()).is_none();
                    if is_new {
                        tracing::warn!(error, "old outputs cannot be deleted now");
                    }
                }
            }
            self.signal.sleep(look);
        }
    }
}

impl Drop for RetentionTask {
    fn drop(&mut self) {
        self.kept.signal.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(thread.join());
        }
    }
}
