//! What a table deletes by itself: data files that were replaced, and entries of its log before a checkpoint, both once they
//! are old enough by the epochs' time, so that a table that is written again deletes the same. Not for files that no commit
//! names: see `vacuum` of the exporter.

use super::{LogFiles, Table, io_error};
use crate::Error;
use crate::delta::action::{Action, CommitInfo};
use std::collections::BTreeSet;
use std::io::ErrorKind;

/// How long a table keeps what it needs no more, in milliseconds of the epochs' time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A data file, since it was replaced: somebody may still read it.
    pub replaced_ms: i64,
    /// An entry of the log, once there is a checkpoint that old after it.
    pub log_ms: i64,
}

impl Table {
    /// Deletes the data files that were replaced long enough ago at that time; says how many.
    pub fn delete_replaced(&mut self, now_ms: i64) -> Result<usize, Error> {
        let until = now_ms.saturating_sub(self.kept.replaced_ms);
        let is_due = |at: i64| at <= until && self.deleted_ms.is_none_or(|done| at > done);
        let removes = self.state.removes.values();
        let due = removes.filter(|remove| remove.deletion_timestamp.is_some_and(is_due));
        let mut due: BTreeSet<String> = due.map(|remove| remove.path.clone()).collect();
        if self.deleted_ms.is_none() && !due.is_empty() {
            // An earlier process has deleted most of them.
            let there: BTreeSet<String> = self.data_files()?.into_iter().collect();
            due.retain(|path| there.contains(path));
        }
        for path in &due {
            self.delete_file(path)?;
        }
        self.deleted_ms = self.deleted_ms.max(Some(until));
        Ok(due.len())
    }

    /// The bytes of the files that were replaced and are not deleted yet.
    pub fn replaced_bytes(&self) -> i64 {
        let is_there = |at: i64| self.deleted_ms.is_none_or(|done| at > done);
        let removes = self.state.removes.values();
        let there = removes.filter(|remove| remove.deletion_timestamp.is_some_and(is_there));
        there.map(|remove| remove.size.unwrap_or(0)).sum()
    }

    /// Forgets the removals whose files were deleted after the commit before the newest one, at the latest; a process that died
    /// before that has deleted them when the table was opened again.
    pub(super) fn forget_deleted(&mut self) {
        let until = self.before_ms.saturating_sub(self.kept.replaced_ms);
        self.state.removes.retain(|_, remove| remove.deletion_timestamp.is_some_and(|at| at > until));
    }

    /// Deletes what the log has before its newest checkpoint that was old enough when the last one was due.
    pub(super) fn delete_log(&self) -> Result<(), Error> {
        let Some(newest) = self.checkpointed else { return Ok(()) };
        let Some(now_ms) = self.committed_ms(newest)? else { return Ok(()) };
        let folder = self.log("");
        let names = self.place.list(folder.trim_end_matches('/'));
        let LogFiles { commits, checkpoints } =
            LogFiles::of(&names.map_err(io_error(&*self.place, "listing", &folder))?);
        let mut first = 0;
        for version in checkpoints.iter().copied() {
            match self.committed_ms(version)? {
                Some(at) if at <= now_ms.saturating_sub(self.kept.log_ms) => first = version,
                Some(_) | None => break,
            }
        }
        let commits = commits.into_iter().map(|version| (version, format!("{version:020}.json")));
        let checkpoints = checkpoints.into_iter().map(|version| (version, format!("{version:020}.checkpoint.parquet")));
        for (_, name) in commits.chain(checkpoints).filter(|(version, _)| *version < first) {
            let path = self.log(&name);
            self.place.delete(&path).map_err(io_error(&*self.place, "deleting", &path))?;
        }
        Ok(())
    }

    /// The time of a commit; none if it does not say it, or is not there.
    fn committed_ms(&self, version: u64) -> Result<Option<i64>, Error> {
        let path = self.log(&format!("{version:020}.json"));
        let bytes = match self.place.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&*self.place, "reading", &path)(error)),
        };
        for action in serde_json::Deserializer::from_slice(&bytes).into_iter::<Action>() {
            let action = action.map_err(|error| self.damaged(&path, error.to_string()))?;
            if let Some(CommitInfo { timestamp, operation: _, engine_info: _ }) = action.commit_info {
                return Ok(Some(timestamp));
            }
        }
        Ok(None)
    }
}
