//! The refusals before a route sees a request, over a socket: by its framing, host, origin, size and type. And
//! the headers of every answer, refusals too.

use super::client::{Server, TestResponse, get, post};
use crate::Config;

const JSON: &str = "content-type: application/json\r\n";
const PLAIN: &str = "content-type: text/plain\r\n";

async fn server() -> Server {
    Server::start(Config::default()).await
}

/// A page's request.
fn page(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")
}

/// The headers of every answer.
fn assert_said(said: &TestResponse) {
    let expected = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in expected {
        assert_eq!(said.header(name), Some(value), "{said:?}");
    }
}

#[tokio::test]
async fn a_good_request_follows_each_refusal_whose_body_came_late() {
    let server = server().await;
    let refused = [
        ("/api/v1/orders", PLAIN, 415),
        ("/api/v1/orders", "", 415),
        ("/api/v1/nowhere", JSON, 404),
        ("/health/live", JSON, 405),
        ("/api/v1/orders", "content-type: application/json\r\nidempotency-key: \r\n", 400),
        ("/api/v1/products/%ff", JSON, 405),
        ("/api/v1/stock/%ff/movements", JSON, 400),
        ("/api/v1/orders", "content-type: application/json\r\norigin: https://evil.example.com\r\n", 403),
    ];
    for (path, headers, status) in refused {
        let mut client = server.connect().await;
        let request = post(path, headers, &"x".repeat(1_000));
        let (head, body) = request.split_at(request.len() - 1_000);
        client.say(head).await;
        // By then the refusal is known.
        assert_eq!(server.ask(get("/health/live")).await.status, 200);
        client.say(body).await;
        let said = client.hear().await;
        assert_eq!((said.status, said.closes()), (status, false), "{said:?}");
        client
            .say(page("PUT", "/api/v1/policy", "content-type: application/json\r\ncontent-length: 2\r\n") + "{}")
            .await;
        assert_eq!(client.hear().await.status, 200, "after {path} {headers}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_late_closes_the_connection_with_a_word() {
    let server = Server::start(Config { unread_ms_max: 20, ..Config::default() }).await;
    let mut client = server.connect().await;
    let head = |bytes: usize| page("POST", "/api/v1/orders", &format!("{JSON}content-length: {bytes}\r\n"));
    client.say(head(9 << 20)).await;
    let said = client.hear().await;
    assert_eq!((said.problem(), said.closes()), ((413, "too_large".to_owned()), true));
    // A client that sends all of it before it reads is answered all the same.
    let mut client = server.connect().await;
    client.say(head(9 << 20) + &"x".repeat(9 << 20)).await;
    assert_eq!(client.hear().await.status, 413);
    assert_eq!(client.closed().await, "");
    let mut late = server.connect().await;
    late.say(page("POST", "/api/v1/orders", "content-length: 5\r\n")).await;
    let said = late.hear().await;
    assert_eq!((said.status, said.closes()), (415, true));
    // A client that asks before it sends is answered, and need not send.
    let mut asks = server.connect().await;
    asks.say(page("POST", "/api/v1/orders", &format!("{PLAIN}content-length: 5\r\nexpect: 100-continue\r\n"))).await;
    let said = asks.hear().await;
    assert_eq!((said.status, said.closes()), (415, true));
    let mut asks = server.connect().await;
    asks.say(page("POST", "/api/v1/orders", &format!("{JSON}content-length: 2\r\nexpect: 100-continue\r\n"))).await;
    assert_eq!(asks.hear().await.status, 100);
    asks.say("{}").await;
    assert_eq!(asks.hear().await.status, 422);
}

#[tokio::test]
async fn chunks_beyond_the_limit_are_too_large() {
    let server = Server::start(Config { body_bytes_max: 1_000, ..Config::default() }).await;
    let body = format!("{:x}\r\n{}\r\n0\r\n\r\n", 1_001, "x".repeat(1_001));
    let mut client = server.connect().await;
    client.say(page("POST", "/api/v1/orders", &format!("{JSON}transfer-encoding: chunked\r\n")) + &body).await;
    let said = client.hear().await;
    assert_eq!((said.problem(), said.closes()), ((413, "too_large".to_owned()), false));
    client.say(get("/health/live")).await;
    assert_eq!(client.hear().await.status, 200);
}

#[tokio::test]
async fn heads_that_are_not_framed_without_doubt_are_refused_and_the_connection_is_closed() {
    let server = server().await;
    let bad = [
        "GET /health/live HTTP/1.1\nhost: localhost\n\n",
        "GET /health/live HTTP/1.1\r\nhost: localhost\n\r\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.0\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
        "POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}hello\r\n\r\n",
    ];
    for bytes in bad {
        let mut client = server.connect().await;
        client.say(format!("{}{bytes}{}", get("/health/live"), get("/health/live"))).await;
        assert_eq!(client.hear().await.status, 200);
        let said = client.hear().await;
        assert_eq!((said.problem(), said.closes()), ((400, "malformed".to_owned()), true), "{bytes:?}");
        assert_said(&said);
        assert_eq!(client.closed().await, "", "{bytes:?}");
    }
}

#[tokio::test]
async fn heads_and_targets_that_are_too_long_are_refused_and_the_connection_is_closed() {
    let server = server().await;
    let target = |bytes: usize, host: &str| format!("GET /{} HTTP/1.1\r\nhost: {host}\r\n\r\n", "x".repeat(bytes - 1));
    let field =
        |bytes: usize, host: &str| format!("GET /docs HTTP/1.1\r\nhost: {host}\r\nx: {}\r\n\r\n", "x".repeat(bytes));
    let fields = |count: usize| page("GET", "/health/live", &"x: y\r\n".repeat(count - 1));
    assert_eq!(server.ask(target(8 << 10, "localhost")).await.status, 404);
    assert_eq!(server.ask(field(32_000, "localhost")).await.status, 200);
    assert_eq!(server.ask(fields(100)).await.status, 200);
    let long = [
        (target((8 << 10) + 1, "localhost"), (414, "uri_too_long")),
        (target(100 << 10, "localhost"), (414, "uri_too_long")),
        (field(33 << 10, "localhost"), (431, "headers_too_large")),
        (field(100 << 10, "localhost"), (431, "headers_too_large")),
        (fields(101), (431, "headers_too_large")),
        // The host is looked at before.
        (target(9 << 10, "evil.example.com"), (421, "misdirected")),
        (field(33 << 10, "evil.example.com"), (421, "misdirected")),
    ];
    for (request, (status, code)) in long {
        let mut client = server.connect().await;
        client.say(&request).await;
        let said = client.hear().await;
        assert_eq!((said.problem(), said.closes()), ((status, code.to_owned()), true), "{}", request.len());
        assert_said(&said);
        assert_eq!(client.closed().await, "");
    }
}

#[tokio::test]
async fn other_hosts_are_misdirected_but_for_probes() {
    let server = server().await;
    let asked = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: evil.example.com\r\n\r\n");
    for path in ["/api/v1/products", "/docs", "/nowhere", "/healthy"] {
        assert_eq!(server.ask(asked(path)).await.problem(), (421, "misdirected".to_owned()), "{path}");
    }
    for path in ["/health/live", "/metrics"] {
        assert_eq!(server.ask(asked(path)).await.status, 200);
    }
    let own = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n", server.at);
    assert_eq!(server.ask(own).await.status, 200);
}

#[tokio::test]
async fn the_first_reason_in_the_contracts_order_wins() {
    let server = server().await;
    let evil = "origin: https://evil.example.com\r\n";
    let post = |host: &str, path: &str, headers: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: 1\r\n\r\nx")
    };
    let orders = "/api/v1/orders";
    let cases = [
        (post("evil", orders, evil), 421),
        (post("localhost", orders, &format!("{evil}{PLAIN}")), 403),
        (post("localhost", "/nowhere", evil), 403),
        (post("localhost", "/nowhere", PLAIN), 415),
        (post("localhost", "/health/live", PLAIN), 415),
        (post("localhost", "/nowhere", JSON), 404),
        (post("localhost", "/health/live", JSON), 405),
        (page("POST", orders, "content-length: 9000000\r\n"), 413),
        (page("POST", orders, &format!("{JSON}content-length: 1048577\r\n")), 413),
        (page("POST", "/api/v1/commands", &format!("{PLAIN}content-length: 8388609\r\n")), 413),
        (post("localhost", orders, JSON), 400),
    ];
    for (request, status) in cases {
        let said = server.ask(&request).await;
        assert_eq!(said.status, status, "{request} {said:?}");
        assert_said(&said);
    }
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing_and_those_listed_read() {
    let shop = "https://shop.example.com";
    let server = Server::start(Config { cors_origins: vec![shop.to_owned()], ..Config::default() }).await;
    let put = |headers: &str| page("PUT", "/api/v1/policy", &format!("{JSON}content-length: 2\r\n{headers}")) + "{}";
    for headers in ["origin: null\r\n", "origin: https://evil.example.com\r\n", "sec-fetch-site: cross-site\r\n"] {
        let said = server.ask(put(headers)).await;
        assert_eq!(said.problem(), (403, "origin_refused".to_owned()));
        assert_eq!(said.header("access-control-allow-origin"), None);
    }
    let listed = format!("origin: {shop}\r\nsec-fetch-site: cross-site\r\n");
    for headers in ["", "origin: http://localhost\r\n", "sec-fetch-site: same-origin\r\n", &listed] {
        assert_eq!(server.ask(put(headers)).await.status, 200, "{headers}");
    }
    let read = server.ask(page("GET", "/api/v1/products", &listed)).await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (200, Some(shop)));
    assert_eq!(read.header("vary"), Some("origin"));
    let asks = format!("{listed}access-control-request-method: PUT\r\n");
    let told = server.ask(page("OPTIONS", "/api/v1/policy", &asks)).await;
    assert_eq!((told.status, told.header("access-control-max-age")), (204, Some("600")));
    assert_eq!(told.header("access-control-allow-origin"), Some(shop));
    assert_said(&told);
    let evil = "origin: https://evil.example.com\r\naccess-control-request-method: PUT\r\n";
    assert_eq!(server.ask(page("OPTIONS", "/api/v1/policy", evil)).await.status, 403);
    assert_eq!(server.ask(page("OPTIONS", "/api/v1/policy", "")).await.status, 405);
}

#[tokio::test]
async fn trace_and_connect_are_taken_nowhere() {
    let server = server().await;
    for request in [page("TRACE", "/health/live", ""), page("CONNECT", "localhost:80", "")] {
        let said = server.ask(request).await;
        assert_eq!(said.problem(), (405, "method_not_allowed".to_owned()));
        assert_said(&said);
    }
    assert_said(&server.ask(get("/api/v1/products")).await);
}
