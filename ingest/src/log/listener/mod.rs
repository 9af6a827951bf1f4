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
//! not whole, or of a version that was not announced, ends its connection and nobody else's.

mod admin;
mod apis;
mod batches;
mod budget;
mod code;
mod connection;
mod fetch;
mod groups;
mod offsets;
mod old;
mod produce;
mod producers;
mod socket;
mod topics;

#[cfg(test)]
mod tests;

use crate::Error;
use crate::log::storage::Storage;
use crate::log::{Log, Watch, lock};
use budget::Budget;
use connection::Connection;
use dataflows::engine::budget::Budget as InFlight;
use groups::Groups;
use offsets::Offsets;
use producers::Producers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The listener's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many connections may be open; a further one waits to be accepted.
    pub connections_max: usize,
    /// A larger request ends its connection.
    pub request_bytes_max: usize,
    /// How many topics, partitions, members and so on a request may name.
    pub request_items_max: usize,
    /// How many bytes requests over 64 KiB may have together, before they are answered; others wait unread.
    pub requests_bytes_max: usize,
    /// How long a connection may be silent.
    pub idle_ms_max: u64,
    /// How long a request may take to come once it has begun.
    pub request_ms_max: u64,
    /// How long a client may take for an answer.
    pub write_ms_max: u64,
    /// A larger batch of records is refused.
    pub batch_bytes_max: usize,
    /// A request whose records have more bytes when they are decompressed, in all its batches, is refused.
    pub records_bytes_max: usize,
    /// So is one whose records take more memory when they are read; and all requests that are being appended take no more
    /// together: others wait.
    pub records_memory_max: usize,
    /// How many bytes an answer has at most.
    pub fetch_bytes_max: usize,
    /// How many bytes answers over 64 KiB may have together, before they are taken; others wait.
    pub answers_bytes_max: usize,
    /// How many records one answer has at most.
    pub fetch_records_max: usize,
    /// How long a client may have itself wait for records.
    pub fetch_wait_ms_max: u64,
    /// How many reads of the log go on at once; others wait.
    pub reads_max: usize,
    /// How long the place of a time is looked for.
    pub lookup_ms_max: u64,
    /// How many producers are remembered by their numbers; the one that published longest ago is forgotten for another.
    pub producers_max: usize,
    /// How many consumer groups there may be, those that have committed and those that have members; a further one is
    /// refused.
    pub groups_max: usize,
    /// How many members a group may have.
    pub members_max: usize,
    /// How many bytes a member may say of itself, or be told.
    pub member_bytes_max: usize,
    /// How many bytes all members of a group may say of themselves.
    pub group_bytes_max: usize,
    /// How many bytes all members of all groups may say of themselves, and be told.
    pub members_bytes_max: usize,
    /// How long a new member may take at most to join with the name that it was given.
    pub promise_ms_max: u64,
    /// The shortest time after which a silent member is gone.
    pub session_ms_min: u64,
    /// The longest.
    pub session_ms_max: u64,
    /// How long a group waits at most for its members to join again.
    pub rebalance_ms_max: u64,
    /// How long a new group waits for further members.
    pub first_join_ms: u64,
    /// How long outputs are kept, which is only told.
    pub outputs_kept_ms: u64,
    /// How many bytes may be kept beside a committed offset.
    pub offset_metadata_bytes_max: usize,
    /// How many bytes a group may keep beside all its offsets.
    pub group_metadata_bytes_max: usize,
    /// A smaller file of offsets is not written again, however much of it does not count any more.
    pub offsets_rewrite_bytes_min: u64,
    /// How many connections there may be from one address, but from 127.0.0.1 and ::1.
    pub connections_per_ip_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
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

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Append to the topics of commands, and read all.
    Client,
    /// Do with the inputs what the log itself can: append epochs too, and delete.
    Owner,
}

/// What is served.
pub struct Parts {
    /// The inputs.
    pub inputs: Arc<dyn Log>,
    /// The outputs, if they are published. Nobody may append to them.
    pub outputs: Option<Arc<dyn Log>>,
    /// What the names of all topics begin with.
    pub topic_prefix: String,
    /// What a client may do.
    pub access: Access,
    /// Where the offsets of groups are kept.
    pub storage: Arc<dyn Storage>,
    /// Bytes under way at once, which the node's other doors share.
    pub bytes: Arc<InFlight>,
}

/// What all connections share.
struct Shared {
    config: Config,
    inputs: Arc<dyn Log>,
    outputs: Option<Arc<dyn Log>>,
    topic_prefix: String,
    access: Access,
    /// Changes whenever there may be more to read.
    moved: watch::Sender<u64>,
    producers: Producers,
    groups: Groups,
    offsets: Offsets,
    reads: Arc<Semaphore>,
    /// Bytes of large requests.
    requests: Budget,
    /// Memory of records on their way to the log.
    records: Budget,
    /// Their bytes, beside those that the node's other doors have under way.
    bytes: Arc<InFlight>,
    /// Bytes of large answers.
    answers: Budget,
}

/// How often it is looked whether members of groups are gone.
const TICK: Duration = Duration::from_millis(20);
/// How long to wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener whose parts are open.
pub struct Listener {
    shared: Arc<Shared>,
    _watches: Vec<Watch>,
}

impl Listener {
    /// Reads what was kept of groups.
    pub fn open(parts: Parts, config: Config) -> Result<Listener, Error> {
        let Parts { inputs, outputs, topic_prefix, access, storage, bytes } = parts;
        let (moved, _) = watch::channel(0_u64);
        let watch = |log: &Arc<dyn Log>| {
            let moved = moved.clone();
            log.watch(Arc::new(move || moved.send_modify(|count| *count = count.wrapping_add(1))))
        };
        let watches = [Some(&inputs), outputs.as_ref()].into_iter().flatten().map(watch).collect();
        let shared = Shared {
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

    /// Serves until told to stop; what was asked before is not answered then.
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
                    let connection = Connection::new(Arc::clone(&self.shared), peer);
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

/// How many connections each address has.
struct Addresses {
    each_max: usize,
    open: Mutex<BTreeMap<IpAddr, usize>>,
}

/// The place of a connection among those of its address, until it is dropped.
struct Share(Arc<Addresses>, IpAddr);

impl Addresses {
    fn new(each_max: usize) -> Addresses {
        Addresses { each_max: each_max.max(1), open: Mutex::default() }
    }

    /// A place, if there is one. 127.0.0.1 and ::1, where everybody on the machine is, have as many as there are.
    fn enter(self: &Arc<Addresses>, address: IpAddr) -> Option<Share> {
        let address = address.to_canonical();
        let is_machine = address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST);
        let mut open = lock(&self.open);
        let count = open.entry(address).or_default();
        if *count >= self.each_max && !is_machine {
            return None;
        }
        *count += 1;
        Some(Share(Arc::clone(self), address))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut open = lock(&self.0.open);
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}

/// A number that nobody knows, and that does not come again.
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
