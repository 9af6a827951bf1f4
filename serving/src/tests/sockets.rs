//! The server itself, over a socket: it answers, cuts off clients that only sit there, and ends when it is to.

use super::client::{Server, get, post};
use crate::Config;

/// A server with that patience.
async fn server(ms: u64) -> Server {
    let config = Config { head_ms_max: ms, idle_ms_max: ms, body_grace_ms: ms, ..Config::default() };
    Server::start(config).await
}

#[tokio::test]
async fn requests_are_answered_and_the_end_is_orderly() {
    let server = server(600_000).await;
    let mut client = server.connect().await;
    client.say("\r\n").await;
    client.say(get("/health/live")).await;
    assert_eq!(client.hear().await.status, 200);
    // Two at once, and one in pieces.
    client.say(get("/health/live") + &get("/api/v1/products") + "GET /health/live HT").await;
    assert_eq!((client.hear().await.status, client.hear().await.body.len() > 10), (200, true));
    client.say("TP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(client.hear().await.status, 200);
    server.stop.send(()).unwrap();
    server.running.await.unwrap().unwrap();
    assert_eq!(client.closed().await, "", "the kept connection is closed");
}

#[tokio::test]
async fn who_says_nothing_half_a_head_or_half_a_body_is_cut_off() {
    let server = server(20).await;
    assert_eq!(server.connect().await.closed().await, "");
    let mut half = server.connect().await;
    half.say("GET /health/live HTTP/1.1\r\nhost:").await;
    assert_eq!(half.closed().await, "");
    let mut half = server.connect().await;
    half.say("POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{").await;
    let told = half.closed().await;
    assert!(!told.starts_with("HTTP/1.1 2"), "{told}");
    let mut chunked = server.connect().await;
    chunked.say("POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{").await;
    let told = chunked.closed().await;
    assert!(!told.starts_with("HTTP/1.1 2"), "{told}");
}

#[tokio::test]
async fn a_kept_connection_does_not_idle_for_ever() {
    let server = server(20).await;
    let mut client = server.connect().await;
    client.say(get("/health/live")).await;
    assert_eq!(client.hear().await.status, 200);
    assert_eq!(client.closed().await, "");
    // The same after a request with a body.
    let mut client = server.connect().await;
    client.say(post("/api/v1/nowhere", "content-type: application/json\r\n", "{}")).await;
    assert_eq!(client.hear().await.status, 404);
    assert_eq!(client.closed().await, "");
}

#[tokio::test]
async fn a_body_that_comes_fast_enough_is_never_too_slow() {
    let config = Config { body_grace_ms: 20, body_bytes_per_s_min: 1, ..Config::default() };
    let server = Server::start(config).await;
    let mut client = server.connect().await;
    let body = format!("{}{{}}", " ".repeat(500));
    client.say(format!("PUT /api/v1/policy HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}", body.len(), &body[..500])).await;
    // By now it has 20 ms and 500 s; other clients are answered meanwhile.
    for _ in 0..50 {
        assert_eq!(server.ask(get("/health/live")).await.status, 200);
    }
    client.say(format!("{}\r\n0\r\n\r\n", &body[500..])).await;
    assert!(client.hear().await.status < 300);
}

#[tokio::test]
async fn a_silent_connection_does_not_hold_up_the_end() {
    let server = server(600_000).await;
    let _silent = server.connect().await;
    // Answered on a second connection, so the first one was accepted before it.
    assert_eq!(server.ask(get("/health/live")).await.status, 200);
    server.stop.send(()).unwrap();
    server.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_is_cut_off_with_its_connection_when_too_much_of_it_was_not_taken() {
    let server = Server::start(Config { follower_bytes_own_max: 10, ..Config::default() }).await;
    let mut client = server.connect().await;
    client.say(get("/api/v1/changes?view=products")).await;
    // Without it, the stream would never end.
    client.closed().await;
    let server = Server::start(Config::default()).await;
    let mut client = server.connect().await;
    client.say(get("/api/v1/changes?view=products")).await;
    assert_eq!(client.hear().await.status, 200);
}
