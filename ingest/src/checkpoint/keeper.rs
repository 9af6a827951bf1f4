//! Takes checkpoints as time passes and the log grows, or when told to, and keeps the newest ones. A checkpoint that
//! cannot be taken is tried again at the next turn: nothing depends on it but how long a restart takes.

use super::{Manifest, list, write};
use crate::Error;
use crate::log::{Log, lock};
use crate::sealed::{Follower, Place};
use crate::signal::Signal;
use dataflows::epoch::Epoch;
use dataflows::port::Holder;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When checkpoints are taken, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// One is taken after that time, if anything was decided since the last.
    pub interval_s: u64,
    /// And once the log has grown by that much.
    pub log_bytes: u64,
    /// How many are kept, at least two.
    pub kept: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { interval_s: 60, log_bytes: 1 << 30, kept: 2 }
    }
}

/// How often the keeper looks whether one is due.
const TURN: Duration = Duration::from_secs(1);

/// Takes and keeps checkpoints. Dropping it ends that.
pub struct Checkpoints {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    folder: PathBuf,
    /// The newest one, and since when it is there. Apart from the state, which is held while one is taken.
    newest: Mutex<Option<(Epoch, Instant)>>,
    state: Mutex<State>,
    signal: Signal,
}

/// One is taken at a time.
struct State {
    holder: Arc<dyn Holder>,
    follower: Follower,
    last: Option<Manifest>,
    config: Config,
}

impl Checkpoints {
    /// Starts in that folder; `from` is the place in the log where the process began, `last` the checkpoint that it began
    /// with, `log_bytes` how large the log is.
    pub fn start(
        folder: PathBuf,
        holder: Arc<dyn Holder>,
        log: &dyn Log,
        from: Place,
        last: Option<Manifest>,
        log_bytes: impl Fn() -> u64 + Send + 'static,
        config: Config,
    ) -> Result<Checkpoints, Error> {
        let name = folder.display().to_string();
        std::fs::create_dir_all(&folder).map_err(Error::io("making", &name))?;
        let signal = Signal::default();
        let mut follower = Follower::new(log, from)?;
        follower.wake(signal.waker());
        let newest = Mutex::new(last.as_ref().map(|last| (last.epoch, Instant::now())));
        let (interval, bytes_max) = (Duration::from_secs(config.interval_s), config.log_bytes);
        let state = Mutex::new(State { holder, follower, last, config });
        let shared = Arc::new(Shared { folder, newest, state, signal });
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

    /// For how long the newest one is there.
    pub fn age(&self) -> Option<Duration> {
        lock(&self.shared.newest).map(|(_, since)| since.elapsed())
    }

    /// Those that are there, the newest first.
    pub fn list(&self) -> Result<Vec<Manifest>, Error> {
        Ok(list(&self.shared.folder)?.into_iter().filter_map(|(_, manifest)| manifest.ok()).collect())
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

impl Shared {
    fn run(&self, interval: Duration, bytes_max: u64, log_bytes: &dyn Fn() -> u64) {
        let (mut taken, mut bytes) = (Instant::now(), log_bytes());
        while !self.signal.is_stopped() {
            self.signal.pause(TURN);
            if taken.elapsed() < interval && log_bytes().saturating_sub(bytes) < bytes_max {
                continue;
            }
            (taken, bytes) = (Instant::now(), log_bytes());
            match self.take() {
                Ok(manifest) => tracing::debug!(epoch = manifest.epoch.0, "a checkpoint is there"),
                Err(_) if self.signal.is_stopped() => {}
                Err(error) => tracing::warn!(%error, "no checkpoint could be taken; it is tried again"),
            }
        }
    }

    fn take(&self) -> Result<Manifest, Error> {
        let state = &mut *lock(&self.state);
        let held = state.holder.hold().ok_or_else(|| Error::Unavailable("nothing is decided yet".to_owned()))?;
        let epoch = held.epoch();
        if let Some(last) = state.last.as_ref().filter(|last| last.epoch >= epoch) {
            return Ok(last.clone());
        }
        let place = state.place_of(epoch, &self.signal)?;
        let manifest = write(&self.folder, held.as_ref(), &place)?;
        drop(held);
        state.last = Some(manifest.clone());
        *lock(&self.newest) = Some((epoch, Instant::now()));
        prune(&self.folder, state.config.kept.max(2), epoch);
        Ok(manifest)
    }
}

impl State {
    /// Follows the log to that epoch, which is in it.
    fn place_of(&mut self, epoch: Epoch, signal: &Signal) -> Result<Place, Error> {
        while self.follower.epochs().last < epoch {
            if !self.follower.poll(1, &mut |_| {})? {
                if signal.is_stopped() {
                    return Err(Error::Unavailable("the process stops".to_owned()));
                }
                signal.wait(TURN);
            }
        }
        Ok(self.follower.place().clone())
    }
}

/// Removes all but the newest ones, and what attempts before the newest have left.
fn prune(folder: &Path, kept: usize, newest: Epoch) {
    let complete: Vec<PathBuf> = list(folder).into_iter().flatten().map(|(path, _)| path).take(kept).collect();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let epoch: Option<u64> = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        if epoch.is_some_and(|epoch| epoch < newest.0)
            && !complete.contains(&path)
            && let Err(error) = remove(&path)
        {
            tracing::warn!(checkpoint = %path.display(), %error, "an old checkpoint could not be removed");
        }
    }
}

/// The manifest goes first: what is left of a removal that broke off is no checkpoint.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path.join(super::MANIFEST)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::remove_dir_all(path)
}
