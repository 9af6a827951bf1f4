//! The thread that writes the index: takes batches, commits them with their epoch, and puts each commit on the shelf.
//! What it could not write it keeps and tries again, with all that came since. Not for the engine's thread.

use super::batch::{Batch, BatchQueue};
use super::catalogue::Catalogue;
use super::open::{Mark, Open};
use super::snapshot::SegmentCache;
use super::snapshot_cache::SnapshotCache;
use super::storage::IndexStorage;
use crate::Error;
use crate::config::Config;
use crate::document::Fields;
use dataflows::contract::epoch::Epoch;
use smol_str::SmolStr;
use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tantivy::Term;

/// The place in which the engine's thread leaves changes for the indexer's.
pub struct ChangeQueue {
    inner: Mutex<(BatchQueue, bool)>,
    moved: Condvar,
}

/// The next step of the indexer.
enum Next {
    Batch(Batch),
    Nothing,
    Stop,
}

impl ChangeQueue {
    /// A link on which nothing waits.
    pub const fn new(waiting: BatchQueue) -> ChangeQueue {
        ChangeQueue { inner: Mutex::new((waiting, false)), moved: Condvar::new() }
    }

    fn inner(&self) -> MutexGuard<'_, (BatchQueue, bool)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves an epoch.
    pub fn add(&self, changes: &dataflows::contract::changes::Changes) {
        self.inner().0.add(changes);
        self.moved.notify_one();
    }

    /// Notes that nothing more comes.
    pub fn stop(&self) {
        self.inner().1 = true;
        self.moved.notify_one();
    }

    /// Waits that long, unless nothing more comes.
    fn back_off(&self, wait: Duration) {
        drop(self.moved.wait_timeout_while(self.inner(), wait, |(_, stopped)| !*stopped));
    }

    fn next(&self, wait: Duration) -> Next {
        let is_idle = |(waiting, stopped): &mut (BatchQueue, bool)| waiting.is_empty() && !*stopped;
        let waited = self.moved.wait_timeout_while(self.inner(), wait, is_idle);
        let mut inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        match (inner.0.take(), inner.1) {
            (Some(batch), _) => Next::Batch(batch),
            (None, true) => Next::Stop,
            (None, false) => Next::Nothing,
        }
    }
}

/// The index as its thread knows it.
pub struct Indexer {
    config: Config,
    home: Box<dyn IndexStorage>,
    fields: Fields,
    shelf: Arc<SnapshotCache>,
    open: Option<Open>,
    known: SegmentCache,
    /// The bytes that had been replaced in the catalogue when `known` was empty.
    known_since: usize,
    catalogue: Catalogue,
    /// The products that the files do not have as they are.
    changed: HashSet<SmolStr>,
    /// True if the files are to be emptied first.
    is_stale: bool,
    /// The commit that the files had at the start, until the changes have come to its epoch.
    resume: Option<Mark>,
    /// The epoch of the catalogue.
    upto: Epoch,
    digest: u128,
    /// The epoch of the files, and since when.
    committed: Option<(Epoch, Instant)>,
    /// True if the shelf has what the files have.
    is_shown: bool,
    /// Nothing is written before that.
    not_before: Option<Instant>,
}

impl Indexer {
    /// An indexer over files that are open, with their mark; none if they could not be opened.
    pub fn new(
        config: Config,
        home: Box<dyn IndexStorage>,
        fields: Fields,
        shelf: Arc<SnapshotCache>,
        open: Option<Open>,
        resume: Option<Mark>,
    ) -> Indexer {
        Indexer {
            config,
            home,
            fields,
            shelf,
            open,
            known: SegmentCache::default(),
            known_since: 0,
            catalogue: Catalogue::default(),
            changed: HashSet::new(),
            is_stale: false,
            resume,
            upto: Epoch(0),
            digest: 0,
            committed: None,
            is_shown: false,
            not_before: None,
        }
    }

    /// Marks the files as those of another log: they are rewritten.
    pub fn forget(&mut self) {
        self.resume = None;
        self.is_stale = true;
    }

    /// Runs until the link says stop.
    pub fn run(mut self, link: &ChangeQueue) {
        let tick = Duration::from_millis(self.config.progress_ms.min(self.config.retry_ms));
        loop {
            match link.next(tick) {
                Next::Batch(batch) => self.take(batch),
                Next::Nothing => {}
                Next::Stop => {
                    // What is not in the files yet is taken from the log again.
                    let _ = self.write(true);
                    return;
                }
            }
            if self.not_before.is_none_or(|not_before| not_before <= Instant::now()) {
                let (started, commit) = (Instant::now(), self.committed);
                let written = self.write(false);
                if self.committed != commit {
                    link.back_off(started.elapsed().min(Duration::from_millis(self.config.rest_ms_max)));
                }
                self.not_before =
                    written.is_err().then(|| Instant::now() + Duration::from_millis(self.config.retry_ms));
                if let Err(error) = &written {
                    self.close();
                    self.shelf.stalled(Some(chain(error)));
                } else {
                    self.shelf.stalled(None);
                }
            }
        }
    }

    /// Closes the files: after an error a writer is of no use, and the next attempt opens them again.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Takes a batch into the catalogue.
    pub fn take(&mut self, batch: Batch) {
        (self.upto, self.digest) = (batch.upto, batch.digest);
        self.catalogue.apply(batch, &mut self.changed);
        let Some(resume) = &self.resume else { return };
        if self.upto < resume.epoch {
            self.changed.clear();
        } else if *resume == Mark::of(self.upto, self.digest) {
            self.resume = None;
            self.committed = Some((self.upto, Instant::now()));
            self.changed.clear();
        } else {
            // They are of another log, or older than the state that the engine began with.
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        self.forget();
        self.is_shown = false;
        self.changed.extend(self.catalogue.ids().cloned());
    }

    /// Brings files and shelf to where the catalogue is.
    pub fn write(&mut self, is_last: bool) -> Result<(), Error> {
        self.opened()?;
        if self.resume.is_some() || self.upto == Epoch(0) {
            return Ok(());
        }
        let has_documents = self.is_stale || !self.changed.is_empty() || self.committed.is_none();
        let is_behind = |(epoch, at): (Epoch, Instant)| {
            let is_due = is_last || at.elapsed() >= Duration::from_millis(self.config.progress_ms);
            epoch < self.upto && is_due
        };
        if has_documents {
            self.write_documents()?;
            self.is_shown = false;
        } else if self.committed.is_some_and(is_behind) {
            self.commit()?;
        }
        if self.is_shown {
            self.shelf.extend(self.upto);
            return Ok(());
        }
        self.show()
    }

    fn opened(&mut self) -> Result<&mut Open, Error> {
        if self.open.is_none() {
            let (open, mark) = Open::at(self.home.as_ref(), &self.fields, self.config.writer_bytes)?;
            // Others may have been at the files, or a commit may have failed after it was durable.
            let is_known = self.committed.map(|(epoch, _)| epoch) <= mark.as_ref().map(|mark| mark.epoch);
            if mark.is_none() || self.committed.is_none() || !is_known {
                self.rebuild();
            }
            self.known = SegmentCache::default();
            self.open = Some(open);
        }
        self.open.as_mut().ok_or(Error::InconsistentIndex)
    }

    fn write_documents(&mut self) -> Result<(), Error> {
        self.opened()?;
        let Some(open) = &self.open else { return Err(Error::InconsistentIndex) };
        if self.is_stale {
            open.writer.delete_all_documents()?;
        }
        for id in &self.changed {
            open.writer.delete_term(Term::from_field_text(self.fields.id, id));
            if let Some(listed) = self.catalogue.listed(id) {
                open.writer.add_document(self.fields.document(&listed.product))?;
            }
        }
        self.commit()?;
        self.changed.clear();
        self.is_stale = false;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        let mark = Mark::of(self.upto, self.digest);
        self.opened()?.commit(&mark)?;
        self.committed = Some((self.upto, Instant::now()));
        Ok(())
    }

    fn show(&mut self) -> Result<(), Error> {
        let searcher = self.opened()?.searcher()?;
        let superseded_bytes = self.catalogue.superseded_bytes();
        if superseded_bytes - self.known_since > self.config.older_bytes_max {
            // Segments keep the rows of documents that were deleted from them since they were opened.
            (self.known, self.known_since) = (SegmentCache::default(), superseded_bytes);
        }
        match self.known.open(&self.fields, &searcher, &self.catalogue)? {
            Some(snapshot) => {
                self.shelf.publish(snapshot, self.upto, self.home.bytes(), superseded_bytes);
                self.is_shown = true;
                Ok(())
            }
            None => {
                self.rebuild();
                Err(Error::InconsistentIndex)
            }
        }
    }
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
