//! Clients that are gone while they wait, and clients that are slow: no other waits for them. Not for what is answered.

use super::groups::{joining, name};
use super::protocol::{Client, batch, fetch, fetched, framed, produce, produced};
use super::*;
use std::time::Instant;

const NAME: &str = "test.orders.commands";
/// A wait that would fail a test: what is waited for comes within a second or two.
const LONG_MS: i32 = 60_000;

/// A client that comes now is answered, although all places were taken.
fn assert_served(served: &TestListener) {
    let begun = Instant::now();
    let mut other = Client::of(served);
    assert_eq!(fetched(&mut other, &fetch(NAME, 1, 0, 0)).0, error_code::NONE);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_client_that_is_gone_while_it_waits_for_its_group_gives_its_place_free() {
    let served =
        TestListener::start(Access::Client, ListenerConfig { connections_max: 4, ..ListenerConfig::default() });
    let mut leader = Client::of(&served);
    let first = name(&mut leader);
    assert_eq!(leader.ask(4, &joining(&first)).error_code, error_code::NONE);
    // The leader is to join again, and does not: the others wait as long as it may take for that.
    for _ in 0..3 {
        let mut client = Client::of(&served);
        let member = name(&mut client);
        client.send(&framed(4, &joining(&member).with_session_timeout_ms(LONG_MS).with_rebalance_timeout_ms(LONG_MS)));
        // The bytes that it sent after that are not read before it is answered.
        client.send(&framed(9, &fetch(NAME, 1, 0, 0))[..20]);
    }
    assert_served(&served);
}

#[test]
fn a_client_that_is_gone_while_it_waits_for_records_gives_its_place_free() {
    let config = ListenerConfig { connections_max: 2, fetch_wait_ms_max: 600_000, ..ListenerConfig::default() };
    let served = TestListener::start(Access::Client, config);
    for _ in 0..2 {
        Client::of(&served).send(&framed(12, &fetch(NAME, 1, 0, 600_000)));
    }
    assert_served(&served);
}

#[test]
fn a_large_request_that_does_not_come_holds_up_nobody_else() {
    let config = ListenerConfig { requests_bytes_max: 300_000, request_ms_max: 600_000, ..ListenerConfig::default() };
    let served = TestListener::start(Access::Client, config);
    let large = "x".repeat(250_000);
    let good = framed(9, &produce(NAME, 1, batch(&[large.as_str()], (-1, -1, -1))));
    let mut slow: Vec<Client> = (0..3).map(|_| Client::of(&served)).collect();
    // A client that only announces a large one holds nothing; one that sent a part is sent away when others wait.
    slow[0].send(&good[..4]);
    slow[1].send(&good[..100_000]);
    slow[2].send(&good[..100_000]);
    let mut other = Client::of(&served);
    let begun = Instant::now();
    assert_eq!(produced(&mut other, &produce(NAME, 1, batch(&[large.as_str()], (-1, -1, -1)))), (0, 0));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(slow[1].answer(), None, "it was sent away");
    slow[0].send(&good[4..]);
    assert!(slow[0].answer().is_some(), "it was not");
}

#[test]
fn a_client_that_does_not_take_its_answer_holds_up_nobody_else() {
    let config = ListenerConfig { answers_bytes_max: 2_500_000, write_ms_max: 600_000, ..ListenerConfig::default() };
    let served = TestListener::start(Access::Client, config);
    let mut other = Client::of(&served);
    let large = "x".repeat(1_000_000);
    for offset in 0..8 {
        assert_eq!(produced(&mut other, &produce(NAME, 1, batch(&[large.as_str()], (-1, -1, -1)))), (0, offset));
    }
    let mut slow = Client::of(&served);
    // More than fits into the buffers of the system.
    for _ in 0..80 {
        slow.send(&framed(12, &fetch(NAME, 1, 0, 0)));
    }
    // A client that comes later gets its answer all the same, in the end at once.
    let begun = Instant::now();
    for _ in 0..8 {
        assert_eq!(fetched(&mut other, &fetch(NAME, 1, 0, 0)).0, error_code::NONE);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
