//! HTTP/1.1 as bytes on a socket, for requests that no library sends. Not for ordinary requests: see `node::client`.

use anyhow::{Context, Result, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// The time that a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// The bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The headers of an answer, at most.
const HEADERS_MAX: usize = 64;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireResponse {
    /// The HTTP status; 0 if the connection was closed without an answer.
    pub status: u16,
    /// The body, as far as its head gives its length.
    pub body: Vec<u8>,
}

impl WireResponse {
    /// The code of a problem; empty if it is none.
    pub fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and code, such as `403 origin_refused`.
    pub fn told(&self) -> String {
        match self.status {
            0 => "closed".to_owned(),
            status => format!("{status} {}", self.code()).trim_end().to_owned(),
        }
    }
}

/// Connects, and gives up on reading and writing after `patience`.
pub fn connect(address: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
    settled(TcpStream::connect_timeout(&address, CONNECT)?, patience)
}

/// Another address of this machine, to connect from.
pub struct Elsewhere {
    runtime: Runtime,
    from: IpAddr,
}

impl Elsewhere {
    /// The address 127.0.0.`last`.
    pub fn new(last: u8) -> std::io::Result<Elsewhere> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Elsewhere { runtime, from: IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)) })
    }

    /// Connects from there.
    pub fn connect(&self, address: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
        let stream = self.runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(self.from, 0))?;
            tokio::time::timeout(CONNECT, socket.connect(address)).await?
        })?;
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        settled(stream, patience)
    }
}

fn settled(stream: TcpStream, patience: Duration) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// Sends the bytes over a fresh connection and reads the answer.
pub fn ask(address: SocketAddr, request: &[u8], patience: Duration) -> Result<WireResponse> {
    let mut stream = connect(address, patience)?;
    // An early answer may end the connection before everything is sent.
    let _ = stream.write_all(request);
    answer(&mut stream)
}

/// Reads one answer; its status is 0 if the connection is closed instead.
pub fn answer(stream: &mut TcpStream) -> Result<WireResponse> {
    let (mut bytes, mut some) = (Vec::new(), [0; 16 << 10]);
    let mut whole: Option<(u16, usize, usize)> = None;
    loop {
        if let Some((status, head, length)) = whole
            && bytes.len() >= head + length
        {
            bytes.truncate(head + length);
            return Ok(WireResponse { status, body: bytes.split_off(head) });
        }
        ensure!(bytes.len() <= ANSWER_BYTES_MAX, "an answer is over {ANSWER_BYTES_MAX} bytes");
        let read = match stream.read(&mut some) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error).context("no answer in time"),
        };
        if read == 0 {
            return Ok(WireResponse { status: whole.map_or(0, |(status, _, _)| status), body: Vec::new() });
        }
        bytes.extend_from_slice(&some[..read]);
        if whole.is_none() {
            whole = head(&bytes)?;
        }
    }
}

/// The status, the length of the head and that of the body, once the head is all there.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(bytes)? else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    Ok(Some((head.code.unwrap_or_default(), end, length.unwrap_or(0))))
}

/// A request with a body of JSON unless `headers` name another type; `Host` is the address.
pub fn request(method: &str, path: &str, address: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    let has = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut put = |name: &str, value: &str| bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    if !has("host") {
        put("host", &address.to_string());
    }
    if method != "GET" && !has("content-length") {
        put("content-length", &body.len().to_string());
    }
    headers.iter().for_each(|(name, value)| put(name, value));
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}
