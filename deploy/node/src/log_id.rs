//! The id of a log: tables and other copies of a shop name it, so that they are not taken for those of another. Not for
//! what is in the log.

use anyhow::{Context, Result, ensure};
use dataflows::contract::epoch::{Cut, Epoch, Epochs};
use dataflows::contract::topic::TopicPartition;
use ingest::Signal;
use ingest::log::storage::{Folder, Storage};
use ingest::log::{Log, LogRecord, ReadLimit};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// The file of a data folder that keeps it.
const FILE: &str = "log-id";
/// The bytes of the hash that are the id.
const BYTES: usize = 8;
/// The records that may precede the first epoch's and are none.
const LIMIT: ReadLimit = ReadLimit { records_max: 256, bytes_max: 1 << 20 };
/// The time that a log may take to give its first records.
const WAIT_MAX: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(100);

/// The id of a log, or the reason that it is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogId {
    /// This is its id: 16 hex digits.
    Known(String),
    /// It has no epoch yet.
    NoEpoch,
    /// Its first epoch was deleted, as it is before the checkpoints.
    Deleted,
}

impl LogId {
    /// The id, if it is known.
    pub fn known(self) -> Option<String> {
        match self {
            LogId::Known(id) => Some(id),
            LogId::NoEpoch | LogId::Deleted => None,
        }
    }
}

/// The id of a data folder's log. The folder keeps it, for when the first epoch is deleted.
pub fn of_folder(data: &Path, log: &dyn Log, signal: &Signal) -> Result<LogId> {
    let path = data.join(FILE);
    let context = || format!("keeping the log's id in {}", path.display());
    let kept = match fs::read_to_string(&path) {
        Ok(kept) => Some(kept),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(context),
    };
    Ok(match log_id(log, signal)? {
        LogId::Known(id) => {
            if kept.as_ref() != Some(&id) {
                let folder = Folder::at(data).with_context(context)?;
                folder.replace(FILE, id.as_bytes()).with_context(context)?;
            }
            LogId::Known(id)
        }
        LogId::Deleted => kept.map_or(LogId::Deleted, LogId::Known),
        LogId::NoEpoch => LogId::NoEpoch,
    })
}

/// The id of a log: the first digits of SHA-256 over the value of its first epoch's record.
pub fn log_id(log: &dyn Log, signal: &Signal) -> Result<LogId> {
    let at = TopicPartition::EPOCHS;
    if log.starts()?.get(at).unwrap_or(0) > 0 {
        return Ok(LogId::Deleted);
    }
    let end = log.ends()?.get(at).unwrap_or(0);
    let mut starts = Cut::default();
    starts.set(at, 0);
    let mut reader = log.reader(&starts)?;
    let (mut epochs, mut records, since) = (Epochs::default(), Vec::<LogRecord>::new(), Instant::now());
    while reader.position(at).unwrap_or(0) < end {
        reader.poll(LIMIT, &mut records)?;
        for LogRecord { origin: _, record } in records.drain(..) {
            let value = record.value.unwrap_or_default();
            if epochs.accept_bytes(&value).is_ok_and(|record| record.epoch == Epoch(1)) {
                return Ok(LogId::Known(hex(&value)));
            }
        }
        ensure!(since.elapsed() < WAIT_MAX && !signal.is_stopped(), "{at} gives nothing");
        if reader.position(at).unwrap_or(0) < end {
            signal.sleep(WAIT);
        }
    }
    Ok(LogId::NoEpoch)
}

fn hex(value: &[u8]) -> String {
    Sha256::digest(value).iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_beginning_of_the_hash() {
        // FIPS 180-2, B.1.
        assert_eq!(hex(b"abc"), "ba7816bf8f01cfea");
    }
}
