//! A node that is told to stop: in good order, whatever it does just then; and at once, if it is told twice.

use super::super::kills::{Oracle, Publisher, publish_until};
use super::super::{TestEnv, Way, shop};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn under_load_it_drains_and_loses_nothing() {
    let mut env = TestEnv::start();
    let mut oracle = Oracle::opening(&env);
    let mut publishers: Vec<_> = (0..4).map(Publisher::new).collect();
    for round in 1..=3 {
        let (acknowledged, seen) = publish_until(&env.client(), &mut publishers, 20 * round, || {
            let ended = env.stop();
            assert!(ended.stderr.contains("stopping"), "{}", ended.stderr);
        });
        assert!(acknowledged >= 20 * round);
        oracle.saw(seen);
        env.restart(&Way::default());
        oracle.check(&env, &mut publishers);
    }
}

/// An order of which the node has the head and a part of the body.
struct Half {
    socket: TcpStream,
    rest: Vec<u8>,
}

impl Half {
    fn order(env: &TestEnv, id: &str) -> Half {
        let body = shop::order("A", 1).to_string().into_bytes();
        let address = env.base().trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).expect("the node listens");
        let head = format!(
            "POST /api/v1/orders HTTP/1.1\r\nhost: {address}\r\nidempotency-key: {id}\r\nprefer: wait=30\r\n\
             content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).expect("the node reads");
        // It says so when it begins with the body: then it has the request.
        let mut told = [0; 25];
        socket.read_exact(&mut told).expect("the node answers");
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        let (some, rest) = body.split_at(10);
        socket.write_all(some).expect("the node reads");
        Half { socket, rest: rest.to_vec() }
    }
}

#[test]
fn a_request_that_has_begun_is_answered() {
    let mut env = TestEnv::start();
    shop::stock(&env, "A", "reserve", 5);
    let Half { mut socket, rest } = Half::order(&env, "late");
    env.program().signal("TERM");
    env.program().said("stopping; once more").expect("it says that it stops");
    socket.write_all(&rest).expect("the node reads on");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("the node answers, and closes the connection");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let ended = env.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    env.restart(&Way::default());
    assert_eq!(env.get("/api/v1/orders/late").ok().json()["status"], "paid");
}

#[test]
fn told_twice_it_ends_at_once() {
    let variables = vec![("TRADEWIND_SERVING_DRAIN_S_MAX", "600".to_owned())];
    let mut env = TestEnv::start_as(&Way { variables, ..Way::default() });
    shop::stock(&env, "A", "reserve", 5);
    // Something that it would wait for.
    let half = Half::order(&env, "never");
    env.program().signal("INT");
    env.program().said("stopping; once more").expect("it says that it stops");
    env.program().signal("TERM");
    let ended = env.ended();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    drop(half);
    env.restart(&Way::default());
    assert_eq!(env.get("/api/v1/orders/never").problem(), (404, "not_found".to_owned()));
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 5);
}

#[test]
fn told_while_it_starts_it_stops_in_good_order() {
    let mut env = TestEnv::start();
    shop::stock(&env, "A", "reserve", 5);
    env.call("POST", "/api/v1/checkpoints", &[], "").expect(201);
    env.kill();
    env.begin(&Way::default());
    env.program().said("reading the checkpoint of epoch").expect("it begins with that");
    env.stop();
    env.restart(&Way::default());
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 5);
}
