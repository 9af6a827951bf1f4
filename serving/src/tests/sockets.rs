//! The server itself, over a socket: it answers, cuts off who only sits there, and ends when told.

use super::env::TestEnv;
use crate::{Config, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A server with short patience; what it is told to stop by, and what it ends with.
async fn server() -> (TcpStream, oneshot::Sender<()>, tokio::task::JoinHandle<Result<(), crate::Error>>) {
    let config = Config { first_byte_ms_max: 20, head_ms_max: 40, ..Config::default() };
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
    let (mut socket, stop, running) = server().await;
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
    let (mut silent, _stop, _running) = server().await;
    let mut answer = Vec::new();
    assert_eq!(silent.read_to_end(&mut answer).await.unwrap(), 0);
    let (mut half, _stop, _running) = server().await;
    half.write_all(b"GET /health/live HTTP/1.1\r\nhost:").await.unwrap();
    half.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}
