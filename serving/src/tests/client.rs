//! A client that sends exactly the bytes given to it, and a server for it.

use super::env::TestEnv;
use crate::{Config, Error, serve};
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server over sockets.
pub struct Server {
    pub at: SocketAddr,
    pub operators: Option<SocketAddr>,
    pub stop: oneshot::Sender<()>,
    pub running: JoinHandle<Result<(), Error>>,
}

impl Server {
    pub async fn start(config: Config) -> Server {
        Server::listening(config, false).await
    }

    /// One whose operators have a listener of their own.
    pub async fn with_operators(config: Config) -> Server {
        Server::listening(config, true).await
    }

    async fn listening(config: Config, has_operators: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let operators = if has_operators { Some(TcpListener::bind("127.0.0.1:0").await.unwrap()) } else { None };
        let operators_at = operators.as_ref().map(|listener| listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(serve(listener, operators, TestEnv::parts(config), async {
            let _ = stopped.await;
        }));
        Server { at, operators: operators_at, stop, running }
    }

    pub async fn connect(&self) -> Client {
        Client::of(TcpStream::connect(self.at).await.unwrap())
    }

    /// A client at another address of this machine.
    pub async fn connect_from(&self, from: &str) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse::<IpAddr>().unwrap(), 0)).unwrap();
        Client::of(socket.connect(self.at).await.unwrap())
    }

    /// The answer to these bytes on a new connection.
    pub async fn ask(&self, bytes: impl AsRef<[u8]>) -> TestResponse {
        let mut client = self.connect().await;
        client.say(bytes).await;
        client.hear().await
    }
}

/// A connection.
pub struct Client {
    socket: TcpStream,
    heard: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct TestResponse {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl TestResponse {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The status and the code of a problem.
    pub fn problem(&self) -> (u16, String) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        (self.status, body["code"].as_str().unwrap().to_owned())
    }

    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

impl Client {
    pub fn of(socket: TcpStream) -> Client {
        Client { socket, heard: Vec::new() }
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer.
    pub async fn hear(&mut self) -> TestResponse {
        let end = loop {
            if let Some(end) = self.heard.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more().await > 0, "no answer: {:?}", String::from_utf8_lossy(&self.heard));
        };
        let head = String::from_utf8(self.heard.drain(..end).collect()).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut said = TestResponse { status, head, body: String::new() };
        let length = said.header("content-length").map_or(0, |text| text.parse().unwrap());
        while self.heard.len() < length {
            assert!(self.more().await > 0, "half an answer: {said:?}");
        }
        said.body = String::from_utf8(self.heard.drain(..length).collect()).unwrap();
        said
    }

    async fn more(&mut self) -> usize {
        self.socket.read_buf(&mut self.heard).await.unwrap_or(0)
    }

    /// Waits until the server has closed the connection, and returns what came before that.
    pub async fn closed(&mut self) -> String {
        while self.more().await > 0 {}
        String::from_utf8(std::mem::take(&mut self.heard)).unwrap()
    }
}

/// A request with a body.
pub fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// A request without.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}
