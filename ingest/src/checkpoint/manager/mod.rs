//! Keeps checkpoints: takes one of what the store holds, removes those that are too many, and lets go of the log before
//! the oldest one that is left. Not for when one is due: see `turns`.

use super::config::{CheckpointConfig, LogRetention};
use super::{Manifest, check_files, epochs, list, write};
use crate::input::sealed_epochs::{EpochFollower, LogPosition};
use crate::log::Log;
use crate::log::storage::Storage;
use crate::{Error, Signal};
use dataflows::contract::epoch::Epoch;
use dataflows::ports::StateSource;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The time that the log may take to give an epoch that the store has already.
const EPOCH_WAIT: Duration = Duration::from_secs(1);
/// Once something of the log is deleted, that many checkpoints are all that there is of it.
pub(super) const KEPT_MIN: usize = 2;

/// Keeps something of every epoch that is neither in the store nor asked for again by a restart, like dead letters. A
/// checkpoint waits for it, since a restart from there shows it nothing of what was before.
pub trait FlushBeforeCheckpoint: Send + Sync {
    /// Makes everything up to that epoch durable; it was given all of it already.
    fn make_durable(&self, upto: Epoch) -> Result<(), Error>;
}

/// The parts that a manager works with.
pub struct CheckpointParts {
    /// The folder of checkpoints; it is there.
    pub folder: Arc<dyn Storage>,
    /// The state that is kept.
    pub holder: Arc<dyn StateSource>,
    /// Whom a checkpoint waits for.
    pub durables: Vec<Arc<dyn FlushBeforeCheckpoint>>,
    /// The log that the state is of.
    pub log: Arc<dyn Log>,
    /// The place in the log where the process began.
    pub from: LogPosition,
    /// The checkpoint that it began with.
    pub last: Option<Manifest>,
}

/// Takes one checkpoint at a time.
pub struct CheckpointManager {
    parts: CheckpointParts,
    config: CheckpointConfig,
    follower: EpochFollower,
    signal: Signal,
    /// Those whose files were read back and are right.
    checked: BTreeSet<Epoch>,
    /// The names of those that are damaged; reported once.
    damaged: BTreeSet<String>,
}

impl CheckpointManager {
    /// The signal ends a wait for the log.
    pub fn new(parts: CheckpointParts, config: CheckpointConfig, signal: Signal) -> Result<CheckpointManager, Error> {
        let mut follower = EpochFollower::new(&*parts.log, parts.from.clone())?;
        follower.wake(signal.waker());
        Ok(CheckpointManager { parts, config, follower, signal, checked: BTreeSet::new(), damaged: BTreeSet::new() })
    }

    /// Takes one now; the last one again if nothing was decided since. [`CheckpointManager::tidy`] belongs after it.
    pub fn take(&mut self) -> Result<Manifest, Error> {
        let held = self.parts.holder.pin().ok_or_else(|| Error::Unavailable("nothing is decided yet".to_owned()))?;
        let epoch = held.epoch();
        if let Some(last) = self.parts.last.as_ref().filter(|last| last.epoch >= epoch) {
            return Ok(last.clone());
        }
        let place = self.place_of(epoch)?;
        self.parts.durables.iter().try_for_each(|durable| durable.make_durable(epoch))?;
        let manifest = write(&*self.parts.folder, held.as_ref(), &place)?;
        drop(held);
        self.parts.last = Some(manifest.clone());
        Ok(manifest)
    }

    /// Follows the log to that epoch, which is in it.
    fn place_of(&mut self, epoch: Epoch) -> Result<LogPosition, Error> {
        while self.follower.epochs().last < epoch {
            if !self.follower.poll(1, &mut |_| {})? && !self.signal.wait(EPOCH_WAIT) {
                return Err(Error::Unavailable(format!("it does not give epoch {epoch}")));
            }
        }
        Ok(self.follower.place().clone())
    }

    /// Removes what is older than the newest ones that are whole, and lets the log go before the oldest of these.
    pub fn tidy(&mut self) -> Result<(), Error> {
        let Some(newest) = self.parts.last.as_ref().map(|last| last.epoch) else { return Ok(()) };
        let whole = self.whole(newest)?;
        self.prune(newest, &whole)?;
        match (self.config.log_kept, whole.last()) {
            (LogRetention::Needed, Some(oldest)) if whole.len() >= KEPT_MIN => {
                self.parts.log.delete_before(&oldest.place().floor())
            }
            (LogRetention::Needed | LogRetention::All, _) => Ok(()),
        }
    }

    /// The newest ones up to that epoch whose files are right, as many as are to be kept. One that is damaged, and one of
    /// an epoch that is not decided yet, counts for nothing.
    fn whole(&mut self, newest: Epoch) -> Result<Vec<Manifest>, Error> {
        let folder = Arc::clone(&self.parts.folder);
        let mut whole = Vec::new();
        for (name, manifest) in list(&*folder)? {
            let checkpoint = folder.folder(&name);
            let checked = manifest.and_then(|manifest| {
                if !self.checked.contains(&manifest.epoch) && manifest.epoch <= newest {
                    check_files(&*checkpoint, &manifest)?;
                }
                Ok(manifest)
            });
            match checked {
                Ok(manifest) if manifest.epoch <= newest => {
                    self.checked.insert(manifest.epoch);
                    whole.push(manifest);
                }
                Ok(_) => {}
                Err(error @ Error::Damaged { .. }) => {
                    if self.damaged.insert(name) {
                        tracing::error!(%error, "a checkpoint is damaged, and does not count as one that is kept");
                    }
                }
                Err(error) => return Err(error),
            }
            if whole.len() == self.config.kept.max(KEPT_MIN) {
                break;
            }
        }
        Ok(whole)
    }

    /// Removes those that are older than the newest and are not kept, and what attempts before the newest have left.
    /// While too few are whole, what has a manifest stays: a part of it may be all that there is.
    fn prune(&mut self, newest: Epoch, whole: &[Manifest]) -> Result<(), Error> {
        let folder = &*self.parts.folder;
        let is_enough = whole.len() >= self.config.kept.max(KEPT_MIN);
        let with_manifest: BTreeSet<String> = list(folder)?.into_iter().map(|(name, _)| name).collect();
        for epoch in epochs(folder)?.into_iter().filter(|epoch| *epoch < newest.0) {
            let name = epoch.to_string();
            let is_kept = whole.iter().any(|manifest| manifest.epoch.0 == epoch);
            if !is_kept && (is_enough || !with_manifest.contains(&name)) {
                self.checked.remove(&Epoch(epoch));
                remove(folder, &name).map_err(Error::io("removing", &folder.describe(&name)))?;
                self.damaged.remove(&name);
            }
        }
        Ok(())
    }
}

/// The manifest goes first: what is left of a removal that broke off is no checkpoint.
fn remove(folder: &dyn Storage, name: &str) -> std::io::Result<()> {
    folder.folder(name).delete(super::MANIFEST)?;
    folder.delete_folder(name)
}

#[cfg(test)]
mod tests;
