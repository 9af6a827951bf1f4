//! The limits of the serving room, each with a name. None of them can change an answer.

use crate::http::connection_slots::{self, Network};
use crate::http::wire::{self, pace::Pace};
use crate::store::HistoryLimits;
use std::sync::Arc;
use std::time::Duration;

/// The limits of this room: what it keeps, takes and waits for.
#[derive(Clone, Debug)]
pub struct Config {
    /// The history that `as_of` and cursors can reach.
    pub history: HistoryLimits,
    /// The hosts that requests may be for; empty: the address of the listener, and this machine's own names.
    pub hosts: Vec<String>,
    /// Origins whose pages may send what changes something, beside the node's own.
    pub origins: Vec<String>,
    /// Origins whose pages may do that and read the answers.
    pub cors_origins: Vec<String>,
    /// True if those pages may send credentials.
    pub cors_credentials: bool,
    /// Proxies in front: they have no places by address.
    pub behind_proxy: Vec<Network>,
    /// Connections at once.
    pub connections_max: usize,
    /// Connections of one client's address at once.
    pub connections_per_ip: usize,
    /// Connections beyond those: their requests get the answer that the node is full, and probes are answered.
    pub connections_spare: usize,
    /// Connections of the operators' listener at once, where that is another one.
    pub operators_connections_max: usize,
    /// Bytes of bodies and answers under way at once: what [`crate::Parts`] have a budget of.
    pub bytes_in_flight_max: usize,
    /// The time that a client may take nothing of what it is sent.
    pub write_ms_max: u64,
    /// The time that a request's head may take.
    pub head_ms_max: u64,
    /// The time that the head may take on a connection beyond the limit.
    pub spare_head_ms_max: u64,
    /// The time that a kept connection may be idle.
    pub idle_ms_max: u64,
    /// The time that a body is waited for before its rate counts.
    pub body_grace_ms: u64,
    /// The rate below which a body is too slow.
    pub body_bytes_per_s_min: u64,
    /// The size of a request's head.
    pub head_bytes_max: usize,
    /// The fields of a request's head.
    pub head_fields_max: usize,
    /// The size of a request's target.
    pub target_bytes_max: usize,
    /// The size of a refused request's body that is read, so that the connection can be kept.
    pub unread_bytes_max: usize,
    /// The time that this may take.
    pub unread_ms_max: u64,
    /// The bytes still read of a client when its connection is closed.
    pub linger_bytes_max: usize,
    /// The time that this may take.
    pub linger_ms_max: u64,
    /// The bytes of that read in a second, of all such clients.
    pub linger_bytes_per_s: usize,
    /// The size of a command's body.
    pub body_bytes_max: usize,
    /// The size of a batch of commands.
    pub batch_bytes_max: usize,
    /// The commands in a batch.
    pub batch_lines_max: usize,
    /// The size of a record's value in the log; larger ones would be dead letters.
    pub record_bytes_max: usize,
    /// The time that a decision, or a fresh epoch, is waited for unless the request says.
    pub wait_ms_default: u64,
    /// The time that a request may ask to wait.
    pub wait_ms_max: u64,
    /// The time that the log may take to acknowledge.
    pub append_ms_max: u64,
    /// Commands that may be on their way to a decision.
    pub commands_in_flight_max: usize,
    /// Requests that may wait for an epoch.
    pub waiters_max: usize,
    /// Streams of changes at once.
    pub followers_max: usize,
    /// Bytes of a snapshot, or of changes, that are made at once, unless one row has more.
    pub follow_bytes_at_once: usize,
    /// Bytes that a stream's client has not taken before it is cut off.
    pub follower_bytes_own_max: usize,
    /// Bytes that the clients of all streams have not taken before the one with most of them is cut off.
    pub follower_bytes_max: usize,
    /// The interval at which a stream without changes reports how far it is complete.
    pub follow_progress_ms: u64,
    /// Searches at once.
    pub searches_max: usize,
    /// True if searches are published as observations.
    pub publishes_searches: bool,
    /// Searches of an address that are observed, in an hour; further ones are only counted.
    pub observed_searches_an_hour: u32,
    /// Addresses of which that is remembered.
    pub addresses_max: usize,
    /// Observations of searches that wait for the log; further ones are dropped.
    pub activity_waiting_max: usize,
    /// The time for which they are gathered before they are appended.
    pub activity_gather_ms: u64,
    /// Rows of searches that are summed up for one answer.
    pub search_rows_max: usize,
    /// Hits of a page of a search unless the request says.
    pub hits_default: usize,
    /// Hits of a page of a search.
    pub hits_max: usize,
    /// Facets of a search.
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
    /// Bytes of a page, unless one row takes more.
    pub page_bytes_max: usize,
    /// Lines of a batch that are read before other requests run.
    pub lines_at_once: usize,
    /// Rows that a filtered list looks at before it lets other requests run.
    pub scan_rows_at_once: usize,
    /// Bodies smaller than this are not compressed.
    pub compress_bytes_min: usize,
    /// Larger ones are compressed beside the other requests.
    pub compress_bytes_at_once: usize,
    /// The time that a sink that holds the log may be stalled before the node is not ready.
    pub stalled_ms_max: u64,
    /// The time to wait when the process has no room for another connection.
    pub accept_retry_ms: u64,
    /// The time that running requests may take once the node is to stop.
    pub drain_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            history: HistoryLimits::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            cors_origins: Vec::new(),
            cors_credentials: false,
            behind_proxy: Vec::new(),
            connections_max: 10_000,
            connections_per_ip: 100,
            connections_spare: 64,
            operators_connections_max: 64,
            bytes_in_flight_max: 256 << 20,
            write_ms_max: 30_000,
            head_ms_max: 10_000,
            spare_head_ms_max: 1_000,
            idle_ms_max: 60_000,
            body_grace_ms: 10_000,
            body_bytes_per_s_min: 16 << 10,
            head_bytes_max: 32 << 10,
            head_fields_max: 100,
            target_bytes_max: 8 << 10,
            unread_bytes_max: 2 << 20,
            unread_ms_max: 2_000,
            linger_bytes_max: 16 << 20,
            linger_ms_max: 5_000,
            linger_bytes_per_s: 64 << 20,
            body_bytes_max: 1 << 20,
            batch_bytes_max: 8 << 20,
            batch_lines_max: 1_000,
            record_bytes_max: 1 << 20,
            wait_ms_default: 2_000,
            wait_ms_max: 30_000,
            append_ms_max: 10_000,
            commands_in_flight_max: 65_536,
            waiters_max: 65_536,
            followers_max: 1_000,
            follow_bytes_at_once: 64 << 10,
            follower_bytes_own_max: 4 << 20,
            follower_bytes_max: 128 << 20,
            follow_progress_ms: 1_000,
            searches_max: 64,
            publishes_searches: true,
            observed_searches_an_hour: 100,
            addresses_max: 100_000,
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
            page_bytes_max: 4 << 20,
            lines_at_once: 32,
            scan_rows_at_once: 1_024,
            compress_bytes_min: 1_024,
            compress_bytes_at_once: 32 << 10,
            stalled_ms_max: 300_000,
            accept_retry_ms: 50,
            drain_ms_max: 10_000,
        }
    }
}

impl Config {
    /// The limits of a connection.
    pub fn wire(&self) -> wire::WireLimits {
        wire::WireLimits {
            head_bytes_max: self.head_bytes_max,
            fields_max: self.head_fields_max,
            target_bytes_max: self.target_bytes_max,
            head: Duration::from_millis(self.head_ms_max),
            idle: Duration::from_millis(self.idle_ms_max),
            body_grace: Duration::from_millis(self.body_grace_ms),
            body_bytes_per_s_min: self.body_bytes_per_s_min,
            linger_bytes_max: self.linger_bytes_max,
            linger: Duration::from_millis(self.linger_ms_max),
            linger_pace: Arc::new(Pace::new(self.linger_bytes_per_s)),
        }
    }

    /// The limits of a connection beyond the places: its client must ask at once.
    pub fn spare_wire(&self, wire: &wire::WireLimits) -> wire::WireLimits {
        let head = Duration::from_millis(self.spare_head_ms_max);
        wire::WireLimits { head, idle: head, body_grace: head, linger: head, ..wire.clone() }
    }

    /// The places of the shop's listener.
    pub fn places(&self) -> connection_slots::ConnectionLimits {
        connection_slots::ConnectionLimits {
            all: self.connections_max,
            of_an_address: Some(self.connections_per_ip),
            spare: self.connections_spare,
            spare_of_an_address: SPARE_OF_AN_ADDRESS,
            uncounted: self.behind_proxy.clone(),
        }
    }

    /// The places of the operators' listener.
    pub fn operators_places(&self) -> connection_slots::ConnectionLimits {
        connection_slots::ConnectionLimits { all: self.operators_connections_max, of_an_address: None, ..self.places() }
    }
}

/// One address alone shall not take the connections beyond the limit.
const SPARE_OF_AN_ADDRESS: usize = 4;
