//! The listener's limits.

use serde::{Deserialize, Serialize};

/// The listener's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerConfig {
    /// The connections that may be open; a further one waits to be accepted.
    pub connections_max: usize,
    /// A larger request ends its connection.
    pub request_bytes_max: usize,
    /// The topics, partitions, members and so on that a request may name.
    pub request_items_max: usize,
    /// The bytes that requests over 64 KiB may have together, before they are answered; others wait unread.
    pub requests_bytes_max: usize,
    /// The time that a connection may be silent.
    pub idle_ms_max: u64,
    /// The time that a request may take to come once it has begun.
    pub request_ms_max: u64,
    /// The time that a client may take for an answer.
    pub write_ms_max: u64,
    /// A larger batch of records is refused.
    pub batch_bytes_max: usize,
    /// A request whose records have more bytes when they are decompressed, in all its batches, is refused.
    pub records_bytes_max: usize,
    /// So is one whose records take more memory when they are read; and all requests that are being appended take no more
    /// together: others wait.
    pub records_memory_max: usize,
    /// The bytes of an answer, at most.
    pub fetch_bytes_max: usize,
    /// The bytes that answers over 64 KiB may have together, before they are taken; others wait.
    pub answers_bytes_max: usize,
    /// The records of one answer, at most.
    pub fetch_records_max: usize,
    /// The time that a client may have itself wait for records.
    pub fetch_wait_ms_max: u64,
    /// The reads of the log that run at once; others wait.
    pub reads_max: usize,
    /// The time that the place of a time is looked for.
    pub lookup_ms_max: u64,
    /// The producers remembered by their numbers; the one that published longest ago is forgotten for another.
    pub producers_max: usize,
    /// The consumer groups, those that have committed and those that have members; a further one is refused.
    pub groups_max: usize,
    /// The members that a group may have.
    pub members_max: usize,
    /// The bytes that a member may send of itself, or get.
    pub member_bytes_max: usize,
    /// The bytes that all members of a group may send of themselves.
    pub group_bytes_max: usize,
    /// The bytes that all members of all groups may send of themselves, and get.
    pub members_bytes_max: usize,
    /// The time that a new member may take at most to join with the name that it was given.
    pub promise_ms_max: u64,
    /// The shortest time after which a silent member is gone.
    pub session_ms_min: u64,
    /// The longest.
    pub session_ms_max: u64,
    /// The time that a group waits at most for its members to join again.
    pub rebalance_ms_max: u64,
    /// The time that a new group waits for further members.
    pub first_join_ms: u64,
    /// The time that outputs are kept, which is only reported.
    pub outputs_kept_ms: u64,
    /// The bytes that may be kept beside a committed offset.
    pub offset_metadata_bytes_max: usize,
    /// The bytes that a group may keep beside all its offsets.
    pub group_metadata_bytes_max: usize,
    /// A smaller file of offsets is not written again, however much of it does not count any more.
    pub offsets_rewrite_bytes_min: u64,
    /// The connections that there may be from one address, but from 127.0.0.1 and ::1.
    pub connections_per_ip_max: usize,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        ListenerConfig {
            connections_max: 256,
            request_bytes_max: 8 << 20,
            request_items_max: 50_000,
            requests_bytes_max: 64 << 20,
            idle_ms_max: 600_000,
            request_ms_max: 30_000,
            write_ms_max: 30_000,
            batch_bytes_max: 2 << 20,
            records_bytes_max: 32 << 20,
            records_memory_max: 256 << 20,
            fetch_bytes_max: 32 << 20,
            answers_bytes_max: 128 << 20,
            fetch_records_max: 50_000,
            fetch_wait_ms_max: 30_000,
            outputs_kept_ms: 7 * 86_400_000,
            reads_max: 8,
            lookup_ms_max: 10_000,
            producers_max: 10_000,
            groups_max: 1_000,
            members_max: 250,
            member_bytes_max: 256 << 10,
            group_bytes_max: 8 << 20,
            members_bytes_max: 64 << 20,
            promise_ms_max: 30_000,
            session_ms_min: 1_000,
            session_ms_max: 1_800_000,
            rebalance_ms_max: 300_000,
            first_join_ms: 100,
            offset_metadata_bytes_max: 4_096,
            group_metadata_bytes_max: 64 << 10,
            offsets_rewrite_bytes_min: 1 << 20,
            connections_per_ip_max: 100,
        }
    }
}
