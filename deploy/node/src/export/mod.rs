//! The tables for analysts: a thread that follows the output topics and writes their records, at its own pace, beside
//! everything else. Wires the log's reader to the exporter. Not for what is in the tables.
//!
//! Whatever fails is tried again from what the tables hold, with pauses; until then the reason is reported, nothing is
//! lost, and the node keeps running.

mod rebuild;
mod run;
mod tables;

pub use rebuild::{Rebuilt, rebuild};
pub use run::{ExportLock, input, open};
pub use tables::Tables;

use crate::config::ExportConfig;
use anyhow::{Context, Result};
use dataflows::contract::epoch::Epoch;
use ingest::Signal;
use ingest::log::Log;
use serving::{
    CompactedJson, ExportJson, Exports, GapJson, Gauge, TableJson, TableProblemJson, VacuumedJson, VerifiedJson,
    ViewStore,
};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use warehouse_export::{Exporter, FileCounts, Gap, Problem, TableStatus};

/// Asks that may wait for the thread.
const ASKS_MAX: usize = 16;
/// The time that one waits for its answer: reading all tables takes time.
const ANSWER_MAX: Duration = Duration::from_secs(3_600);
const HOUR_MS: i64 = 3_600_000;

/// A request of an operator to the exporting thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportRequest {
    /// The state of every table.
    Standing,
    /// A check of the tables.
    Verify,
    /// A merge of small files.
    Compact,
    /// A deletion of unneeded files that are older than that.
    Vacuum {
        /// Their age.
        hours: u64,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportReply {
    /// The state of every table.
    Standing(ExportJson),
    /// The faults.
    Verified(VerifiedJson),
    /// The number of files that a merge saved.
    Compacted(CompactedJson),
    /// The number of files that were deleted.
    Vacuumed(VacuumedJson),
}

type Reply = SyncSender<Result<ExportReply, String>>;

/// The state of the export, and the requests to it. Clones are the same.
#[derive(Clone)]
pub struct ExportHandle {
    shared: Arc<ExportShared>,
}

struct ExportShared {
    state: Mutex<ExportState>,
    signal: Signal,
}

#[derive(Default)]
struct ExportState {
    /// The newest epoch that all tables hold; none before that is known.
    committed: Option<Epoch>,
    /// True once the topics are read after that epoch, no longer before it.
    is_following: bool,
    /// When it was committed, or found at the start.
    at: Option<Instant>,
    files: FileCounts,
    /// The state of every table at the last request.
    tables: Vec<TableJson>,
    stalled: Option<String>,
    asks: VecDeque<(ExportRequest, Reply)>,
}

/// The parts that the thread works with.
pub struct Parts {
    /// The output topics.
    pub log: Arc<dyn Log>,
    /// The log itself, by whose first epoch tables of another are known.
    pub epochs: Arc<dyn Log>,
    /// The folder of all state.
    pub data: PathBuf,
    /// The views that the tables are checked against.
    pub shop: ViewStore,
    /// The limits.
    pub config: ExportConfig,
}

/// A thread that exports. Dropping it ends that; what is not committed comes again after the next start.
pub struct Thread {
    exporting: ExportHandle,
    thread: Option<JoinHandle<()>>,
}

impl Default for ExportHandle {
    fn default() -> ExportHandle {
        ExportHandle { shared: Arc::new(ExportShared { state: Mutex::default(), signal: Signal::default() }) }
    }
}

impl ExportHandle {
    fn state(&self) -> MutexGuard<'_, ExportState> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest epoch that all tables hold. 0 until that is known.
    pub fn committed(&self) -> Epoch {
        self.state().committed.unwrap_or_default()
    }

    /// The epoch up to which outputs are needed no more here. 0 while they are still read, to come to what follows.
    pub fn followed(&self) -> Epoch {
        let state = self.state();
        state.committed.filter(|_| state.is_following).unwrap_or_default()
    }

    /// Why nothing can be exported, while that is so.
    pub fn stalled(&self) -> Option<String> {
        self.state().stalled.clone()
    }

    /// Starts the thread.
    pub fn start(&self, parts: Parts) -> Result<Thread> {
        let exporting = self.clone();
        let signal = self.shared.signal.clone();
        let tables = Tables::at(&parts.data, &parts.config, move || signal.is_stopped())?;
        let thread = std::thread::Builder::new().name("exporter".to_owned());
        let thread = thread.spawn(move || run::run(&exporting, &parts, &tables)).context("starting the exporter")?;
        Ok(Thread { exporting: self.clone(), thread: Some(thread) })
    }

    /// Figures, as of a node that is at that epoch.
    pub fn gauges(&self, applied: Epoch) -> Vec<Gauge> {
        let gauge = |name, help, value| Gauge { name, help, value };
        let state = self.state();
        let stalled = f64::from(u8::from(state.stalled.is_some()));
        let mut gauges = vec![gauge("export_stalled", "1 while the tables for analysts cannot be written", stalled)];
        if let Some((epoch, at)) = state.committed.zip(state.at) {
            let behind = applied.0.saturating_sub(epoch.0) as f64;
            gauges.extend([
                gauge("export_epoch", "the newest epoch that all tables for analysts hold", epoch.0 as f64),
                gauge("export_lag_epochs", "epochs that are not in the tables yet", behind),
                gauge("export_age_seconds", "since the tables got an epoch", at.elapsed().as_secs_f64()),
                gauge("export_files", "files of all tables", state.files.count as f64),
                gauge("export_small_files", "files that compact might merge", state.files.small as f64),
                gauge("export_bytes", "bytes of all tables", state.files.bytes as f64),
                gauge(
                    "export_replaced_bytes",
                    "bytes of replaced files, deleted when nobody reads them any more",
                    state.files.replaced_bytes as f64,
                ),
            ]);
        }
        gauges
    }

    /// Notes what the tables hold.
    fn holds(&self, exporter: &Exporter) {
        let mut state = self.state();
        (state.committed, state.at, state.files) = (Some(exporter.committed()), Some(Instant::now()), exporter.files());
    }

    /// The last known state of the tables, while they cannot be looked at.
    fn last_standing(&self, place: String, why: String) -> ExportReply {
        let state = self.state();
        let epoch = state.committed.unwrap_or_default().0;
        ExportReply::Standing(ExportJson { epoch, stalled: Some(why), place, tables: state.tables.clone() })
    }

    /// Has the thread do it.
    fn ask(&self, ask: ExportRequest) -> Result<ExportReply, String> {
        let (reply, answer): (Reply, Receiver<_>) = sync_channel(1);
        let mut state = self.state();
        if state.asks.len() >= ASKS_MAX {
            return Err("it is asked for too much at once".to_owned());
        }
        state.asks.push_back((ask, reply));
        drop(state);
        self.shared.signal.notify();
        answer.recv_timeout(ANSWER_MAX).map_err(|_| "it gives no answer: the node starts or stops".to_owned())?
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.exporting.shared.signal.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has taken the process down; there is nothing to hand on.
            drop(thread.join());
        }
        self.exporting.state().asks.clear();
    }
}

const OTHER: &str = "it answered something else";

impl Exports for ExportHandle {
    fn standing(&self) -> Result<ExportJson, String> {
        match self.ask(ExportRequest::Standing)? {
            ExportReply::Standing(standing) => Ok(standing),
            ExportReply::Verified(_) | ExportReply::Compacted(_) | ExportReply::Vacuumed(_) => Err(OTHER.to_owned()),
        }
    }

    fn verify(&self) -> Result<VerifiedJson, String> {
        match self.ask(ExportRequest::Verify)? {
            ExportReply::Verified(verified) => Ok(verified),
            ExportReply::Standing(_) | ExportReply::Compacted(_) | ExportReply::Vacuumed(_) => Err(OTHER.to_owned()),
        }
    }

    fn compact(&self) -> Result<CompactedJson, String> {
        match self.ask(ExportRequest::Compact)? {
            ExportReply::Compacted(compacted) => Ok(compacted),
            ExportReply::Standing(_) | ExportReply::Verified(_) | ExportReply::Vacuumed(_) => Err(OTHER.to_owned()),
        }
    }

    fn vacuum(&self, hours: u64) -> Result<VacuumedJson, String> {
        match self.ask(ExportRequest::Vacuum { hours })? {
            ExportReply::Vacuumed(vacuumed) => Ok(vacuumed),
            ExportReply::Standing(_) | ExportReply::Verified(_) | ExportReply::Compacted(_) => Err(OTHER.to_owned()),
        }
    }
}

/// Does what is asked, with the views if there are any.
pub fn answer(
    exporter: &mut Exporter,
    ask: ExportRequest,
    place: &str,
    stalled: Option<String>,
    shop: Option<&ViewStore>,
) -> Result<ExportReply, warehouse_export::Error> {
    Ok(match ask {
        ExportRequest::Standing => {
            let tables = exporter.standings().into_iter().map(table_json).collect();
            ExportReply::Standing(ExportJson {
                epoch: exporter.committed().0,
                stalled,
                place: place.to_owned(),
                tables,
            })
        }
        ExportRequest::Verify => ExportReply::Verified(verify(exporter, shop)),
        ExportRequest::Compact => ExportReply::Compacted(CompactedJson { files_fewer: exporter.compact()? }),
        ExportRequest::Vacuum { hours } => {
            let age_ms = i64::try_from(hours).unwrap_or(i64::MAX).saturating_mul(HOUR_MS);
            ExportReply::Vacuumed(VacuumedJson { files_deleted: exporter.vacuum(age_ms)? })
        }
    })
}

fn table_json(standing: TableStatus) -> TableJson {
    let TableStatus { table, epoch, version: _, files, small_files, rows, bytes, gaps } = standing;
    let gaps = gaps.into_iter().map(|Gap { from, to }| GapJson { from, to }).collect();
    TableJson { table, epoch, rows, files, small_files, bytes, gaps }
}

fn verify(exporter: &Exporter, shop: Option<&ViewStore>) -> VerifiedJson {
    let epoch = exporter.committed();
    // The views first: the node keeps the epoch for a while only.
    let views = match shop {
        Some(shop) => exporter.verify_views(&mut |view, each| run::rows_at(shop, epoch, view, each)),
        None => Err("only a running node has them".to_owned()),
    };
    let (of_views, without_views) = match views {
        Ok(problems) => (problems, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let problems = exporter.verify().into_iter().chain(of_views);
    let problems = problems.map(|Problem { table, why }| TableProblemJson { table, why }).collect();
    VerifiedJson { epoch: epoch.0, tables: exporter.tables().count(), without_views, problems }
}
