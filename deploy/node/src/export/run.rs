//! The work of the exporting thread: opens the tables, follows the topics, takes one epoch after the other, answers
//! operators. Begins again after an error.

use super::{ExportHandle, ExportReply, ExportRequest, Parts, Reply, Tables, answer};
use crate::log_id::{self, LogId};
use anyhow::{Error, Result};
use dataflows::contract::epoch::Epoch;
use dataflows::shop::row::View;
use ingest::Signal;
use ingest::log::Log;
use ingest::output::reader;
use ingest::output::reader::{EpochBatch, OutputReader, PublishedChange, PublishedEvent, Step};
use serving::ViewStore;
use smol_str::SmolStr;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use warehouse_export::input::{ChangeInput, EpochInput, EventInput};
use warehouse_export::{Config, Exporter};

/// The first pause after an error; each further one is twice as long.
const RETRY_MS_MIN: u64 = 100;
/// The wait for a log that gives nothing before it is looked at again.
const IDLE: Duration = Duration::from_secs(10);
/// The rows of a view that are read between two checks that its epoch is still kept.
const ROWS_AT_ONCE: usize = 10_000;

/// No other process of this machine writes to the tables while it is held.
pub struct ExportLock {
    /// The writer.
    pub exporter: Exporter,
    _lock: Box<dyn Send + Sync>,
}

/// Opens the tables, or makes them.
pub fn open(tables: &Tables, config: Config) -> Result<ExportLock> {
    let lock = tables.lock()?;
    let exporter = Exporter::open(Arc::clone(&tables.place), config)?;
    Ok(ExportLock { exporter, _lock: lock })
}

/// Exports until it is stopped.
pub fn run(exporting: &ExportHandle, parts: &Parts, tables: &Tables) {
    let signal = &exporting.shared.signal;
    let longest = parts.config.retry_ms_max;
    let mut retry = RETRY_MS_MIN.min(longest);
    while !signal.is_stopped() {
        let before = exporting.committed();
        let Err(error) = attempt(exporting, parts, tables) else { return };
        if signal.is_stopped() {
            return;
        }
        if exporting.committed() > before {
            retry = RETRY_MS_MIN.min(longest);
        }
        let why = told(&error);
        let is_new = exporting.state().stalled.replace(why.clone()).is_none();
        if is_new {
            tracing::warn!(error = why, "the tables for analysts cannot be written now");
        }
        let asks = std::mem::take(&mut exporting.state().asks);
        for (ask, reply) in asks {
            // The state of the tables is reported all the same: as it was last seen.
            let said = match ask {
                ExportRequest::Standing => Ok(exporting.last_standing(tables.url(), why.clone())),
                ExportRequest::Verify | ExportRequest::Compact | ExportRequest::Vacuum { .. } => Err(why.clone()),
            };
            reply_with(&reply, said);
        }
        signal.sleep(Duration::from_millis(retry));
        retry = (retry * 2).min(longest);
    }
}

/// The text of an error, and what an operator can do where trying again does not help.
fn told(error: &Error) -> String {
    let text = format!("{error:#}");
    match error.downcast_ref::<ingest::Error>() {
        Some(ingest::Error::Outputs(_) | ingest::Error::Deleted { .. } | ingest::Error::OutOfRange { .. }) => format!(
            "{text}. Nothing is written past a gap. Stop the node and run `tradewind export rebuild --data DIR`: if the \
             whole log is there, the next start makes outputs and tables again; else the tables go on with what is there, \
             and say what they lack"
        ),
        Some(_) | None => text,
    }
}

/// Sends the reply; the receiver may be gone.
fn reply_with(reply: &Reply, said: Result<ExportReply, String>) {
    drop(reply.try_send(said));
}

/// Opens the tables and follows the topics; returns when it is stopped.
fn attempt(exporting: &ExportHandle, parts: &Parts, tables: &Tables) -> Result<()> {
    let Parts { log, epochs, data, shop, config } = parts;
    let place = tables.url();
    let signal = &exporting.shared.signal;
    let ExportLock { mut exporter, _lock } = open(tables, config.limits)?;
    let mut is_identified = identify(&mut exporter, data, &**epochs, signal)?;
    exporting.holds(&exporter);
    let answer_all = |exporter: &mut Exporter| -> Result<()> {
        loop {
            let mut state = exporting.state();
            let Some((ask, reply)) = state.asks.pop_front() else { return Ok(()) };
            let stalled = state.stalled.clone();
            drop(state);
            let said = answer(exporter, ask, &place, stalled, Some(shop));
            if let Ok(ExportReply::Standing(standing)) = &said {
                exporting.state().tables.clone_from(&standing.tables);
            }
            reply_with(&reply, said.as_ref().map(Clone::clone).map_err(ToString::to_string));
            said?;
            exporting.state().files = exporter.files();
        }
    };
    answer_all(&mut exporter)?;
    exporting.state().is_following = false;
    let mut published = OutputReader::open(&**log, exporter.next(), reader::OutputReaderConfig::default())?;
    published.wake(signal.waker());
    while !signal.is_stopped() {
        answer_all(&mut exporter)?;
        if !is_identified {
            is_identified = identify(&mut exporter, data, &**epochs, signal)?;
        }
        let step = published.step()?;
        exporting.state().is_following |= step != Step::More;
        match step {
            Step::Epoch(whole) => {
                if exporter.take(&input(whole))?.is_some() {
                    exporting.holds(&exporter);
                    if exporting.state().stalled.take().is_some() {
                        tracing::info!(epoch = exporter.committed().0, "the tables for analysts go on");
                    }
                }
            }
            Step::More => {}
            Step::Idle => drop(signal.wait(IDLE)),
        }
    }
    Ok(())
}

/// Gives the exporter the id of the log, as far as it is known; false while there is no epoch.
fn identify(exporter: &mut Exporter, data: &Path, log: &dyn Log, signal: &Signal) -> Result<bool> {
    let id = match log_id::of_folder(data, log, signal)? {
        LogId::Known(id) => Some(id),
        // The tables must at least agree with each other.
        LogId::Deleted => exporter.log_id(),
        LogId::NoEpoch => return Ok(false),
    };
    id.map_or(Ok(()), |id| exporter.identify(&id))?;
    Ok(true)
}

/// An epoch as the exporter takes it.
pub fn input(whole: EpochBatch) -> EpochInput {
    let EpochBatch { epoch, now, events, changes } = whole;
    let events = events.into_iter().map(|PublishedEvent { n, name, key, data }| EventInput { n, name, key, data });
    let changes =
        changes.into_iter().map(|PublishedChange { view, n: _, key, value }| ChangeInput { view, key, value });
    EpochInput { epoch, now, events: events.collect(), changes: changes.collect() }
}

/// Hands over the rows of a view at an epoch, as long as the node keeps that.
pub fn rows_at(
    shop: &ViewStore,
    epoch: Epoch,
    view: View,
    each: &mut dyn FnMut(&SmolStr, &[u8]),
) -> Result<(), String> {
    let reading = shop.read_at(epoch).map_err(|error| format!("epoch {epoch} cannot be read: {error}"))?;
    let mut start = Bound::Unbounded;
    loop {
        let (mut count, mut last) = (0, None);
        reading.views().rows(view, start, reading.at(), ROWS_AT_ONCE, |key, value| {
            each(key, value);
            (count, last) = (count + 1, Some(key.clone()));
            true
        });
        if !reading.is_valid() {
            return Err(format!("epoch {epoch} is no longer kept"));
        }
        match last.filter(|_| count == ROWS_AT_ONCE) {
            Some(last) => start = Bound::Excluded(last),
            None => return Ok(()),
        }
    }
}
