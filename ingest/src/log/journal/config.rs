//! The journal's limits.

use serde::{Deserialize, Serialize};

/// The journal's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// A new segment is begun when the last one has grown to this.
    pub segment_bytes: u64,
    /// The bytes written with one sync, at most, unless one append is larger.
    pub commit_bytes_max: usize,
    /// A larger append is refused; at most 1 GiB.
    pub append_bytes_max: usize,
    /// The bytes of a batch made by grouping, at most.
    pub batch_bytes_max: usize,
    /// The records of a batch, at most.
    pub batch_records_max: usize,
    /// True if the records of an append are put together by partition and compressed: much smaller where many
    /// partitions take turns, at the price of some work.
    pub is_packed: bool,
    /// The appends that may wait for the disk.
    pub waiting_appends_max: usize,
    /// The bytes that may wait for the disk.
    pub waiting_bytes_max: usize,
    /// The bytes that a reader reads at once, and so holds, unless one commit is larger.
    pub read_window_bytes: usize,
    /// The distance between the index's marks; more when there would be too many.
    pub index_distance_bytes: u64,
    /// The marks that the index holds at most, each 8 bytes a partition.
    pub index_marks_max: usize,
}

impl Default for JournalConfig {
    fn default() -> Self {
        JournalConfig {
            segment_bytes: 256 << 20,
            commit_bytes_max: 4 << 20,
            append_bytes_max: 64 << 20,
            batch_bytes_max: 1 << 20,
            batch_records_max: 10_000,
            is_packed: false,
            waiting_appends_max: 20_000,
            waiting_bytes_max: 64 << 20,
            read_window_bytes: 1 << 20,
            index_distance_bytes: 1 << 20,
            index_marks_max: 65_536,
        }
    }
}
