//! One client's connection: requests in, answers out, one after the other. Not for what the answers are.

use super::apis::{Api, Walk};
use super::fetch::Reading;
use super::{Shared, admin, code, fetch, produce};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, DeleteGroupsRequest, DeleteRecordsRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, FetchRequest, FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, ResponseHeader, SyncGroupRequest,
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
                let refused = self.versions(0).with_error_code(code::UNSUPPORTED_VERSION);
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
        let Front { api, version, correlation, client } = front;
        let shared = Arc::clone(&self.shared);
        // What each answers; the arms differ in the types of their requests.
        macro_rules! answer {
            ($request:ty, $answer:expr) => {{
                let request: $request = decoded(api, version, body)?;
                let answer = $answer;
                encoded(correlation, version, &answer(request).await)?
            }};
        }
        let answer = match api.key {
            ApiKey::Produce => {
                let request: ProduceRequest = decoded(api, version, body)?;
                let acks = request.acks;
                let answer = produce::produce(&shared, request).await;
                if acks == 0 {
                    // Who wants no answer learns of an error by the end of the connection.
                    let is_bad = |topic: &kafka_protocol::messages::produce_response::TopicProduceResponse| {
                        topic.partition_responses.iter().any(|partition| partition.error_code != code::NONE)
                    };
                    let failed = answer.responses.iter().any(is_bad);
                    return if failed {
                        Err(broken("records without acknowledgement were not taken"))
                    } else {
                        Ok(None)
                    };
                }
                encoded(correlation, version, &answer)?
            }
            ApiKey::Fetch => {
                let request: FetchRequest = decoded(api, version, body)?;
                let answer = fetch::fetch(&shared, &mut self.reading, request).await;
                encoded(correlation, version, &answer)?
            }
            ApiKey::ListOffsets => answer!(ListOffsetsRequest, |request| shared.list_offsets(request)),
            ApiKey::Metadata => {
                let request: MetadataRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.metadata(self.address, version, request))?
            }
            ApiKey::OffsetCommit => answer!(OffsetCommitRequest, |request| shared.commit_offsets(request)),
            ApiKey::OffsetFetch => {
                let request: OffsetFetchRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.fetch_offsets(request))?
            }
            ApiKey::FindCoordinator => {
                let request: FindCoordinatorRequest = decoded(api, version, body)?;
                encoded(correlation, version, &admin::coordinator(self.address, request))?
            }
            ApiKey::JoinGroup => {
                let host = format!("/{}", self.peer.ip());
                answer!(JoinGroupRequest, |request| shared.groups.join(request, version, client, host))
            }
            ApiKey::SyncGroup => answer!(SyncGroupRequest, |request| shared.groups.sync(request)),
            ApiKey::Heartbeat => {
                let request: HeartbeatRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.groups.heartbeat(request))?
            }
            ApiKey::LeaveGroup => {
                let request: LeaveGroupRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.groups.leave(request))?
            }
            ApiKey::DescribeGroups => {
                let request: DescribeGroupsRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.describe_groups(request))?
            }
            ApiKey::ListGroups => {
                let request: ListGroupsRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.list_groups(request))?
            }
            ApiKey::DeleteGroups => answer!(DeleteGroupsRequest, |request| shared.delete_groups(request)),
            ApiKey::ApiVersions => encoded(correlation, version, &self.versions(version))?,
            ApiKey::InitProducerId => {
                let request: InitProducerIdRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.producers.init(&request))?
            }
            ApiKey::DescribeConfigs => {
                let request: DescribeConfigsRequest = decoded(api, version, body)?;
                encoded(correlation, version, &shared.describe_configs(request))?
            }
            ApiKey::DescribeCluster => encoded(correlation, version, &admin::cluster(self.address))?,
            ApiKey::DeleteRecords => answer!(DeleteRecordsRequest, |request| shared.delete_records(request)),
            other => return Err(broken(format!("{other:?} is not answered"))),
        };
        Ok(Some(answer))
    }

    fn versions(&self, _version: i16) -> ApiVersionsResponse {
        admin::versions(self.shared.access)
    }
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
