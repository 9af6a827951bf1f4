//! A log that takes no more for now: said so, nothing lost, and it continues by itself.

use crate::process::shop::{product, received, stock};
use crate::process::{Api, TestEnv, Way, at_once};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// A node with some variables.
fn node(variables: &[(&'static str, &str)]) -> TestEnv {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    TestEnv::start_as(&Way { variables, ..Way::default() })
}

/// A movement with something to carry.
fn line(n: usize, bytes: usize) -> String {
    let data = json!({"sku": "A", "quantity": 1, "reason": "received", "reference": "x".repeat(bytes)});
    format!("{}\n", json!({"id": format!("k{n}"), "type": "MoveStock", "data": data}))
}

#[test]
fn too_many_at_once_are_told_to_come_again() {
    const AT_ONCE: usize = 32;
    let env = node(&[("TRADEWIND_LOG_COMMANDS_WAITING_MAX", "1")]);
    stock(&env, "A", "reserve", 1);
    let apis: Vec<Api> = (0..AT_ONCE).map(|_| env.client()).collect();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..20 {
        let answers =
            at_once(&apis, |n, api| api.post("/api/v1/stock/A/movements", &format!("k{round}-{n}"), &received(1)));
        for answer in answers {
            if answer.status == 201 {
                taken += 1;
            } else {
                assert_eq!(answer.problem(), (503, "overloaded".to_owned()));
                refused += 1;
            }
        }
        if refused > 0 {
            break;
        }
    }
    assert!(refused > 0 && taken > 0, "{taken} taken, {refused} refused");
    // Who was refused left nothing behind.
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 1 + taken);
}

#[test]
fn what_the_log_does_not_take_is_said_to_be_so() {
    let env = node(&[("TRADEWIND_LOG_APPEND_BYTES_MAX", "1048576")]);
    stock(&env, "A", "reserve", 1);
    let lines: String = (0..20).map(|n| line(n, 90_000)).collect();
    let answer = env.call("POST", "/api/v1/commands", &[("content-type", "application/x-ndjson")], lines);
    assert_eq!(answer.problem(), (503, "log_unavailable".to_owned()));
    assert_eq!(env.get("/api/v1/operations/k0").status, 404);
    env.post("/api/v1/stock/A/movements", "k1", &received(1)).expect(201);
}

#[test]
fn a_full_disk_is_said_to_be_full_and_loses_nothing() {
    // A file that may not grow is then an error, and not the end of the process.
    let shell = Some("trap '' XFSZ; exec \"$0\" \"$@\"".to_owned());
    let mut env = TestEnv::start_as(&Way { shell, ..Way::default() });
    stock(&env, "A", "reserve", 1);
    bound_files(&env, "65536");
    let post = |n: usize, wait: &str| {
        let key = format!("k{n}");
        let movement = json!({"quantity": 1, "reason": "received", "reference": "\u{10348}".repeat(256)});
        env.call(
            "POST",
            "/api/v1/stock/A/movements",
            &[("idempotency-key", &key), ("prefer", wait)],
            movement.to_string(),
        )
    };
    let (mut taken, mut decided_at_once) = (0, 0);
    let full = loop {
        let answer = post(taken, "wait=2");
        match answer.status {
            201 => decided_at_once += 1,
            // It fits into the log, and the record of its epoch does not.
            202 => {}
            _ => break answer,
        }
        taken += 1;
        assert!(taken < 1_000, "the disk does not fill");
    };
    assert_eq!(full.problem(), (503, "storage_full".to_owned()));
    // The probe says so, and says when it is over: the next epoch is tried within seconds.
    env.until_ready(false);
    // What can be read still is.
    assert_eq!(env.get("/api/v1/stock/A").ok().json()["on_hand"], 1 + decided_at_once);
    bound_files(&env, "unlimited");
    env.until_ready(true);
    // The same command again, now that there is room.
    let again = post(taken, "wait=30").expect(201);
    assert_eq!((again.json()["on_hand"].as_u64(), again.header("idempotent-replayed")), (Some(2 + taken as u64), ""));
    assert_eq!(env.decided(&format!("k{taken}")).json()["status"], "succeeded");
    let digests = env.digests();
    env.kill();
    env.restart(&Way::default());
    assert_eq!(env.digests(), digests);
    env.command("PUT", "/api/v1/products/B", "p", &product("reserve", &["B"])).expect(201);
}

/// Bounds the size of the node's files, as a disk would.
fn bound_files(env: &TestEnv, bytes: &str) {
    let id = env.program().id().to_string();
    let bounded = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={bytes}:unlimited")]).status();
    assert!(bounded.expect("util-linux is installed").success());
}

/// A connection of the test's own, kept open.
fn ask(socket: &mut TcpStream, method: &str, path: &str, body: &str) -> String {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        socket.peer_addr().expect("it is connected"),
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("the node reads");
    let (mut answer, mut piece) = (String::new(), [0; 4_096]);
    loop {
        let read = socket.read(&mut piece).expect("the node answers");
        answer.push_str(&String::from_utf8_lossy(&piece[..read]));
        let whole = answer.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            length.is_none_or(|length: usize| body.len() >= length)
        });
        if whole || read == 0 {
            return answer;
        }
    }
}

#[test]
fn idle_connections_leave_the_log_its_files() {
    let shell = Some("ulimit -n 700; exec \"$0\" \"$@\"".to_owned());
    let env = TestEnv::start_as(&Way { shell, ..Way::default() });
    stock(&env, "A", "reserve", 1);
    let ready = env.get("/health/ready").json();
    let http = env.program().said("ready at http://").expect("it says where");
    let mut own = TcpStream::connect(&http).expect("there is room");
    assert!(ask(&mut own, "GET", "/health/live", "").starts_with("HTTP/1.1 200"));
    // As many as would take all files there are, twice.
    let kafka = ready["kafka"].as_str().expect("it listens").to_owned();
    let connect = |at: &str| {
        // Where the queue of the listener is full as well, nobody answers.
        let at = at.parse().expect("an address");
        TcpStream::connect_timeout(&at, Duration::from_millis(500)).ok()
    };
    let fill = |at| std::iter::repeat_n(at, 700).map_while(connect);
    let idle: Vec<_> = [http.as_str(), kafka.as_str()].into_iter().flat_map(fill).collect();
    assert!(idle.len() > 300, "{}", idle.len());
    for n in 0..20 {
        let movement = json!({"quantity": 1, "reason": "received", "reference": format!("r{n}")});
        let answer = ask(&mut own, "POST", "/api/v1/stock/A/movements", &movement.to_string());
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
    let answer = ask(&mut own, "POST", "/api/v1/checkpoints", "");
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    let open = std::fs::read_dir(format!("/proc/{}/fd", env.program().id())).map_or(0, Iterator::count);
    assert!(open <= 700 - 64, "{open} files are open");
    drop(idle);
}
