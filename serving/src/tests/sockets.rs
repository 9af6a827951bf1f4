//! The server itself, over a socket: it answers, cuts off who only sits there, and ends when told.

use super::env::TestEnv;
use crate::{Config, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A connection to a server with that patience; what it is told to stop by, and what it ends with.
async fn server(ms: u64) -> (TcpStream, oneshot::Sender<()>, JoinHandle<Result<(), crate::Error>>) {
    let config = Config { first_byte_ms_max: ms, head_ms_max: 2 * ms, ..Config::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let parts = TestEnv::parts(config);
    let running = tokio::spawn(serve(listener, parts, async {
        let _ = stopped.await;
    }));
    (TcpStream::connect(at).await.unwrap(), stop, running)
}

#[tokio::test]
async fn requests_are_answered_and_the_end_is_orderly() {
    let (mut socket, stop, running) = server(600_000).await;
    socket.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    let read = socket.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(socket.read(&mut answer).await.unwrap(), 0, "the kept connection is closed");
}

#[tokio::test]
async fn who_says_nothing_or_half_a_head_is_cut_off() {
    let (mut silent, _stop, _running) = server(20).await;
    let mut answer = Vec::new();
    assert_eq!(silent.read_to_end(&mut answer).await.unwrap(), 0);
    let (mut half, _stop, _running) = server(20).await;
    half.write_all(b"GET /health/live HTTP/1.1\r\nhost:").await.unwrap();
    half.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_kept_connection_does_not_idle_for_ever() {
    let (mut socket, _stop, _running) = server(20).await;
    socket.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_silent_connection_does_not_hold_up_the_end() {
    let (socket, stop, running) = server(600_000).await;
    // Answered on a second connection, so the first one was accepted before it.
    let mut second = TcpStream::connect(socket.peer_addr().unwrap()).await.unwrap();
    second.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    second.read_to_end(&mut Vec::new()).await.unwrap();
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
