//! Producers that number their batches, as they are known, forgotten, and unknown after a restart. Not for what Kafka's own
//! clients make of the answers: see tests/process/listener.

use super::protocol::{Client, ORDERS, batch, produce, produced};
use super::*;
use crate::testing::contract_tests::{append, text};
use dataflows::contract::epoch::Cut;
use kafka_protocol::messages::InitProducerIdRequest;

const NAME: &str = "test.orders.commands";

fn number(client: &mut Client) -> i64 {
    client.ask(4, &InitProducerIdRequest::default().with_transactional_id(None)).producer_id.0
}

#[test]
fn a_producer_continues_after_a_restart_with_any_sequence() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    let mut client = Client::of(&served);
    let id = number(&mut client);
    assert_eq!(produced(&mut client, &produce(NAME, 1, batch(&["a", "b"], (id, 0, 0)))), (0, 0));
    assert_eq!(produced(&mut client, &produce(NAME, 1, batch(&["c"], (id, 0, 2)))), (0, 2));
    let again = served.again();
    let mut client = Client::of(&again);
    let mut send = |values: &[&str], first| produced(&mut client, &produce(NAME, 1, batch(values, (id, 0, first))));
    assert_eq!(send(&["d", "e"], 3), (0, 3), "it is not known, and begins where it was");
    assert_eq!(send(&["d", "e"], 3), (0, 3), "now it is known");
    assert_eq!(send(&["g"], 6).0, error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(send(&["f"], 5), (0, 5));
    assert_eq!(served.inputs.ends().unwrap().get(ORDERS), Some(6));
    assert_ne!(number(&mut client), id, "no number comes again");
}

#[test]
fn an_error_says_where_the_partition_begins() {
    let served = TestListener::start(Access::Client, ListenerConfig::default());
    for _ in 0..40 {
        append(&*served.inputs, vec![(ORDERS, text(&"x".repeat(1_000)))]).unwrap();
    }
    let mut floor = Cut::default();
    floor.set(ORDERS, 30);
    served.inputs.delete_before(&floor).unwrap();
    let start = served.inputs.starts().unwrap().get(ORDERS).unwrap();
    assert!(start > 0);
    let mut client = Client::of(&served);
    let mut send = |first| {
        let answer = client.ask(9, &produce(NAME, 1, batch(&["a"], (7, 0, first))));
        let partition = &answer.responses[0].partition_responses[0];
        (partition.error_code, partition.log_start_offset.cast_unsigned())
    };
    assert_eq!(send(5), (error_code::NONE, start));
    assert_eq!(send(9), (error_code::OUT_OF_ORDER_SEQUENCE_NUMBER, start));
}

#[test]
fn asking_for_numbers_forgets_nobody() {
    let served = TestListener::start(Access::Client, ListenerConfig { producers_max: 2, ..ListenerConfig::default() });
    let mut client = Client::of(&served);
    let id = number(&mut client);
    assert_eq!(produced(&mut client, &produce(NAME, 1, batch(&["a"], (id, 0, 0)))), (0, 0));
    for _ in 0..10 {
        number(&mut client);
    }
    assert_eq!(produced(&mut client, &produce(NAME, 1, batch(&["a"], (id, 0, 0)))), (0, 0), "it is still known");
    for (other, offset) in [(1, 1), (2, 2)] {
        assert_eq!(produced(&mut client, &produce(NAME, 1, batch(&["b"], (other, 0, 0)))), (0, offset));
    }
    assert_eq!(produced(&mut client, &produce(NAME, 1, batch(&["a"], (id, 0, 0)))), (0, 3), "it was forgotten");
}
