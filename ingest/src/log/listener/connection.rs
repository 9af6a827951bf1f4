//! One client's connection: requests in, answers out, one after the other. Not for what the answers are.

use super::apis::{Api, Walk};
use super::budget::BudgetReservation;
use super::fetch::FetchSession;
use super::shared::ListenerShared;
use super::socket::{self, Disconnect, EncodedResponse, LARGE_BYTES, broken};
use super::{admin, error_code, fetch, old, produce};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, ApiKey, CreateTopicsRequest,
    DeleteGroupsRequest, DeleteRecordsRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    EndTxnRequest, EndTxnResponse, FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, ProduceRequest, ResponseHeader, SyncGroupRequest, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// The front of a request.
struct RequestHeader {
    api: &'static Api,
    version: i16,
    correlation: i32,
    client: String,
}

/// An answer to what was asked. A macro, since requests and answers differ in their types.
macro_rules! answer {
    ($shared:expr, $front:expr, $body:expr, $request:ty, $asked:ident => $answer:expr) => {{
        let $asked: $request = decoded($front.api, $front.version, $body)?;
        encoded(&$shared, $front.correlation, $front.version, &$answer, None).await?
    }};
}

/// A client.
pub struct ClientConnection {
    pub(super) shared: Arc<ListenerShared>,
    peer: SocketAddr,
    /// The address at which the client has found us.
    pub(super) address: SocketAddr,
    pub(super) reading: FetchSession,
}

impl ClientConnection {
    /// A client at that address.
    pub fn new(shared: Arc<ListenerShared>, peer: SocketAddr) -> ClientConnection {
        ClientConnection { shared, peer, address: peer, reading: FetchSession::default() }
    }

    /// Answers until the client goes, or has to.
    pub async fn run(mut self, mut stream: TcpStream) {
        let Ok(address) = stream.local_addr() else { return };
        self.address = address;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers to a Kafka client may be late");
        }
        match self.converse(&mut stream).await {
            Disconnect::Gone => {}
            Disconnect::Broken(why) => tracing::info!(peer = %self.peer, why, "a Kafka client was sent away"),
            ended @ (Disconnect::Late(_) | Disconnect::Io(_)) => {
                tracing::debug!(peer = %self.peer, %ended, "a Kafka client left")
            }
        }
    }

    async fn converse(&mut self, stream: &mut TcpStream) -> Disconnect {
        loop {
            if let Err(ended) = self.turn(stream).await {
                return ended;
            }
        }
    }

    async fn turn(&mut self, stream: &mut TcpStream) -> Result<(), Disconnect> {
        let (request, held) = socket::request(&self.shared, stream).await?;
        let answer = tokio::select! {
            answer = self.answer(request) => answer?,
            () = socket::gone(stream) => return Err(Disconnect::Gone),
        };
        drop(held);
        match answer {
            Some(answer) => socket::write(&self.shared, stream, answer).await,
            None => Ok(()),
        }
    }

    /// The answer; none where the client wants none.
    async fn answer(&mut self, request: Bytes) -> Result<Option<EncodedResponse>, Disconnect> {
        let (number, version, correlation) = numbers(&request).ok_or_else(|| broken("a request is too short"))?;
        let api = Api::find(number, self.shared.access)
            .ok_or_else(|| broken(format!("requests of the kind {number} are not answered")))?;
        if !api.has(version) {
            if matches!(api.key, ApiKey::ApiVersions) {
                // Whatever version was asked for, this one is understood, and lists the others.
                let refused = admin::versions(self.shared.access).with_error_code(error_code::UNSUPPORTED_VERSION);
                return encoded(&self.shared, correlation, 0, &refused, None).await.map(Some);
            }
            return Err(broken(format!("version {version} of {:?} is not answered", api.key)));
        }
        let (client, body) = front(api, version, &request, self.shared.config.request_items_max)
            .ok_or_else(|| broken(format!("a request {:?} is not whole", api.key)))?;
        let body = request.slice(request.len() - body..);
        self.dispatch(RequestHeader { api, version, correlation, client }, body).await
    }

    async fn dispatch(&mut self, front: RequestHeader, body: Bytes) -> Result<Option<EncodedResponse>, Disconnect> {
        let shared = Arc::clone(&self.shared);
        let at = self.address;
        let answer = match front.api.key {
            ApiKey::Produce => return produced(&shared, &front, body).await,
            ApiKey::Fetch => {
                let asked = decoded(front.api, front.version, body)?;
                let (answer, held) = fetch::fetch(&shared, &mut self.reading, asked).await;
                encoded(&shared, front.correlation, front.version, &answer, held).await?
            }
            ApiKey::ListOffsets if front.version < old::LIST_OFFSETS => {
                let asked = old::list_offsets(body).ok_or_else(|| unreadable(&front))?;
                written(front.correlation, &old::listed_offsets(&shared.list_offsets(asked).await))
            }
            ApiKey::ListOffsets => {
                answer!(shared, front, body, ListOffsetsRequest, asked => shared.list_offsets(asked).await)
            }
            ApiKey::Metadata => {
                answer!(shared, front, body, MetadataRequest, asked => shared.metadata(at, front.version, asked))
            }
            ApiKey::ApiVersions => {
                encoded(&shared, front.correlation, front.version, &admin::versions(shared.access), None).await?
            }
            ApiKey::InitProducerId => {
                answer!(shared, front, body, InitProducerIdRequest, asked => shared.producers.init(&asked))
            }
            ApiKey::DescribeConfigs if front.version < old::DESCRIBE_CONFIGS => {
                let asked = old::describe_configs(body).ok_or_else(|| unreadable(&front))?;
                let answer = shared.describe_configs(asked);
                written(front.correlation, &old::described_configs(&answer, admin::DEFAULT))
            }
            ApiKey::DescribeConfigs => {
                answer!(shared, front, body, DescribeConfigsRequest, asked => shared.describe_configs(asked))
            }
            ApiKey::DescribeCluster => {
                encoded(&shared, front.correlation, front.version, &admin::cluster(at), None).await?
            }
            ApiKey::DescribeLogDirs => {
                let front = RequestHeader { version: front.version.max(old::DESCRIBE_LOG_DIRS), ..front };
                answer!(shared, front, body, DescribeLogDirsRequest, asked => shared.describe_log_dirs(asked))
            }
            ApiKey::DeleteRecords => {
                answer!(shared, front, body, DeleteRecordsRequest, asked => shared.delete_records(asked).await)
            }
            ApiKey::CreateTopics => created_topics(&shared, &front, body).await?,
            ApiKey::AddPartitionsToTxn | ApiKey::AddOffsetsToTxn | ApiKey::EndTxn | ApiKey::TxnOffsetCommit => {
                dispatch_of_transactions(&shared, &front, body).await?
            }
            _ => return self.dispatch_of_groups(front, body).await.map(Some),
        };
        Ok(Some(answer))
    }

    async fn dispatch_of_groups(&mut self, front: RequestHeader, body: Bytes) -> Result<EncodedResponse, Disconnect> {
        let shared = &self.shared;
        let version = front.version;
        Ok(match front.api.key {
            ApiKey::OffsetCommit if version < old::OFFSET_COMMIT => {
                let asked = old::offset_commit(body).ok_or_else(|| unreadable(&front))?;
                let answer = shared.commit_offsets(asked).await;
                encoded(shared, front.correlation, old::OFFSET_COMMIT, &answer, None).await?
            }
            ApiKey::OffsetCommit => {
                answer!(shared, front, body, OffsetCommitRequest, asked => shared.commit_offsets(asked).await)
            }
            ApiKey::OffsetFetch => {
                answer!(shared, front, body, OffsetFetchRequest, asked => shared.fetch_offsets(asked, version))
            }
            ApiKey::OffsetDelete => {
                answer!(shared, front, body, OffsetDeleteRequest, asked => shared.delete_offsets(asked).await)
            }
            ApiKey::FindCoordinator => {
                let at = self.address;
                answer!(shared, front, body, FindCoordinatorRequest, asked => admin::coordinator(at, asked, version))
            }
            ApiKey::JoinGroup => {
                let by = (front.client.clone(), format!("/{}", self.peer.ip()));
                let offsets = &shared.offsets;
                answer!(shared, front, body, JoinGroupRequest, asked => shared.groups.join(asked, version, by, offsets).await)
            }
            ApiKey::SyncGroup => {
                answer!(shared, front, body, SyncGroupRequest, asked => shared.groups.sync(asked).await)
            }
            ApiKey::Heartbeat => {
                answer!(shared, front, body, HeartbeatRequest, asked => shared.groups.heartbeat(asked))
            }
            ApiKey::LeaveGroup => {
                answer!(shared, front, body, LeaveGroupRequest, asked => shared.groups.leave(asked, version))
            }
            ApiKey::DescribeGroups => {
                answer!(shared, front, body, DescribeGroupsRequest, asked => shared.describe_groups(asked))
            }
            ApiKey::ListGroups => answer!(shared, front, body, ListGroupsRequest, asked => shared.list_groups(asked)),
            ApiKey::DeleteGroups => {
                answer!(shared, front, body, DeleteGroupsRequest, asked => shared.delete_groups(asked).await)
            }
            other => return Err(broken(format!("{other:?} is not answered"))),
        })
    }
}

/// Refuses to make topics, in the words of any version.
async fn created_topics(
    shared: &ListenerShared,
    front: &RequestHeader,
    body: Bytes,
) -> Result<EncodedResponse, Disconnect> {
    if front.version < old::CREATE_TOPICS {
        let asked = old::create_topics(body).ok_or_else(|| unreadable(front))?;
        return Ok(written(front.correlation, &old::created_topics(&admin::no_topics(asked), front.version)));
    }
    Ok(answer!(shared, front, body, CreateTopicsRequest, asked => admin::no_topics(asked)))
}

/// Refuses what belongs to a transaction.
async fn dispatch_of_transactions(
    shared: &ListenerShared,
    front: &RequestHeader,
    body: Bytes,
) -> Result<EncodedResponse, Disconnect> {
    let refused = error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    Ok(match front.api.key {
        ApiKey::AddPartitionsToTxn => {
            answer!(shared, front, body, AddPartitionsToTxnRequest, asked => admin::no_partitions(asked))
        }
        ApiKey::AddOffsetsToTxn => {
            answer!(shared, front, body, AddOffsetsToTxnRequest, _asked => AddOffsetsToTxnResponse::default().with_error_code(refused))
        }
        ApiKey::EndTxn => {
            answer!(shared, front, body, EndTxnRequest, _asked => EndTxnResponse::default().with_error_code(refused))
        }
        _ => answer!(shared, front, body, TxnOffsetCommitRequest, asked => admin::no_offsets(asked)),
    })
}

fn unreadable(front: &RequestHeader) -> Disconnect {
    broken(format!("a request {:?} cannot be read", front.api.key))
}

/// An answer whose body is written already, in a version that has nothing in its header but the number.
fn written(correlation: i32, body: &[u8]) -> EncodedResponse {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    let bytes = [&length.to_be_bytes()[..], &correlation.to_be_bytes(), body].concat();
    EncodedResponse { bytes: Bytes::from(bytes), held: None }
}

/// Appends; a client that wants no answer gets none, and learns of an error by the end of the connection.
async fn produced(
    shared: &Arc<ListenerShared>,
    front: &RequestHeader,
    body: Bytes,
) -> Result<Option<EncodedResponse>, Disconnect> {
    let request: ProduceRequest = decoded(front.api, front.version, body)?;
    let acks = request.acks;
    // A task of its own: when the client goes meanwhile, what becomes of its batches is noted all the same.
    let answer = tokio::spawn(produce::produce(Arc::clone(shared), request)).await;
    let answer = answer.map_err(|_| broken("an append was given up"))?;
    if acks != 0 {
        return encoded(shared, front.correlation, front.version, &answer, None).await.map(Some);
    }
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    if partitions.any(|partition| partition.error_code != error_code::NONE) {
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
    api.left_over(version, walk.rest, items_max)?;
    Some((name, walk.rest.len()))
}

fn decoded<T: Decodable>(api: &Api, version: i16, mut body: Bytes) -> Result<T, Disconnect> {
    T::decode(&mut body, version).map_err(|error| broken(format!("a request {:?} cannot be read: {error}", api.key)))
}

/// An answer in bytes. A large one waits until it has its share of the budget of answers, if it does not hold it already.
async fn encoded<T: Encodable + HeaderVersion>(
    shared: &ListenerShared,
    correlation: i32,
    version: i16,
    answer: &T,
    held: Option<BudgetReservation>,
) -> Result<EncodedResponse, Disconnect> {
    let unsayable = |error| broken(format!("an answer cannot be written: {error}"));
    let header = ResponseHeader::default().with_correlation_id(correlation);
    let header_version = T::header_version(version);
    let size = answer.compute_size(version).map_err(unsayable)?;
    if size > shared.config.fetch_bytes_max {
        return Err(broken(format!(
            "an answer would be over kafka.fetch_bytes_max, {}",
            shared.config.fetch_bytes_max
        )));
    }
    let mut held = match held {
        None if size > LARGE_BYTES => Some(shared.answers.hold(size).await),
        held => held,
    };
    let mut to = BytesMut::with_capacity(size + 16);
    to.extend_from_slice(&[0; 4]);
    header.encode(&mut to, header_version).map_err(unsayable)?;
    answer.encode(&mut to, version).map_err(unsayable)?;
    let length = i32::try_from(to.len() - 4).map_err(|_| broken("an answer is too large"))?;
    to[..4].copy_from_slice(&length.to_be_bytes());
    if let Some(held) = &mut held {
        held.shrink(to.len());
    }
    Ok(EncodedResponse { bytes: to.freeze(), held })
}
