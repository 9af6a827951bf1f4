//! Takes checkpoints as time passes and the log grows, or when told to. A checkpoint that cannot be taken is tried again
//! at the next turn: nothing depends on it but how long a restart takes.

use super::config::CheckpointConfig;
use super::manager::{CheckpointManager, CheckpointParts};
use super::{Manifest, list};
use crate::log::lock;
use crate::log::storage::Storage;
use crate::standstill::{Faults, Standstill};
use crate::{Error, Signal};
use dataflows::contract::epoch::Epoch;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The time between two looks whether one is due.
const TURN: Duration = Duration::from_secs(1);

/// Takes and keeps checkpoints. Dropping it ends that.
pub struct Checkpoints {
    shared: Arc<ScheduleState>,
    thread: Option<JoinHandle<()>>,
}

struct ScheduleState {
    folder: Arc<dyn Storage>,
    keeper: Mutex<CheckpointManager>,
    /// The newest one, and since when it is there. Apart from the keeper, which is held while one is taken.
    newest: Mutex<Option<(Epoch, Instant)>>,
    /// Since one was taken, and the log dropped, last.
    faults: Faults,
    signal: Signal,
}

impl Checkpoints {
    /// Starts; `log_bytes` says how large the log is.
    pub fn start(
        parts: CheckpointParts,
        config: CheckpointConfig,
        log_bytes: impl Fn() -> u64 + Send + 'static,
    ) -> Result<Checkpoints, Error> {
        let folder = Arc::clone(&parts.folder);
        let name = folder.describe("");
        let signal = Signal::default();
        let newest = Mutex::new(parts.last.as_ref().map(|last| (last.epoch, Instant::now())));
        let (interval, bytes_max) = (Duration::from_secs(config.interval_s), config.log_bytes);
        let keeper = Mutex::new(CheckpointManager::new(parts, config, signal.clone())?);
        let shared = Arc::new(ScheduleState { folder, keeper, newest, faults: Faults::default(), signal });
        let run = {
            let shared = Arc::clone(&shared);
            move || shared.run(interval, bytes_max, &log_bytes)
        };
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(run);
        let thread = thread.map_err(Error::io("starting the keeper of", &name))?;
        Ok(Checkpoints { shared, thread: Some(thread) })
    }

    /// Takes one now; the last one again if nothing was decided since.
    pub fn take(&self) -> Result<Manifest, Error> {
        self.shared.take()
    }

    /// The epoch of the newest one.
    pub fn last_epoch(&self) -> Option<Epoch> {
        lock(&self.shared.newest).map(|(epoch, _)| epoch)
    }

    /// The reason why none can be taken, or the log not dropped, while that is so.
    pub fn stalled(&self) -> Option<Standstill> {
        self.shared.faults.standstill()
    }

    /// For how long the newest one is there.
    pub fn age(&self) -> Option<Duration> {
        lock(&self.shared.newest).map(|(_, since)| since.elapsed())
    }

    /// Those that are there, the newest first.
    pub fn list(&self) -> Result<Vec<Manifest>, Error> {
        Ok(list(&*self.shared.folder)?.into_iter().filter_map(|(_, manifest)| manifest.ok()).collect())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.shared.signal.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(thread.join());
        }
    }
}

impl ScheduleState {
    fn run(&self, interval: Duration, bytes_max: u64, log_bytes: &dyn Fn() -> u64) {
        let (mut taken, mut bytes) = (Instant::now(), log_bytes());
        while !self.signal.is_stopped() {
            self.signal.sleep(TURN);
            // Deletions make the log smaller.
            let now = log_bytes();
            bytes = bytes.min(now);
            if taken.elapsed() < interval && now - bytes < bytes_max {
                continue;
            }
            // An error is logged where it is noted.
            if let Ok(manifest) = self.take() {
                tracing::debug!(epoch = manifest.epoch.0, "a checkpoint is there");
            }
            (taken, bytes) = (Instant::now(), log_bytes());
        }
    }

    fn note(&self, error: &Error, what: &str) {
        if !self.signal.is_stopped() && self.faults.note(error.to_string()) {
            tracing::warn!(%error, "{what}");
        }
    }

    fn take(&self) -> Result<Manifest, Error> {
        let mut keeper = lock(&self.keeper);
        let taken = keeper.take();
        if let Err(error) = &taken {
            self.note(error, "no checkpoint could be taken; it is tried again");
        }
        let manifest = taken?;
        // The checkpoint is there, whatever becomes of what is older: the next one tries that again.
        match keeper.tidy() {
            Ok(()) => drop(self.faults.clear()),
            Err(error) => self.note(&error, "what is no longer needed could not be removed"),
        }
        drop(keeper);
        let newest = &mut *lock(&self.newest);
        if newest.is_none_or(|(epoch, _)| epoch < manifest.epoch) {
            *newest = Some((manifest.epoch, Instant::now()));
        }
        Ok(manifest)
    }
}
