//! A front before the embedded log that speaks Kafka's protocol, so that any Kafka client can publish commands and follow
//! what is published. Not a broker: there is one node, and no transactions, no access control, no topics of others.
//!
//! ```text
//! client ──▶ connection ──▶ apis: is it whole? ──▶ produce ─▶ Log::append
//!                                             ├──▶ fetch, topics ─▶ Log::reader, ends, starts
//!                                             └──▶ groups, offsets ─▶ a file of committed offsets
//! ```
//!
//! A connection's requests are answered one after the other. What is not answered is not announced. A request that is
//! not whole, or of a version that was not announced, ends its connection and no other's.

mod addresses;
mod admin;
mod apis;
mod batches;
mod budget;
mod config;
mod connection;
mod error_code;
mod fetch;
mod groups;
mod offsets;
mod old;
mod produce;
mod producers;
mod shared;
mod socket;
mod topics;

#[cfg(test)]
mod tests;

pub use apis::Access;
pub use config::ListenerConfig;

use crate::Error;
use crate::log::storage::Storage;
use crate::log::{Log, Watch};
use addresses::Addresses;
use budget::Budget;
use connection::ClientConnection;
use dataflows::engine::budget::Budget as InFlight;
use groups::Groups;
use offsets::Offsets;
use producers::Producers;
use shared::ListenerShared;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The parts of a listener.
pub struct ListenerParts {
    /// The inputs.
    pub inputs: Arc<dyn Log>,
    /// The outputs, if they are published. No client may append to them.
    pub outputs: Option<Arc<dyn Log>>,
    /// The prefix of all topics' names.
    pub topic_prefix: String,
    /// The rights of a client.
    pub access: Access,
    /// The storage of the groups' offsets.
    pub storage: Arc<dyn Storage>,
    /// Bytes under way at once, which the node's other doors share.
    pub bytes: Arc<InFlight>,
}

/// The time between checks for members of groups that are gone.
const TICK: Duration = Duration::from_millis(20);
/// The pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener whose parts are open.
pub struct Listener {
    shared: Arc<ListenerShared>,
    _watches: Vec<Watch>,
}

impl Listener {
    /// Reads what was kept of groups.
    pub fn open(parts: ListenerParts, config: ListenerConfig) -> Result<Listener, Error> {
        let ListenerParts { inputs, outputs, topic_prefix, access, storage, bytes } = parts;
        let (moved, _) = watch::channel(0_u64);
        let watch = |log: &Arc<dyn Log>| {
            let moved = moved.clone();
            log.watch(Arc::new(move || moved.send_modify(|count| *count = count.wrapping_add(1))))
        };
        let watches = [Some(&inputs), outputs.as_ref()].into_iter().flatten().map(watch).collect();
        let shared = ListenerShared {
            moved: moved.clone(),
            // No number of an earlier run comes again.
            producers: Producers::new((random() >> 2).cast_signed(), config.producers_max),
            groups: Groups::new(config.clone()),
            offsets: Offsets::open(storage, &config)?,
            reads: Arc::new(Semaphore::new(config.reads_max.max(1))),
            requests: Budget::new(config.requests_bytes_max),
            records: Budget::new(config.records_memory_max),
            bytes,
            answers: Budget::new(config.answers_bytes_max),
            config,
            inputs,
            outputs,
            topic_prefix,
            access,
        };
        Ok(Listener { shared: Arc::new(shared), _watches: watches })
    }

    /// Serves until `stop` is ready; what was asked before is not answered then.
    pub async fn serve(self, socket: TcpListener, stop: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(self.shared.config.connections_max.max(1)));
        let addresses = Arc::new(Addresses::new(self.shared.config.connections_per_ip_max));
        let mut connections = JoinSet::new();
        let mut tick = tokio::time::interval(TICK);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = tick.tick() => self.shared.groups.expire(),
                Some(_) = connections.join_next() => {}
                accepted = accept(&socket, &room) => {
                    let Some((stream, peer, place)) = accepted else { continue };
                    let Some(share) = addresses.enter(peer.ip()) else {
                        tracing::info!(%peer, "a Kafka client was sent away: its address has too many connections");
                        continue;
                    };
                    let connection = ClientConnection::new(Arc::clone(&self.shared), peer);
                    connections.spawn(async move {
                        connection.run(stream).await;
                        drop((place, share));
                    });
                }
            }
        }
        connections.shutdown().await;
    }
}

/// A number that no client knows, and that does not come again.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// The next connection, once there is room for it.
async fn accept(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "a Kafka client cannot be accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}
