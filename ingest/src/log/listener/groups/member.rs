//! One member of a group. Not for what becomes of the group.

use crate::log::listener::budget::BudgetReservation;
use crate::log::listener::config::ListenerConfig;
use crate::log::listener::error_code;
use bytes::Bytes;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A member.
pub struct Member {
    /// The client's own name.
    pub client: String,
    /// The client's host.
    pub host: String,
    /// The name that it keeps over its own restarts, if it has one: it is then a static member.
    pub instance: Option<StrBytes>,
    /// The time that it may be silent.
    pub session: Duration,
    /// The time that it may take to join again.
    pub rebalance: Duration,
    /// The ways to deal out shares, the best first, each with what the leader has to know of this member for it.
    pub protocols: Vec<(StrBytes, Bytes)>,
    /// The bytes of these.
    pub bytes: usize,
    /// Their part of the budget of members.
    pub held: Option<BudgetReservation>,
    /// Its share.
    pub assignment: Bytes,
    /// The time at which it was last heard of.
    pub seen: Instant,
    /// The waiter for the next generation.
    pub joining: Option<oneshot::Sender<JoinGroupResponse>>,
    /// The waiter for a share.
    pub syncing: Option<oneshot::Sender<SyncGroupResponse>>,
}

/// A longer name of a client is cut: names of members begin with it.
const CLIENT_CHARS_MAX: usize = 255;

impl Member {
    /// The member that asks to join, or why it may not.
    pub fn of(
        request: &JoinGroupRequest,
        client: String,
        host: String,
        config: &ListenerConfig,
    ) -> Result<Member, i16> {
        let client: String = client.chars().take(CLIENT_CHARS_MAX).collect();
        let session_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
        if !(config.session_ms_min..=config.session_ms_max).contains(&session_ms) {
            return Err(error_code::INVALID_SESSION_TIMEOUT);
        }
        if request.protocols.is_empty() || request.protocol_type.is_empty() {
            return Err(error_code::INCONSISTENT_GROUP_PROTOCOL);
        }
        let bytes: usize = request.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        let bytes = bytes + client.len() + request.group_instance_id.as_ref().map_or(0, |name| name.len());
        if bytes > config.member_bytes_max {
            return Err(error_code::INVALID_REQUEST);
        }
        // The first version has one time for both.
        let rebalance_ms = u64::try_from(request.rebalance_timeout_ms).unwrap_or(session_ms);
        // Copied: what is kept would keep the whole request in memory.
        let copy = |text: &StrBytes| StrBytes::from_string(text.to_string());
        let protocols = request.protocols.iter();
        let protocols = protocols.map(|one| (copy(&one.name), Bytes::copy_from_slice(&one.metadata))).collect();
        Ok(Member {
            client,
            host,
            instance: request.group_instance_id.as_ref().map(copy),
            session: Duration::from_millis(session_ms),
            rebalance: Duration::from_millis(rebalance_ms.min(config.rebalance_ms_max)),
            protocols,
            bytes,
            held: None,
            assignment: Bytes::new(),
            seen: Instant::now(),
            joining: None,
            syncing: None,
        })
    }

    /// The data that the leader has to know of it.
    pub fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|(name, _)| name.as_str() == protocol).map(|(_, metadata)| metadata)
    }

    /// Returns true if it waits for an answer, and so cannot be heard of.
    pub fn is_waiting(&self) -> bool {
        let waits = self.joining.as_ref().is_some_and(|joining| !joining.is_closed());
        waits || self.syncing.as_ref().is_some_and(|syncing| !syncing.is_closed())
    }
}
