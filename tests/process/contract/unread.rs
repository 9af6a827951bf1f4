//! Bodies that cannot be read, of other types, or packed; and answers that are packed.

use crate::process::TestEnv;
use crate::process::shop::{order, received, stock};
use flate2::read::GzDecoder;
use std::io::Read;

const MOVEMENTS: &str = "/api/v1/stock/A/movements";

#[test]
fn what_is_no_json_object_is_malformed() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 1);
    let bodies: [&[u8]; 13] = [
        b" ",
        b"{",
        b"}",
        b"null",
        b"[]",
        b"\"text\"",
        b"7",
        b"{} {}",
        br#"{"quantity":1,"quantity":1,"reason":"received"}"#,
        br#"{"quantity":1,"reason":"received","extra":{"a":1,"\u0061":2}}"#,
        b"{\"quantity\":1,\"reason\":\"received\",\"reference\":\"\xff\"}",
        br#"{"quantity":1,"reason":"received",}"#,
        br#"{quantity:1,"reason":"received"}"#,
    ];
    for body in bodies {
        let answer = env.call("POST", MOVEMENTS, &[("idempotency-key", "k")], body);
        assert_eq!(answer.problem(), (400, "malformed".to_owned()), "{}", String::from_utf8_lossy(body));
    }
    let nothing = env.call("POST", MOVEMENTS, &[("idempotency-key", "k")], "");
    assert_eq!(nothing.problem(), (400, "malformed".to_owned()));
    let path = env.get("/api/v1/stock/%FF");
    assert_eq!(path.problem(), (400, "malformed".to_owned()));
    // The id is still unused.
    env.post(MOVEMENTS, "k", &received(1)).expect(201);
}

#[test]
fn a_body_is_json_and_not_packed() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 1);
    let send = |name: &str, value: &str| env.call("POST", MOVEMENTS, &[(name, value)], received(1).to_string());
    for content_type in ["text/plain", "application/x-ndjson", "application/x-www-form-urlencoded", "application/jsonp"]
    {
        let answer = send("content-type", content_type);
        assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()), "{content_type}");
    }
    assert_eq!(send("content-encoding", "gzip").problem(), (415, "unsupported_media_type".to_owned()));
    for content_type in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
        send("content-type", content_type).expect(201);
    }
}

#[test]
fn a_body_has_a_limit() {
    let env = TestEnv::start();
    stock(&env, "A", "reserve", 1);
    let padded = |bytes: usize| {
        let body = received(1).to_string();
        let padding = " ".repeat(bytes - body.len());
        env.call("POST", MOVEMENTS, &[], body + &padding)
    };
    padded(1 << 20).expect(201);
    assert_eq!(padded((1 << 20) + 1).problem(), (413, "too_large".to_owned()));
}

#[test]
fn answers_are_packed_for_who_takes_that() {
    let env = TestEnv::start();
    stock(&env, "A", "track_only", 1);
    for n in 0..20 {
        env.post("/api/v1/orders", &format!("k{n}"), &order("A", 1)).expect(201);
    }
    let path = format!("/api/v1/views/orders?as_of={}", env.get("/api/v1/views").ok().epoch());
    let plain = env.get(&path).ok();
    assert_eq!(plain.header("content-encoding"), "");
    let packed = env.get_with(&path, &[("accept-encoding", "gzip")]).ok();
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() < plain.body.len() / 2);
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).expect("it is gzip");
    assert_eq!(unpacked, plain.body);
    let packed = env.get_with(&path, &[("accept-encoding", "br")]).ok();
    assert_eq!(packed.header("content-encoding"), "br");
    assert!(packed.body.len() < plain.body.len() / 2);
}
