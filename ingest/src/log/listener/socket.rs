//! One client's socket: whole requests in, answers out, and whether the client is still there. Not for what they hold.
//!
//! Large requests and answers count in budgets that all connections share. A client that holds bytes of one and makes
//! others wait by its slowness is sent away.

use super::budget::{Budget, BudgetReservation};
use super::shared::ListenerShared;
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// A request or an answer over this is a large one: its bytes count in a budget.
pub const LARGE_BYTES: usize = 64 << 10;
/// Room for a request is made in steps of this, as its bytes come.
const STEP_BYTES: usize = 64 << 10;
/// The time between checks whether the client is gone, or too slow while others wait.
const LOOK: Duration = Duration::from_millis(200);
/// While others wait for the bytes that a client holds, it has to send or take so many in a second, after the first one.
const PACE_BYTES: usize = 1 << 20;

/// The reason for the end of a connection.
#[derive(Debug, thiserror::Error)]
pub enum Disconnect {
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

/// The client breaks the protocol.
pub fn broken(why: impl Into<String>) -> Disconnect {
    Disconnect::Broken(why.into())
}

/// An answer in bytes, with what it holds of the budget of answers if it is a large one.
pub struct EncodedResponse {
    /// With its length before it.
    pub bytes: Bytes,
    /// Its part of a budget.
    pub held: Option<BudgetReservation>,
}

/// The next request, and what it holds of the budget of requests if it is a large one.
pub async fn request(
    shared: &ListenerShared,
    stream: &mut TcpStream,
) -> Result<(Bytes, Option<BudgetReservation>), Disconnect> {
    let config = &shared.config;
    let mut length = [0; 4];
    let begun = timeout(Duration::from_millis(config.idle_ms_max), stream.read(&mut length)).await;
    let begun = begun.map_err(|_| Disconnect::Late("the next request"))??;
    if begun == 0 {
        return Err(Disconnect::Gone);
    }
    let read = async {
        stream.read_exact(&mut length[begun..]).await?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > config.request_bytes_max {
            return Err(broken(format!("a request is over {} bytes, or no request", config.request_bytes_max)));
        }
        // No room is made for what is only announced, and none is held for it.
        let (mut request, mut held) = (BytesMut::new(), None);
        let mut since = Instant::now();
        while request.len() < length {
            let at = request.len();
            if at >= LARGE_BYTES && held.is_none() {
                held = Some(shared.requests.hold(length).await);
                since = Instant::now();
            }
            request.resize(length.min(at + STEP_BYTES), 0);
            let pace = held.is_some().then_some((&shared.requests, since, at));
            read_step(stream, &mut request[at..], pace).await?;
        }
        Ok((request.freeze(), held))
    };
    let read = timeout(Duration::from_millis(config.request_ms_max), read).await;
    read.map_err(|_| Disconnect::Late("a request"))?
}

/// Sends an answer.
pub async fn write(shared: &ListenerShared, stream: &mut TcpStream, answer: EncodedResponse) -> Result<(), Disconnect> {
    let EncodedResponse { bytes, held } = answer;
    let since = Instant::now();
    let mut written = 0;
    while written < bytes.len() {
        let step = timeout(LOOK, stream.write(&bytes[written..])).await;
        match step {
            Ok(Ok(0)) => return Err(Disconnect::Gone),
            Ok(step) => written += step?,
            Err(_) => {}
        }
        let is_slow = held.is_some() && is_in_the_way(&shared.answers, since, written);
        if is_slow || since.elapsed() > Duration::from_millis(shared.config.write_ms_max) {
            return Err(Disconnect::Late("taking an answer"));
        }
    }
    Ok(())
}

/// Fills the buffer. A client that holds bytes of a budget since then, and sent so many, must keep pace if others wait.
async fn read_step(
    stream: &mut TcpStream,
    mut buffer: &mut [u8],
    pace: Option<(&Budget, Instant, usize)>,
) -> Result<(), Disconnect> {
    let mut filled = 0;
    while !buffer.is_empty() {
        match timeout(LOOK, stream.read(buffer)).await {
            Ok(Ok(0)) => return Err(Disconnect::Gone),
            Ok(read) => {
                let read = read?;
                filled += read;
                buffer = &mut buffer[read..];
            }
            Err(_) => {}
        }
        if pace.is_some_and(|(budget, since, before)| is_in_the_way(budget, since, before + filled)) {
            return Err(Disconnect::Late("a large request"));
        }
    }
    Ok(())
}

/// Returns true if a client that holds bytes of a budget since then makes others wait for them by its slowness.
fn is_in_the_way(budget: &Budget, since: Instant, bytes: usize) -> bool {
    const GRACE: Duration = Duration::from_secs(1);
    let late = since.elapsed().saturating_sub(GRACE);
    budget.is_wanted() && !late.is_zero() && late.as_millis() * PACE_BYTES as u128 / 1_000 > bytes as u128
}

/// Returns when the client has closed its side, also if bytes that it sent before are not read yet. Not at once: what a
/// client sent before it closed, and wants no answer to, is done all the same unless it has to wait.
pub async fn gone(stream: &TcpStream) {
    loop {
        sleep(LOOK).await;
        match stream.ready(Interest::READABLE).await {
            Ok(ready) if !ready.is_read_closed() => {}
            Ok(_) | Err(_) => return,
        }
    }
}
