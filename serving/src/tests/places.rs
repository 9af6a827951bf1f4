//! Places for connections and bytes, over sockets: a client that finds none is refused, and probes are answered.

use super::client::{Client, Server, get, post};
use crate::Config;
use tokio::net::TcpStream;

const JSON: &str = "content-type: application/json\r\n";

/// So many connections that have asked for something and then sit there.
async fn sit(server: &Server, count: usize, from: &str) -> Vec<Client> {
    let mut sitting = Vec::new();
    for _ in 0..count {
        let mut client = server.connect_from(from).await;
        client.say(get("/health/live")).await;
        assert_eq!(client.hear().await.status, 200);
        sitting.push(client);
    }
    sitting
}

#[tokio::test]
async fn a_full_node_says_so_and_answers_probes() {
    let server = Server::start(Config { connections_max: 3, ..Config::default() }).await;
    let sitting = sit(&server, 3, "127.0.0.1").await;
    for _ in 0..3 {
        let said = server.ask(get("/api/v1/products")).await;
        assert_eq!((said.problem(), said.closes()), ((503, "overloaded".to_owned()), true));
        assert!(said.header("retry-after").is_some());
        for probe in ["/health/live", "/health/ready", "/metrics"] {
            assert_ne!(server.ask(get(probe)).await.body, "", "{probe}");
        }
    }
    drop(sitting);
    // Their places are free as soon as the server has seen that they went.
    while server.ask(get("/api/v1/products")).await.status == 503 {}
}

#[tokio::test]
async fn one_address_has_its_share_and_others_have_theirs() {
    let server = Server::start(Config { connections_per_ip: 2, ..Config::default() }).await;
    let _sitting = sit(&server, 2, "127.0.0.2").await;
    let mut refused = server.connect_from("127.0.0.2").await;
    refused.say(get("/api/v1/products")).await;
    assert_eq!(refused.hear().await.problem(), (503, "overloaded".to_owned()));
    let mut other = server.connect_from("127.0.0.3").await;
    other.say(get("/api/v1/products")).await;
    assert_eq!(other.hear().await.status, 200);
    // This machine's own address has no share.
    let _own = sit(&server, 5, "127.0.0.1").await;
    assert_eq!(server.ask(get("/api/v1/products")).await.status, 200);
}

#[tokio::test]
async fn bodies_beyond_the_bytes_in_flight_are_refused_unread() {
    let server = Server::start(Config { bytes_in_flight_max: 10_000, ..Config::default() }).await;
    let (mut first, body) = (server.connect().await, format!("{}{{}}", " ".repeat(5_998)));
    let put = |body: &str| post("/api/v1/policy", JSON, body).replace("POST", "PUT");
    let request = put(&body);
    first.say(&request[..request.len() - 2]).await;
    // It is known once another request was answered.
    loop {
        let mut second = server.connect().await;
        second.say(&request[..request.len() - 6_000]).await;
        // A refusal does not wait for the body, which is sent all the same.
        second.say(&body).await;
        let said = second.hear().await;
        if said.status == 503 {
            assert_eq!(said.problem(), (503, "overloaded".to_owned()));
            break;
        }
    }
    assert_eq!(server.ask(put("{}")).await.status, 200, "what fits is taken");
    first.say("{}").await;
    assert_eq!(first.hear().await.status, 200);
    let metrics = server.ask(get("/metrics")).await.body;
    assert!(metrics.contains("tradewind_http_refused_total{code=\"overloaded\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn operators_have_a_door_of_their_own() {
    let config = Config { connections_max: 1, connections_spare: 1, operators_connections_max: 2, ..Config::default() };
    let server = Server::with_operators(config).await;
    let _sitting = sit(&server, 1, "127.0.0.1").await;
    let at = server.operators.unwrap();
    let ask = async |path: &str| {
        let mut client = Client::of(TcpStream::connect(at).await.unwrap());
        client.say(get(path)).await;
        client.hear().await.status
    };
    assert_eq!(ask("/health/ready").await, 200);
    assert_eq!((ask("/api/v1/status").await, ask("/metrics").await), (200, 200));
    assert_eq!((ask("/api/v1/products").await, ask("/docs").await), (404, 404));
    let server = Server::with_operators(Config::default()).await;
    let shop = async |path: &str| server.ask(get(path)).await.status;
    assert_eq!((shop("/api/v1/status").await, shop("/metrics").await), (404, 404));
    assert_eq!((shop("/api/v1/products").await, shop("/health/ready").await), (200, 200));
}
