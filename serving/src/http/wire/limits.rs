//! How large heads may be, and how slow clients.

use super::pace::Pace;
use std::sync::Arc;
use std::time::Duration;

/// How large heads may be, and how slow clients.
#[derive(Clone, Debug)]
pub struct WireLimits {
    /// The size of a head.
    pub head_bytes_max: usize,
    /// The fields of a head.
    pub fields_max: usize,
    /// The size of a target.
    pub target_bytes_max: usize,
    /// How long a head may take, the first one from the connection's start.
    pub head: Duration,
    /// How long a connection may lie idle between two requests.
    pub idle: Duration,
    /// How long a body may be waited for before its rate counts.
    pub body_grace: Duration,
    /// The rate below which a body is too slow.
    pub body_bytes_per_s_min: u64,
    /// What is still read of a client that sends when its connection is closed.
    pub linger_bytes_max: usize,
    /// How long.
    pub linger: Duration,
    /// How fast that is read of all such clients.
    pub linger_pace: Arc<Pace>,
}

impl Default for WireLimits {
    fn default() -> Self {
        WireLimits {
            head_bytes_max: 32 << 10,
            fields_max: 100,
            target_bytes_max: 8 << 10,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body_grace: Duration::from_secs(10),
            body_bytes_per_s_min: 16 << 10,
            linger_bytes_max: 16 << 20,
            linger: Duration::from_secs(2),
            linger_pace: Arc::new(Pace::new(64 << 20)),
        }
    }
}
