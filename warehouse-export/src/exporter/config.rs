//! The exporter's limits.

use crate::delta::Retention;

/// The limits. They decide where files end and when they are deleted; a table whose files were cut by others stays right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// A cut is where the epochs' time crosses a multiple of that many seconds; at least 1.
    pub commit_s: u32,
    /// How many records there may be between cuts, but for those of one epoch.
    pub commit_rows: u64,
    /// The bytes in them, at most.
    pub commit_bytes: u64,
    /// How many files facts may get with a commit, but for those of one epoch: each partition of a table gets one.
    pub commit_partitions: usize,
    /// How many rows a file of `<view>_current` may have while there are few such files; at least 1. A commit writes every
    /// such file again in whose range of keys something changed. With more than `CURRENT_FILES` times as many rows the
    /// files get larger, up to `CURRENT_ROWS_MAX`.
    pub current_rows: usize,
    /// A table of facts or changes whose files can become fewer by more than that has its small files merged with the
    /// commit. 0: never.
    pub compact_files: usize,
    /// How long a replaced file of `<view>_current` is kept.
    pub grace_current_s: u32,
    /// How long any other replaced file is kept.
    pub grace_s: u32,
    /// How long the entries of a table's log are kept that a checkpoint speaks for.
    pub log_days: u32,
}

/// How many files of current rows there are before they get larger.
pub const CURRENT_FILES: usize = 1_024;

/// No such file has more rows.
pub const CURRENT_ROWS_MAX: usize = 65_536;

impl Default for Config {
    fn default() -> Config {
        Config {
            commit_s: 60,
            commit_rows: 100_000,
            commit_bytes: 32 << 20,
            commit_partitions: 1_000,
            current_rows: 256,
            compact_files: 0,
            grace_current_s: 3_600,
            grace_s: 604_800,
            log_days: 30,
        }
    }
}

impl Config {
    pub(super) fn kept(&self, is_current: bool) -> Retention {
        let replaced_s = if is_current { self.grace_current_s } else { self.grace_s };
        Retention { replaced_ms: i64::from(replaced_s) * 1_000, log_ms: i64::from(self.log_days) * 86_400_000 }
    }
}
