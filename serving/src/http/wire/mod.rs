//! The bytes of a connection before HTTP reads them: only whole and sound heads are passed on, slow clients are cut off,
//! and a client that still sends is read to its end before the connection is closed. Not for what a request asks.

pub mod chunks;
pub mod head;
mod limits;
pub mod pace;

pub use limits::WireLimits;

use super::problem::Problem;
use crate::shop::HangUp;
use chunks::ChunkedBody;
use head::BodyFraming;
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The state that the bytes and the requests of a connection share.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The heads that were passed on.
    heads: AtomicU64,
    /// The requests that were answered to the end.
    answered: AtomicU64,
    /// The number of the head that replaces a refused one, and the reason.
    refused: Mutex<Option<(u64, Problem)>>,
    /// Ends the connection, whatever it is doing.
    pub hang_up: HangUp,
}

impl Exchange {
    /// The reason for refusing the request of that number, from 1, if it is refused.
    pub fn refusal(&self, number: u64) -> Option<Problem> {
        self.refused.lock().as_ref().filter(|(refused, _)| *refused == number).map(|(_, problem)| problem.clone())
    }

    /// Notes that an answer has left.
    pub fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns true if anything was asked.
    pub fn has_begun(&self) -> bool {
        self.heads.load(Ordering::Relaxed) > 0
    }

    fn is_busy(&self) -> bool {
        self.heads.load(Ordering::Relaxed) > self.answered.load(Ordering::Relaxed)
    }
}

/// The part that comes next on the wire.
#[derive(Debug)]
enum WireState {
    /// A head, of which so many bytes were looked at.
    Head { seen: usize },
    /// So many bytes of a body.
    Body(u64),
    /// Chunks of a body.
    Chunked(ChunkedBody),
    /// Nothing that is of use: a head was refused.
    Nothing,
}

/// A socket whose bytes are looked at.
pub struct Wire<S> {
    socket: Pin<Box<S>>,
    exchange: Arc<Exchange>,
    limits: Arc<WireLimits>,
    next: WireState,
    /// The bytes read and not passed on.
    held: Vec<u8>,
    /// The number of them that may be.
    cleared: usize,
    patience: Patience,
    /// The bytes read since the connection is being closed, once it is.
    lingered: Option<usize>,
}

/// The times that the client has taken.
#[derive(Debug)]
struct Patience {
    timer: Option<Pin<Box<Sleep>>>,
    /// The time since which the client has sent nothing, while it is waited for.
    silent_since: Option<Instant>,
    /// The start of the head that is being read; of the first one, the start of the connection.
    head_since: Option<Instant>,
    /// The bytes of the body that have come.
    body_bytes: u64,
    /// The time that it was waited for.
    body_waited: Duration,
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    /// Looks at the bytes of a socket.
    pub fn new(socket: S, exchange: Arc<Exchange>, limits: Arc<WireLimits>) -> Wire<S> {
        let patience = Patience {
            timer: None,
            silent_since: None,
            head_since: Some(Instant::now()),
            body_bytes: 0,
            body_waited: Duration::ZERO,
        };
        let socket = Box::pin(socket);
        let next = WireState::Head { seen: 0 };
        Wire { socket, exchange, limits, next, held: Vec::new(), cleared: 0, patience, lingered: None }
    }

    /// Looks at what is held; true if something of it was cleared, or can be no further.
    fn look(&mut self) -> io::Result<()> {
        match &mut self.next {
            WireState::Head { seen } => {
                // An empty line before a head is ignored (RFC 9112, 2.2).
                while self.held.starts_with(b"\r\n") {
                    self.held.drain(..2);
                    *seen = 0;
                }
                let found = head::end(&self.held, *seen);
                *seen = self.held.len();
                match found {
                    Ok(Some(end)) => match head::check(&self.held[..end], &self.limits) {
                        Ok(framing) => self.pass(end, framing),
                        Err(problem) => self.refuse(problem),
                    },
                    Ok(None) if self.held.len() > self.limits.head_bytes_max => {
                        self.refuse(head::unfinished(&self.held, &self.limits));
                    }
                    Ok(None) => {}
                    Err(problem) => self.refuse(problem),
                }
            }
            WireState::Body(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.held.len());
                *left -= here as u64;
                self.cleared = here;
                self.patience.body_bytes += here as u64;
                if *left == 0 {
                    self.next = WireState::Head { seen: 0 };
                }
            }
            WireState::Chunked(chunks) => {
                let here = chunks.pass(&self.held)?;
                self.cleared = here;
                self.patience.body_bytes += here as u64;
                if *chunks == ChunkedBody::Over {
                    self.next = WireState::Head { seen: 0 };
                }
            }
            WireState::Nothing => {}
        }
        Ok(())
    }

    fn pass(&mut self, end: usize, framing: BodyFraming) {
        self.cleared = end;
        self.exchange.heads.fetch_add(1, Ordering::Relaxed);
        self.patience.begin_body();
        self.next = match framing {
            BodyFraming::Length(0) => WireState::Head { seen: 0 },
            BodyFraming::Length(length) => WireState::Body(length),
            BodyFraming::Chunked => WireState::Chunked(ChunkedBody::START),
        };
    }

    /// Passes on another head in place of one that is refused; the request that it makes is answered with the problem.
    fn refuse(&mut self, problem: Problem) {
        let number = self.exchange.heads.fetch_add(1, Ordering::Relaxed) + 1;
        // Where the framing is in doubt, no field is believed.
        self.held = if problem.status == 400 { head::stand_in(b"") } else { head::stand_in(&self.held) };
        *self.exchange.refused.lock() = Some((number, problem));
        self.cleared = self.held.len();
        self.next = WireState::Nothing;
    }

    /// The time by which the client must send something; `None` while it is its turn to wait.
    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let silent_since = *self.patience.silent_since.get_or_insert(now);
        match (&self.next, self.patience.head_since) {
            (WireState::Head { .. }, Some(since)) => Some(since + self.limits.head),
            (WireState::Head { .. }, None) if self.exchange.is_busy() => {
                self.patience.silent_since = None;
                None
            }
            (WireState::Head { .. }, None) => Some(silent_since + self.limits.idle),
            (WireState::Body(_) | WireState::Chunked(_), _) => {
                let earned = self.patience.body_bytes / self.limits.body_bytes_per_s_min;
                let granted = self.limits.body_grace + Duration::from_secs(earned);
                Some(silent_since + granted.saturating_sub(self.patience.body_waited))
            }
            (WireState::Nothing, _) => None,
        }
    }

    /// Ready once the client has taken too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let Some(deadline) = self.deadline(now) else { return Poll::Pending };
        self.patience.poll_until(deadline, cx)
    }

    /// Reads on. The bytes of a body of known length are passed on at once, all others are looked at first.
    fn poll_more(&mut self, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [MaybeUninit::uninit(); PIECE_BYTES];
        let most = match self.next {
            WireState::Body(left) => usize::try_from(left).unwrap_or(usize::MAX).min(to.remaining()).min(PIECE_BYTES),
            WireState::Head { .. } | WireState::Chunked(_) | WireState::Nothing => PIECE_BYTES,
        };
        let mut piece = ReadBuf::uninit(&mut piece[..most]);
        ready!(self.socket.as_mut().poll_read(cx, &mut piece))?;
        let read = piece.filled();
        let WireState::Body(left) = &mut self.next else {
            self.held.extend_from_slice(read);
            return Poll::Ready(Ok(read.len()));
        };
        to.put_slice(read);
        *left -= read.len() as u64;
        self.patience.body_bytes += read.len() as u64;
        if *left == 0 {
            self.next = WireState::Head { seen: 0 };
        }
        Poll::Ready(Ok(read.len()))
    }

    /// Reads what the client still sends, so that its connection does not break before it has read the answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut piece = [MaybeUninit::uninit(); PIECE_BYTES];
        let deadline = *self.patience.silent_since.get_or_insert_with(Instant::now) + self.limits.linger;
        loop {
            if let Some(pause) = self.limits.linger_pace.pause() {
                ready!(self.patience.poll_until(pause.min(deadline), cx));
                if Instant::now() >= deadline {
                    return Poll::Ready(());
                }
                continue;
            }
            let mut read = ReadBuf::uninit(&mut piece);
            match self.socket.as_mut().poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) => {
                    self.limits.linger_pace.count(read.filled().len());
                    let lingered = self.lingered.get_or_insert(0);
                    *lingered += read.filled().len();
                    if read.filled().is_empty() || *lingered > self.limits.linger_bytes_max {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.patience.poll_until(deadline, cx),
            }
        }
    }
}

/// The bytes read at once of heads, chunks and what is discarded.
const PIECE_BYTES: usize = 8 << 10;

impl Patience {
    fn begin_body(&mut self) {
        (self.head_since, self.body_bytes, self.body_waited) = (None, 0, Duration::ZERO);
    }

    /// Notes that the client has sent something.
    fn hear(&mut self, is_head: bool) {
        if let Some(since) = self.silent_since.take() {
            self.body_waited += since.elapsed();
        }
        if is_head && self.head_since.is_none() {
            self.head_since = Some(Instant::now());
        }
    }

    /// Ready at that time. The timer is set again only where it would be too late, since that takes a lock.
    fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        loop {
            if wire.cleared > 0 {
                let count = wire.cleared.min(to.remaining());
                to.put_slice(&wire.held[..count]);
                wire.held.drain(..count);
                wire.cleared -= count;
                return Poll::Ready(Ok(()));
            }
            if matches!(wire.next, WireState::Nothing) {
                return Poll::Pending;
            }
            let seen = match wire.next {
                WireState::Head { seen } => seen,
                WireState::Body(_) | WireState::Chunked(_) | WireState::Nothing => 0,
            };
            if wire.held.len() > seen {
                wire.look()?;
                if wire.cleared > 0 {
                    continue;
                }
            }
            let is_head = matches!(wire.next, WireState::Head { .. });
            match wire.poll_more(cx, to) {
                Poll::Ready(Ok(read)) => {
                    wire.patience.hear(is_head && read > 0);
                    if read == 0 || !is_head && wire.held.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(wire.poll_patience(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().socket.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().socket.as_mut().poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.lingered.is_none() {
            ready!(wire.socket.as_mut().poll_shutdown(cx))?;
            // A client that was read to the end of its request has nothing on its way.
            if matches!(wire.next, WireState::Head { .. }) && wire.held.is_empty() {
                return Poll::Ready(Ok(()));
            }
            (wire.lingered, wire.patience.silent_since) = (Some(0), None);
        }
        ready!(wire.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
