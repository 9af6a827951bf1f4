//! Brokers that go and come back.

use super::*;
use crate::testing::{Bell, Random};
use crate::{Clock, WallClock};
use dataflows::ports::AppendError;
use std::collections::BTreeMap;
use std::sync::mpsc;

const PROGRESS: TopicPartition = TopicPartition::new(Topic::Progress, 0);

/// While the only broker is away, everything reports it and nothing hangs; when it is back, everything resumes by
/// itself, and what was acknowledged is there once.
#[test]
fn a_broker_that_is_away_is_told_and_the_log_goes_on_when_it_is_back() {
    let Some(broker) = Broker::start() else { return };
    let config =
        KafkaConfig { append_ms_max: 4_000, answer_ms_max: 2_000, waiting_records_max: 50, ..super::config(&broker) };
    Topics::open(&config, LAYOUT).unwrap().create().unwrap();
    // A broker that has only just started takes its time.
    let log = until("the log", || opened(&config).ok());
    let (bell, mut found) = (Bell::default(), Vec::new());
    let mut reader = log.reader(&beginning(&log)).unwrap();
    reader.wake(bell.waker());
    let outputs = Partitions::outputs(contract_tests::PARTITIONS);
    let waits = KafkaLog::open(KafkaConfig { gives_up: false, ..config.clone() }, &outputs).unwrap();
    let mut acknowledged = BTreeMap::new();
    for number in 0..20 {
        let value = number.to_string();
        let origin = until("an acknowledgement", || append(&log, vec![(ORDERS, text(&value))]).ok())[0];
        acknowledged.insert(origin.offset, value);
    }

    broker.kill();
    let (tell_late, late) = mpsc::sync_channel(1);
    waits.append(vec![(PROGRESS, text("late"))], Box::new(move |result| drop(tell_late.send(result))));
    assert!(matches!(log.ends(), Err(Error::Unavailable(_))));
    assert!(matches!(log.starts(), Err(Error::Unavailable(_))));
    assert!(matches!(log.reader(&beginning(&log)), Err(Error::Unavailable(_))));
    let refused = append(&log, vec![(ORDERS, text("away"))]);
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    let error = opened(&config).err().unwrap();
    assert!(!error.is_fatal() && error.to_string().contains("refused"), "it says why: {error}");
    // Waiting appends are bounded, and all of them are answered.
    let (tell, told) = mpsc::sync_channel(100);
    for _ in 0..60 {
        let tell = tell.clone();
        log.append(vec![(ORDERS, text("waits"))], Box::new(move |result| drop(tell.send(result))));
    }
    let results: Vec<_> = (0..60).map(|_| told.recv_timeout(LONGEST).unwrap().unwrap_err()).collect();
    assert_eq!(results.iter().filter(|error| **error == AppendError::Overloaded).count(), 10);
    // The others gave up twice meanwhile.
    assert!(late.try_recv().is_err(), "what does not give up is not answered yet");

    broker.restart();
    assert_eq!(late.recv_timeout(LONGEST).unwrap().unwrap()[0].topic_partition(), PROGRESS);
    for number in 20..40 {
        let value = number.to_string();
        let origin = until("an acknowledgement", || append(&log, vec![(ORDERS, text(&value))]).ok())[0];
        acknowledged.insert(origin.offset, value);
    }
    let ends = log.ends().unwrap();
    bell.until(|| {
        reader.poll(LIMIT, &mut found).unwrap();
        (reader.position(ORDERS) >= ends.get(ORDERS)).then_some(())
    });
    let read: BTreeMap<u64, String> = found.iter().map(|read| read.origin.offset).zip(values(&found)).collect();
    assert_eq!(read.len(), found.len(), "no offset twice");
    for (offset, value) in acknowledged {
        assert_eq!(read.get(&offset), Some(&value));
    }
}

/// The broker is killed again and again under many appends: each acknowledged record is there exactly once, where its
/// acknowledgement said, and in order; one that failed is there at most once. They are of now, and wait longer than a
/// broker takes to come back: otherwise some may come twice, see `publisher`.
#[test]
fn no_acknowledged_record_is_lost_or_doubled_when_the_broker_dies() {
    let Some(broker) = Broker::start() else { return };
    let config = KafkaConfig { append_ms_max: 120_000, ..super::config(&broker) };
    let log = Arc::new(made(&config));
    let mut random = Random::new(5);
    let (tell, told) = mpsc::sync_channel(100_000);
    let (mut sent, mut results) = (0_u32, BTreeMap::new());
    let timestamp_ms = WallClock.now().micros().div_euclid(1000);
    let mut send = |log: &KafkaLog, count: usize| {
        for _ in 0..count {
            let (number, tell) = (sent, tell.clone());
            let at = TopicPartition::new(Topic::Orders, number % 3);
            log.append(
                vec![(at, Record { timestamp_ms, ..text(&number.to_string()) })],
                Box::new(move |result| drop(tell.send((number, result)))),
            );
            sent += 1;
        }
        sent
    };
    for _ in 0..3 {
        send(&log, 200);
        for _ in 0..random.below(150) {
            let (number, result) = told.recv_timeout(LONGEST).unwrap();
            results.insert(number, result);
        }
        broker.kill();
        send(&log, 100);
        broker.restart();
    }
    let sent = send(&log, 100);
    while results.len() < sent as usize {
        let (number, result) = told.recv_timeout(LONGEST).unwrap();
        results.insert(number, result);
    }
    let read = read_to(&mut *log.reader(&beginning(&*log)).unwrap(), &log.ends().unwrap());
    let mut places: BTreeMap<u32, Vec<(TopicPartition, u64)>> = BTreeMap::new();
    for (at, records) in by_partition(&read) {
        let mut last = None;
        for (offset, record) in records {
            let number = std::str::from_utf8(record.value.as_deref().unwrap()).unwrap().parse().unwrap();
            assert!(last.replace(number) < Some(number), "record {number} is behind a later one");
            places.entry(number).or_default().push((at, offset));
        }
    }
    let mut acknowledged = 0;
    for (number, result) in results {
        let found = places.remove(&number).unwrap_or_default();
        match result {
            Ok(origins) => {
                acknowledged += 1;
                assert_eq!(found, [(origins[0].topic_partition(), origins[0].offset)], "record {number}");
            }
            Err(error) => assert!(found.len() <= 1, "record {number} failed with {error} and is there {found:?}"),
        }
    }
    assert!(acknowledged >= 300, "{acknowledged} of {sent} were acknowledged");
}
