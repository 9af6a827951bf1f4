//! The client at the other end of a connection. Not for what it may ask.

use crate::shop::HangUp;
use std::net::IpAddr;

/// The other end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The address, or network, that the client counts under; none where clients are not told apart by it.
    pub address: Option<IpAddr>,
    /// Ends the connection.
    pub hang_up: HangUp,
}
