//! The index: fed by the core's changes, committed with its epoch, asked at an epoch. Not for what a query means.
//!
//! ```text
//! Changes ─▶ sink ─▶ batches ─▶ indexer's thread: catalogue ─▶ documents ─▶ commit, epoch ─▶ snapshot ─▶ shelf
//! ```

mod batch;
mod catalogue;
mod disk;
mod indexer;
mod open;
mod snapshot;
mod snapshot_cache;
mod storage;

#[cfg(test)]
mod fake_disk;
#[cfg(test)]
mod tests;

pub use catalogue::RankedProduct;
pub use snapshot::{Segment, Snapshot};
pub use snapshot_cache::{CachedSnapshot, SnapshotCache};

use crate::Error;
use crate::config::Config;
use crate::document::Fields;
use batch::BatchQueue;
use dataflows::contract::changes::Changes;
use dataflows::contract::epoch::Epoch;
use dataflows::ports::Sink;
use indexer::{ChangeQueue, Indexer, chain};
use open::Open;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use storage::{Folder, IndexStorage};

/// The sink that feeds the index. Dropping it brings the files up to date.
pub struct IndexSink {
    link: Arc<ChangeQueue>,
    thread: Option<JoinHandle<()>>,
    last: Epoch,
}

/// Opens the index of a folder, or makes it. `log_end` is the last epoch that the log has: an index beyond it is of
/// another log.
pub fn open(config: &Config, folder: &Path, log_end: Epoch) -> Result<(IndexSink, Arc<SnapshotCache>), Error> {
    open_at(config, Box::new(Folder(folder.to_owned())), log_end)
}

fn open_at(
    config: &Config,
    home: Box<dyn IndexStorage>,
    log_end: Epoch,
) -> Result<(IndexSink, Arc<SnapshotCache>), Error> {
    let fields = Fields::new();
    let opened = Open::at(home.as_ref(), &fields, config.writer_bytes);
    let older_age_max = Duration::from_millis(config.older_ms_max);
    let shelf = Arc::new(SnapshotCache::new(config.older_max, older_age_max, config.older_bytes_max));
    let (open, mark) = match opened {
        Ok((open, mark)) => (Some(open), mark),
        // The node starts without an index, and it is tried again.
        Err(error) => {
            shelf.stalled(Some(chain(&error)));
            (None, None)
        }
    };
    let is_ahead = mark.as_ref().is_some_and(|mark| mark.epoch > log_end);
    let ends_at = mark.as_ref().filter(|_| !is_ahead).map_or(Epoch(0), |mark| mark.epoch);
    let mut indexer = Indexer::new(config.clone(), home, fields, Arc::clone(&shelf), open, mark);
    if is_ahead {
        indexer.forget();
    }
    let bytes_max = config.waiting_bytes_max;
    let waiting = BatchQueue::new(ends_at, config.commit_changes_max, config.commits_waiting_max, bytes_max);
    let link = Arc::new(ChangeQueue::new(waiting));
    let run = {
        let link = Arc::clone(&link);
        move || indexer.run(&link)
    };
    let thread = std::thread::Builder::new().name("index".to_owned()).spawn(run).map_err(Error::Thread)?;
    Ok((IndexSink { link, thread: Some(thread), last: Epoch(0) }, shelf))
}

impl Sink for IndexSink {
    fn apply(&mut self, changes: &Arc<Changes>) {
        if changes.epoch() > self.last {
            self.last = changes.epoch();
            self.link.add(changes);
        }
    }
}

impl Drop for IndexSink {
    fn drop(&mut self) {
        self.link.stop();
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic could spoil: the files are at their last commit.
            let _ = thread.join();
        }
    }
}
