//! One client's connection: requests in, answers out, one after the other. Not for what the answers are.

use super::apis::{Api, Walk};
use super::fetch::Reading;
use super::{Shared, admin, code, fetch, produce};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DeleteRecordsRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
    FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest,
    ResponseHeader, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A request over this is a large one.
const LARGE_BYTES: usize = 64 << 10;
/// Room for a request is made in steps of this, as its bytes come.
const STEP_BYTES: usize = 64 << 10;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The client has closed it.
    #[error("the client is gone")]
    Gone,
    /// The client breaks the protocol.
    #[error("{0}")]
    Broken(String),
    /// The client is too slow, or silent for too long.
    #[error("{0} took too long")]
    Late(&'static str),
    /// The network fails.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn broken(why: impl Into<String>) -> Ended {
    Ended::Broken(why.into())
}

/// What a request's front says.
struct Front {
    api: &'static Api,
    version: i16,
    correlation: i32,
    client: String,
}

/// The bytes of an answer. A macro, since requests and answers differ in their types.
macro_rules! answer {
    ($front:expr, $body:expr, $request:ty, $asked:ident => $answer:expr) => {{
        let $asked: $request = decoded($front.api, $front.version, $body)?;
        encoded($front.correlation, $front.version, &$answer)?
    }};
}

/// A client.
pub struct Connection {
    pub(super) shared: Arc<Shared>,
    peer: SocketAddr,
    /// Where the client has found us.
    pub(super) address: SocketAddr,
    pub(super) reading: Reading,
}

impl Connection {
    /// A client at that address.
    pub fn new(shared: Arc<Shared>, peer: SocketAddr) -> Connection {
        Connection { shared, peer, address: peer, reading: Reading::default() }
    }

    /// Answers until the client goes, or has to.
    pub async fn run(mut self, mut stream: TcpStream) {
        let Ok(address) = stream.local_addr() else { return };
        self.address = address;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers to a Kafka client may be late");
        }
        match self.converse(&mut stream).await {
            Ended::Gone => {}
            Ended::Broken(why) => tracing::info!(peer = %self.peer, why, "a Kafka client was sent away"),
            ended @ (Ended::Late(_) | Ended::Io(_)) => {
                tracing::debug!(peer = %self.peer, %ended, "a Kafka client left")
            }
        }
    }

    async fn converse(&mut self, stream: &mut TcpStream) -> Ended {
        loop {
            if let Err(ended) = self.turn(stream).await {
                return ended;
            }
        }
    }

    async fn turn(&mut self, stream: &mut TcpStream) -> Result<(), Ended> {
        let config = &self.shared.config;
        let mut length = [0; 4];
        let begun = timeout(Duration::from_millis(config.idle_ms_max), stream.read(&mut length)).await;
        let begun = begun.map_err(|_| Ended::Late("the next request"))??;
        if begun == 0 {
            return Err(Ended::Gone);
        }
        let large = Arc::clone(&self.shared.large);
        let read = async {
            stream.read_exact(&mut length[begun..]).await?;
            let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if length > config.request_bytes_max {
                return Err(broken(format!("a request is over {} bytes, or no request", config.request_bytes_max)));
            }
            let place = if length > LARGE_BYTES { large.acquire_owned().await.ok() } else { None };
            // No room is made for what is only announced.
            let mut request = BytesMut::new();
            while request.len() < length {
                let at = request.len();
                request.resize(length.min(at + STEP_BYTES), 0);
                stream.read_exact(&mut request[at..]).await?;
            }
            Ok((request.freeze(), place))
        };
        let read = timeout(Duration::from_millis(config.request_ms_max), read).await;
        let (request, place) = read.map_err(|_| Ended::Late("a request"))??;
        let longest = Duration::from_millis(config.write_ms_max);
        if let Some(answer) = self.answer(request).await? {
            let written = timeout(longest, stream.write_all(&answer)).await;
            written.map_err(|_| Ended::Late("taking an answer"))??;
        }
        drop(place);
        Ok(())
    }

    /// The bytes of the answer; none where the client wants none.
    async fn answer(&mut self, request: Bytes) -> Result<Option<Bytes>, Ended> {
        let (number, version, correlation) = numbers(&request).ok_or_else(|| broken("a request is too short"))?;
        let api = Api::find(number, self.shared.access)
            .ok_or_else(|| broken(format!("requests of the kind {number} are not answered")))?;
        if !api.has(version) {
            if matches!(api.key, ApiKey::ApiVersions) {
                // Whatever version was asked for, this one is understood, and says which others are.
                let refused = admin::versions(self.shared.access).with_error_code(code::UNSUPPORTED_VERSION);
                return Ok(Some(encoded(correlation, 0, &refused)?));
            }
            return Err(broken(format!("version {version} of {:?} is not answered", api.key)));
        }
        let (client, body) = front(api, version, &request, self.shared.config.request_items_max)
            .ok_or_else(|| broken(format!("a request {:?} is not whole", api.key)))?;
        let body = request.slice(request.len() - body..);
        self.dispatch(Front { api, version, correlation, client }, body).await
    }

    async fn dispatch(&mut self, front: Front, body: Bytes) -> Result<Option<Bytes>, Ended> {
        let shared = Arc::clone(&self.shared);
        let at = self.address;
        let answer = match front.api.key {
            ApiKey::Produce => return produced(&shared, &front, body).await,
            ApiKey::Fetch => {
                answer!(front, body, FetchRequest, asked => fetch::fetch(&shared, &mut self.reading, asked).await)
            }
            ApiKey::ListOffsets => answer!(front, body, ListOffsetsRequest, asked => shared.list_offsets(asked).await),
            ApiKey::Metadata => {
                answer!(front, body, MetadataRequest, asked => shared.metadata(at, front.version, asked))
            }
            ApiKey::ApiVersions => encoded(front.correlation, front.version, &admin::versions(shared.access))?,
            ApiKey::InitProducerId => {
                answer!(front, body, InitProducerIdRequest, asked => shared.producers.init(&asked))
            }
            ApiKey::DescribeConfigs => {
                answer!(front, body, DescribeConfigsRequest, asked => shared.describe_configs(asked))
            }
            ApiKey::DescribeCluster => encoded(front.correlation, front.version, &admin::cluster(at))?,
            ApiKey::DeleteRecords => {
                answer!(front, body, DeleteRecordsRequest, asked => shared.delete_records(asked).await)
            }
            _ => return self.dispatch_of_groups(front, body).await.map(Some),
        };
        Ok(Some(answer))
    }

    async fn dispatch_of_groups(&mut self, front: Front, body: Bytes) -> Result<Bytes, Ended> {
        let shared = &self.shared;
        Ok(match front.api.key {
            ApiKey::OffsetCommit => {
                answer!(front, body, OffsetCommitRequest, asked => shared.commit_offsets(asked).await)
            }
            ApiKey::OffsetFetch => answer!(front, body, OffsetFetchRequest, asked => shared.fetch_offsets(asked)),
            ApiKey::FindCoordinator => {
                answer!(front, body, FindCoordinatorRequest, asked => admin::coordinator(self.address, asked))
            }
            ApiKey::JoinGroup => {
                let (client, host) = (front.client.clone(), format!("/{}", self.peer.ip()));
                let version = front.version;
                answer!(front, body, JoinGroupRequest, asked => shared.groups.join(asked, version, client, host).await)
            }
            ApiKey::SyncGroup => answer!(front, body, SyncGroupRequest, asked => shared.groups.sync(asked).await),
            ApiKey::Heartbeat => answer!(front, body, HeartbeatRequest, asked => shared.groups.heartbeat(asked)),
            ApiKey::LeaveGroup => answer!(front, body, LeaveGroupRequest, asked => shared.groups.leave(asked)),
            ApiKey::DescribeGroups => {
                answer!(front, body, DescribeGroupsRequest, asked => shared.describe_groups(asked))
            }
            ApiKey::ListGroups => answer!(front, body, ListGroupsRequest, asked => shared.list_groups(asked)),
            ApiKey::DeleteGroups => {
                answer!(front, body, DeleteGroupsRequest, asked => shared.delete_groups(asked).await)
            }
            other => return Err(broken(format!("{other:?} is not answered"))),
        })
    }
}

/// Appends; who wants no answer gets none, and learns of an error by the end of the connection.
async fn produced(shared: &Shared, front: &Front, body: Bytes) -> Result<Option<Bytes>, Ended> {
    let request: ProduceRequest = decoded(front.api, front.version, body)?;
    let acks = request.acks;
    let answer = produce::produce(shared, request).await;
    if acks != 0 {
        return encoded(front.correlation, front.version, &answer).map(Some);
    }
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    if partitions.any(|partition| partition.error_code != code::NONE) {
        return Err(broken("records without acknowledgement were not taken"));
    }
    Ok(None)
}

/// The kind of a request, its version, and its number.
fn numbers(request: &[u8]) -> Option<(i16, i16, i32)> {
    match request.get(..8)? {
        &[a, b, c, d, e, f, g, h] => {
            Some((i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d]), i32::from_be_bytes([e, f, g, h])))
        }
        _ => None,
    }
}

/// The client's name for itself, and how long the body is; none if the request is not what it should be.
fn front(api: &Api, version: i16, request: &[u8], items_max: usize) -> Option<(String, usize)> {
    let is_flexible = api.is_flexible(version);
    let mut walk = Walk { rest: request, items_left: items_max, is_flexible };
    walk.take(8)?;
    let before = walk.rest;
    walk.plain_text()?;
    let name = before.get(2..before.len() - walk.rest.len()).unwrap_or_default();
    let name = String::from_utf8_lossy(name).into_owned();
    if is_flexible {
        walk.tags()?;
    }
    api.fits(version, walk.rest, items_max).then_some((name, walk.rest.len()))
}

fn decoded<T: Decodable>(api: &Api, version: i16, mut body: Bytes) -> Result<T, Ended> {
    T::decode(&mut body, version).map_err(|error| broken(format!("a request {:?} cannot be read: {error}", api.key)))
}

fn encoded<T: Encodable + HeaderVersion>(correlation: i32, version: i16, answer: &T) -> Result<Bytes, Ended> {
    let unsayable = |error| broken(format!("an answer cannot be written: {error}"));
    let header = ResponseHeader::default().with_correlation_id(correlation);
    let header_version = T::header_version(version);
    let mut to = BytesMut::new();
    to.extend_from_slice(&[0; 4]);
    header.encode(&mut to, header_version).map_err(unsayable)?;
    answer.encode(&mut to, version).map_err(unsayable)?;
    let length = i32::try_from(to.len() - 4).map_err(|_| broken("an answer is too large"))?;
    to[..4].copy_from_slice(&length.to_be_bytes());
    Ok(to.freeze())
}
