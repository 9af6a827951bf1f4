//! Ports for what has to be told beforehand at which it listens. Not for what can say it afterwards: that asks for port 0.
//!
//! They are below those that the system gives to connections. A port of those may be taken by any connection of anybody
//! before the listener is there; a client that tries to reach it may even be given it itself, and then speaks to itself.

use std::io;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::SystemTime;

/// Below that, ports belong to services that are well known.
const FIRST: u16 = 10_000;
/// The first port that Linux gives to connections, by default.
const CONNECTIONS_FROM: u16 = 32_768;

/// A port at loopback at which nothing listens, and no other of this process that asked will.
pub fn free_port() -> io::Result<u16> {
    static LAST: Mutex<Option<u64>> = Mutex::new(None);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let end = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(CONNECTIONS_FROM);
    let count = u64::from(end.saturating_sub(FIRST).max(1));
    let mut last = crate::log::lock(&LAST);
    for _ in 0..count {
        // Other processes begin elsewhere.
        let begin = || {
            let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
            super::Random::new(since ^ u64::from(std::process::id()) << 32).next()
        };
        let number = last.map_or_else(begin, |last| last.wrapping_add(1));
        *last = Some(number);
        let port = FIRST.saturating_add((number % count) as u16);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no port from {FIRST} to {end} is free")))
}
