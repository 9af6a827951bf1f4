//! A kept connection to a node: one request after the other, over raw HTTP/1.1, so that many customers cost little.
//! Not for what answers mean beyond their status and our headers.

use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The time that an answer may take, the node's own waiting included.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// The bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The headers of an answer, at most.
const HEADERS_MAX: usize = 64;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The path, with its query.
    pub path: String,
    /// The command's id, if it is one.
    pub key: Option<String>,
    /// The epoch that the answer may not be from before.
    pub min_epoch: Option<u64>,
    /// The body.
    pub body: Option<Value>,
}

impl Request {
    /// Reads what is at `path`.
    pub const fn get(path: String) -> Request {
        Request { method: "GET", path, key: None, min_epoch: None, body: None }
    }

    /// The same, not answered from before an epoch.
    pub const fn since(mut self, epoch: u64) -> Request {
        self.min_epoch = Some(epoch);
        self
    }

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let Request { method, path, key, min_epoch, body } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
        if let Some(key) = key {
            head.push_str(&format!("idempotency-key: {key}\r\n"));
        }
        if let Some(epoch) = min_epoch {
            head.push_str(&format!("tradewind-min-epoch: {epoch}\r\n"));
        }
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        if *method != "GET" {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        head.push_str(&body);
        head.into_bytes()
    }
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The epoch that the answer is exact for.
    pub epoch: u64,
    /// True if it repeats the outcome of an earlier request.
    pub is_replay: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A connection that is made when it is needed, and made again when it breaks.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Creates one to a node.
    pub const fn new(address: SocketAddr) -> Connection {
        Connection { address, stream: None, buffer: Vec::new() }
    }

    /// Asks, and reads the answer.
    pub async fn ask(&mut self, request: &Request) -> std::io::Result<HttpResponse> {
        let bytes = request.bytes(self.address);
        // A node closes connections that were idle for long; the first try may only find that out.
        let was_kept = self.stream.is_some();
        match self.ask_once(&bytes).await {
            Err(_) if was_kept && self.buffer.is_empty() => self.ask_once(&bytes).await,
            result => result,
        }
    }

    async fn ask_once(&mut self, request: &[u8]) -> std::io::Result<HttpResponse> {
        let exchange = async {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => {
                    let stream = TcpStream::connect(self.address).await?;
                    stream.set_nodelay(true)?;
                    stream
                }
            };
            self.buffer.clear();
            stream.write_all(request).await?;
            let answer = answer(&mut stream, &mut self.buffer).await?;
            self.stream = Some(stream);
            Ok(answer)
        };
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
        tokio::time::timeout(ANSWER_MAX, exchange).await.unwrap_or_else(|_| Err(late()))
    }
}

/// Reads one answer by way of `buffer`.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<HttpResponse> {
    let mut whole: Option<(HttpResponse, usize, usize)> = None;
    loop {
        if let Some((answer, head, length)) = &whole
            && buffer.len() >= head + length
        {
            return Ok(HttpResponse { body: buffer[*head..head + length].to_vec(), ..answer.clone() });
        }
        if buffer.len() > ANSWER_BYTES_MAX {
            return Err(broken("an answer is too large"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(broken("the connection was closed"));
        }
        if whole.is_none() {
            whole = head(buffer)?;
        }
    }
}

/// The answer that `bytes` begins, still without its body, and the lengths of head and body; `None` while its headers
/// are not all there.
fn head(bytes: &[u8]) -> std::io::Result<Option<(HttpResponse, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| broken(&error.to_string()))?;
    let (httparse::Status::Complete(head_bytes), Some(status)) = (parsed, response.code) else { return Ok(None) };
    let number = |name: &str| -> Option<u64> {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()?.parse().ok()
    };
    let length = number("content-length").and_then(|length| usize::try_from(length).ok());
    let length = length.ok_or_else(|| broken("an answer does not say how long it is"))?;
    let is_replay = response.headers.iter().any(|header| header.name.eq_ignore_ascii_case("idempotent-replayed"));
    let epoch = number("tradewind-epoch").unwrap_or_default();
    Ok(Some((HttpResponse { status, epoch, is_replay, body: Vec::new() }, head_bytes, length)))
}

fn broken(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, why)
}
