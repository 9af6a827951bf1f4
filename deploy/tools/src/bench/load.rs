//! `tradewind bench reads`: the speed of point reads, beside an empty handler in the same run. Here is the load
//! generator; it takes no more of the machine than it must, since both share it.

use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The time that an answer may stay out after the end.
const LATE: Duration = Duration::from_secs(5);
/// The number of times that a broken connection is made again.
const BREAKS_MAX: u32 = 10;
/// The bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The headers of an answer, at most.
const HEADERS_MAX: usize = 64;

/// The figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadFigures {
    /// The number of connections that asked, each one request after the other.
    pub connections: usize,
    /// The seconds of the load.
    pub seconds: f64,
    /// The number of answers with the status 200.
    pub answers: u64,
    /// The number of answers with another, or that never came.
    pub errors: u64,
    /// The first thing that went wrong.
    pub first_error: Option<String>,
    /// The bytes of all answers, headers included.
    pub bytes: u64,
    /// Answers a second.
    pub rate: f64,
    /// Half of the answers took no longer.
    pub p50_us: u32,
    /// 99 of 100 took no longer.
    pub p99_us: u32,
    /// None took longer.
    pub max_us: u32,
}

/// A node's reads beside those of an empty handler.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The node's point reads.
    pub node: LoadFigures,
    /// The same requests to a handler that does nothing.
    pub empty: LoadFigures,
    /// The node's rate as a share of the empty handler's.
    pub share: f64,
}

impl Comparison {
    /// Puts both beside each other.
    pub fn of(node: LoadFigures, empty: LoadFigures) -> Comparison {
        let share = if empty.rate > 0.0 { node.rate / empty.rate } else { 0.0 };
        Comparison { node, empty, share }
    }
}

/// The counts of one connection.
#[derive(Default)]
struct ConnectionReport {
    took_us: Vec<u32>,
    bytes: u64,
    errors: u64,
    first_error: Option<String>,
}

/// Asks for the paths in turn over so many connections for so many seconds; each connection asks at least once.
pub async fn load(address: SocketAddr, paths: &[String], connections: usize, seconds: f64) -> LoadFigures {
    assert!(!paths.is_empty(), "there is something to ask for");
    let request = |path: &String| format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let requests: Arc<[Vec<u8>]> = paths.iter().map(request).collect();
    let (started, duration) = (Instant::now(), Duration::from_secs_f64(seconds));
    let tasks: Vec<_> = (0..connections)
        .map(|n| {
            // They start apart from each other, so that they do not all ask for the same.
            let first = n * requests.len() / connections;
            tokio::spawn(connection(address, Arc::clone(&requests), first, started + duration))
        })
        .collect();
    let mut all = ConnectionReport::default();
    for task in tasks {
        match task.await {
            Ok(seen) => all.add(seen),
            Err(error) => all.fail(error.to_string()),
        }
    }
    all.figures(connections, started.elapsed().as_secs_f64())
}

async fn connection(address: SocketAddr, requests: Arc<[Vec<u8>]>, first: usize, until: Instant) -> ConnectionReport {
    let mut seen = ConnectionReport::default();
    let mut next = first;
    for _ in 0..BREAKS_MAX {
        let asked = asked(address, &requests, &mut next, until, &mut seen);
        let result = tokio::time::timeout_at((until + LATE).into(), asked).await;
        match result {
            Ok(Ok(())) => break,
            Ok(Err(error)) => seen.fail(error.to_string()),
            Err(_) => seen.fail("no answer in time".to_owned()),
        }
        if Instant::now() >= until {
            break;
        }
    }
    seen
}

/// Asks over one connection until the time is over.
async fn asked(
    address: SocketAddr,
    requests: &[Vec<u8>],
    next: &mut usize,
    until: Instant,
    seen: &mut ConnectionReport,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let request = &requests[*next % requests.len()];
        *next += 1;
        let started = Instant::now();
        stream.write_all(request).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        let ended = Instant::now();
        seen.bytes += buffer.len() as u64;
        if status == 200 {
            seen.took_us.push(u32::try_from((ended - started).as_micros()).unwrap_or(u32::MAX));
        } else {
            seen.fail(format!("status {status}"));
        }
        if ended >= until {
            return Ok(());
        }
    }
}

/// Reads one answer into `buffer`, which then holds nothing else, and returns its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<u16> {
    buffer.clear();
    let mut whole = None;
    loop {
        if let Some((status, length)) = whole
            && buffer.len() >= length
        {
            return if buffer.len() == length { Ok(status) } else { Err(broken("an answer is longer than it says")) };
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

/// The status and the whole length of the answer that `bytes` begins; `None` while its headers are not all there.
fn head(bytes: &[u8]) -> std::io::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| broken(&error.to_string()))?;
    let (httparse::Status::Complete(head_bytes), Some(status)) = (parsed, response.code) else { return Ok(None) };
    let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let length = header("content-length").and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    match length {
        Some(length) => Ok(Some((status, head_bytes.saturating_add(length)))),
        None if matches!(status, 204 | 304) => Ok(Some((status, head_bytes))),
        None => Err(broken("an answer does not say how long it is")),
    }
}

fn broken(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, why)
}

impl ConnectionReport {
    fn add(&mut self, other: ConnectionReport) {
        let ConnectionReport { took_us, bytes, errors, first_error } = other;
        self.took_us.extend(took_us);
        self.bytes += bytes;
        self.errors += errors;
        self.first_error = self.first_error.take().or(first_error);
    }

    fn fail(&mut self, why: String) {
        self.errors += 1;
        self.first_error.get_or_insert(why);
    }

    fn figures(mut self, connections: usize, seconds: f64) -> LoadFigures {
        self.took_us.sort_unstable();
        // The smallest value that at least so many of a hundred do not exceed.
        let percentile = |percent: usize| {
            let rank = (self.took_us.len() * percent).div_ceil(100);
            self.took_us.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        LoadFigures {
            connections,
            seconds,
            answers: self.took_us.len() as u64,
            errors: self.errors,
            bytes: self.bytes,
            rate: self.took_us.len() as f64 / seconds.max(f64::EPSILON),
            p50_us: percentile(50),
            p99_us: percentile(99),
            max_us: percentile(100),
            first_error: self.first_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Answers each request on each connection with the same bytes, in two pieces.
    async fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let (begin, end) = answer.split_at(answer.len() / 2);
                        stream.write_all(begin).await.unwrap();
                        tokio::task::yield_now().await;
                        stream.write_all(end).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn every_answer_is_counted() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let figures = load(server(answer).await, &["/a".to_owned(), "/b".to_owned()], 4, 0.0).await;
        assert_eq!((figures.answers, figures.errors, figures.first_error), (4, 0, None));
        assert_eq!(figures.bytes, 4 * answer.len() as u64);
        assert!(figures.p50_us <= figures.p99_us && figures.p99_us <= figures.max_us);
    }

    #[tokio::test]
    async fn what_is_not_answered_well_is_an_error() {
        let missing = server(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        let figures = load(missing, &["/".to_owned()], 2, 0.0).await;
        assert_eq!((figures.answers, figures.errors, figures.first_error.as_deref()), (0, 2, Some("status 404")));
        let chunked = server(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
        let figures = load(chunked, &["/".to_owned()], 1, 0.0).await;
        assert_eq!(figures.first_error.as_deref(), Some("an answer does not say how long it is"));
    }

    #[test]
    fn percentiles_are_of_the_answers() {
        let seen = ConnectionReport { took_us: (1..=200).rev().collect(), ..ConnectionReport::default() };
        let figures = seen.figures(1, 2.0);
        assert_eq!((figures.p50_us, figures.p99_us, figures.max_us, figures.rate), (100, 198, 200, 100.0));
        assert_eq!(Comparison::of(figures.clone(), LoadFigures { rate: 125.0, ..figures }).share, 0.8);
    }
}
