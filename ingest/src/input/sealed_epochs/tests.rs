//! The places where a process may begin in a log whose front was deleted, and the sequencer from there.

use super::*;
use crate::input::sequencer;
use crate::input::sequencer::{Report, Sequencer};
use crate::log::journal::Journal;
use crate::log::{Partitions, journal};
use crate::testing::contract_tests::{append, text};
use crate::testing::{Bell, Disk, ManualClock, Random};
use dataflows::contract::epoch::Epoch;
use dataflows::contract::time::Timestamp;
use std::sync::Arc;

fn open(disk: &Disk) -> Arc<dyn Log> {
    let config = journal::JournalConfig { segment_bytes: 600, ..journal::JournalConfig::default() };
    Arc::new(Journal::open_on(Arc::new(disk.clone()), &Partitions::uniform(2), config).unwrap())
}

/// Forty epochs of a few commands, and the place after each; first the beginning.
fn history(log: &dyn Log, random: &mut Random) -> Vec<LogPosition> {
    let commands: Vec<TopicPartition> = log.partitions().covered().collect();
    let mut places = vec![LogPosition::default()];
    let mut epochs = Epochs::default();
    for _ in 0..40 {
        for _ in 0..random.below(6) {
            append(log, vec![(commands[random.below(commands.len())], text("some command"))]).unwrap();
        }
        let mut ends = log.ends().unwrap();
        ends.0.remove(&TopicPartition::EPOCHS.topic);
        let record = epochs.next_record(&ends, Timestamp::from_micros(epochs.now.micros() + 1));
        epochs.accept(&record).unwrap();
        let record = text(&serde_json::to_string(&record).unwrap());
        let origin = append(log, vec![(TopicPartition::EPOCHS, record)]).unwrap()[0];
        places.push(LogPosition { epochs: epochs.clone(), offset: origin.offset + 1 });
    }
    places
}

#[test]
fn a_process_begins_at_any_place_that_the_log_still_reaches_back_to() {
    for seed in 0..20 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let disk = Disk::default();
        let log = open(&disk);
        let places = history(&*log, &mut random);
        let kept = 10 + random.below(30);
        log.delete_before(&places[kept].floor()).unwrap();
        drop(log);
        let log = open(&disk);
        let starts = log.starts().unwrap();
        for (number, place) in places.iter().enumerate() {
            let floor = place.floor();
            let is_there = starts.iter().all(|(at, start)| floor.get(at).unwrap_or(0) >= start);
            assert!(is_there || number < kept, "the floor is kept");
            match SealedEpochs::read(&*log, place.clone()) {
                Ok(sealed) => {
                    assert!(is_there, "{number}");
                    assert_eq!((sealed.start(), sealed.end()), (place, places.last().unwrap()));
                }
                Err(Error::Deleted { at, asked, start }) => {
                    assert_eq!((asked, Some(start)), (floor.get(at).unwrap_or(0), starts.get(at)));
                    assert!(asked < start && !is_there, "{number}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        let error = SealedEpochs::read(&*log, LogPosition::default()).unwrap_err();
        assert!(
            error.is_fatal() && error.to_string().contains("the log no longer reaches back to offset 0 of"),
            "{error}"
        );
    }
}

#[test]
fn the_sequencer_goes_on_where_the_epochs_ended_before_the_deletion() {
    let disk = Disk::default();
    let log = open(&disk);
    let places = history(&*log, &mut Random::new(1));
    let last = places.last().unwrap();
    log.delete_before(&last.floor()).unwrap();
    drop(log);
    let log = open(&disk);
    let sealed = SealedEpochs::read(&*log, last.clone()).unwrap();
    let report = Report {
        clock_behind: Arc::new(|_| {}),
        stalled: Arc::new(|why| assert_eq!(why, None)),
        fatal: Arc::new(|error| panic!("{error}")),
    };
    let clock = Arc::new(ManualClock::default());
    clock.set(1_000_000);
    let config = sequencer::SequencerConfig {
        epoch_ms_min: 0,
        epoch_ms_max: 3_600_000,
        ..sequencer::SequencerConfig::default()
    };
    let sequencer = Sequencer::start(Arc::clone(&log), &sealed, clock, report, config).unwrap();
    let at = log.partitions().covered().next().unwrap();
    let origin = append(&*log, vec![(at, text("another command"))]).unwrap()[0];
    let bell = Bell::default();
    let mut follower = EpochFollower::new(&*log, last.clone()).unwrap();
    follower.wake(bell.waker());
    let mut closed = Vec::new();
    bell.until(|| {
        while follower.poll(10, &mut |record| closed.push(record)).unwrap() {}
        follower.epochs().cut.covers(origin).then_some(())
    });
    sequencer.stop();
    assert_eq!(closed[0].epoch, Epoch(41));
    // The next floor is one that the sequencer itself has closed.
    let place = LogPosition { epochs: follower.epochs().clone(), offset: follower.place.offset };
    log.delete_before(&place.floor()).unwrap();
    assert_eq!(SealedEpochs::read(&*log, place.clone()).unwrap().end(), &place);
}
