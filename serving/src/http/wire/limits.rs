//! The limits of heads, and of slow clients.

use super::pace::Pace;
use std::sync::Arc;
use std::time::Duration;

/// The limits of heads, and of slow clients.
#[derive(Clone, Debug)]
pub struct WireLimits {
    /// The size of a head.
    pub head_bytes_max: usize,
    /// The fields of a head.
    pub fields_max: usize,
    /// The size of a target.
    pub target_bytes_max: usize,
    /// The time that a head may take, the first one from the connection's start.
    pub head: Duration,
    /// The time that a connection may be idle between two requests.
    pub idle: Duration,
    /// The time that a body may be waited for before its rate counts.
    pub body_grace: Duration,
    /// The rate below which a body is too slow.
    pub body_bytes_per_s_min: u64,
    /// The bytes still read of a client that sends when its connection is closed.
    pub linger_bytes_max: usize,
    /// The time for that.
    pub linger: Duration,
    /// The rate at which that is read of all such clients.
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
