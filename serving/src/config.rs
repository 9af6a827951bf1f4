//! The limits of the serving room, each with a name. None of them can change an answer.

use crate::store::Limits;

/// How much this room keeps, takes and waits for.
#[derive(Clone, Debug)]
pub struct Config {
    /// How much history `as_of` and cursors can reach.
    pub history: Limits,
    /// Connections at once; more wait in the socket's queue.
    pub connections_max: usize,
    /// How long a client may take nothing of what it is sent.
    pub write_ms_max: u64,
    /// How long a new connection may stay silent.
    pub first_byte_ms_max: u64,
    /// How long a request's head may take, and a kept connection may idle.
    pub head_ms_max: u64,
    /// The size of a request's head.
    pub head_bytes_max: usize,
    /// How long a request's body may take.
    pub body_ms_max: u64,
    /// The size of a command's body.
    pub body_bytes_max: usize,
    /// The size of a batch of commands.
    pub batch_bytes_max: usize,
    /// The commands in a batch.
    pub batch_lines_max: usize,
    /// The size of a record's value in the log; larger ones would be dead letters.
    pub record_bytes_max: usize,
    /// How long a decision, or a fresh epoch, is waited for unless the request says.
    pub wait_ms_default: u64,
    /// How long a request may ask to wait.
    pub wait_ms_max: u64,
    /// How long the log may take to acknowledge.
    pub append_ms_max: u64,
    /// Commands that may be on their way to a decision.
    pub commands_in_flight_max: usize,
    /// Requests that may wait for an epoch.
    pub waiters_max: usize,
    /// Streams of changes at once.
    pub followers_max: usize,
    /// Rows of a snapshot, or changes, that are sent before others run.
    pub follow_rows_at_once: usize,
    /// How often a stream without changes says how far it is complete.
    pub follow_progress_ms: u64,
    /// Searches at once.
    pub searches_max: usize,
    /// Whether searches are published as observations.
    pub publishes_searches: bool,
    /// Observations of searches that wait for the log; further ones are dropped.
    pub activity_waiting_max: usize,
    /// How long they are gathered before they are appended.
    pub activity_gather_ms: u64,
    /// Rows of searches that are summed up for one answer.
    pub search_rows_max: usize,
    /// Hits of a page of a search unless the request says.
    pub hits_default: usize,
    /// Hits of a page of a search.
    pub hits_max: usize,
    /// What a search counts at once.
    pub facets_max: usize,
    /// Suggestions unless the request says.
    pub suggestions_default: usize,
    /// Suggestions.
    pub suggestions_max: usize,
    /// Rows of a page unless the request says.
    pub page_rows_default: usize,
    /// Rows of a page.
    pub page_rows_max: usize,
    /// Rows of a page of a view or of analytics.
    pub page_rows_max_wide: usize,
    /// Lines of a batch that are read before other requests run.
    pub lines_at_once: usize,
    /// Rows that a filtered list looks at before it lets other requests run.
    pub scan_rows_at_once: usize,
    /// Bodies smaller than this are not compressed.
    pub compress_bytes_min: usize,
    /// Larger ones are compressed beside the other requests.
    pub compress_bytes_at_once: usize,
    /// How long to wait when the process has no room for another connection.
    pub accept_retry_ms: u64,
    /// How long running requests may take once the node is told to stop.
    pub drain_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            history: Limits::default(),
            connections_max: 10_000,
            write_ms_max: 30_000,
            first_byte_ms_max: 5_000,
            head_ms_max: 10_000,
            head_bytes_max: 64 << 10,
            body_ms_max: 30_000,
            body_bytes_max: 1 << 20,
            batch_bytes_max: 8 << 20,
            batch_lines_max: 1_000,
            record_bytes_max: 1 << 20,
            wait_ms_default: 2_000,
            wait_ms_max: 30_000,
            append_ms_max: 10_000,
            commands_in_flight_max: 65_536,
            waiters_max: 65_536,
            followers_max: 10_000,
            follow_rows_at_once: 256,
            follow_progress_ms: 1_000,
            searches_max: 64,
            publishes_searches: true,
            activity_waiting_max: 4_096,
            activity_gather_ms: 20,
            search_rows_max: 1_000_000,
            hits_default: 20,
            hits_max: 100,
            facets_max: 16,
            suggestions_default: 10,
            suggestions_max: 20,
            page_rows_default: 50,
            page_rows_max: 200,
            page_rows_max_wide: 1_000,
            lines_at_once: 32,
            scan_rows_at_once: 1_024,
            compress_bytes_min: 1_024,
            compress_bytes_at_once: 32 << 10,
            accept_retry_ms: 50,
            drain_ms_max: 10_000,
        }
    }
}
