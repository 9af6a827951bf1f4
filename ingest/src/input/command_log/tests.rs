//! Publishing on a journal, and on a log that does not answer.

use super::*;
use crate::log::journal::Journal;
use crate::log::{CutLimit, LogReader, Partitions, Record, Watch, Watchers, journal, lock};
use crate::testing::contract_tests::{beginning, read_to};
use crate::testing::{Disk, ManualClock, PATIENCE};
use dataflows::contract::epoch::Cut;
use dataflows::contract::input::Input;
use dataflows::ports::Waker;
use dataflows::shop::command::Command;
use dataflows::shop::orders::CancelOrder;
use std::sync::{Mutex, mpsc};

fn cancel(number: usize) -> Publication {
    let command = CancelOrder { order_id: format!("order-{number}").into(), reason: None, occurred_at: None };
    Publication::of(format!("command-{number}"), &Command::CancelOrder(command))
}

#[test]
fn commands_go_to_the_partition_of_their_key_and_are_read_as_they_were() {
    let disk = Arc::new(Disk::default());
    let partitions = Partitions::uniform(8);
    let log: Arc<dyn Log> = Arc::new(Journal::open_on(disk, &partitions, journal::JournalConfig::default()).unwrap());
    let clock = Arc::new(ManualClock::default());
    clock.set(1_700_000_000_123_456);
    let commands = LogCommands::new(Arc::clone(&log), clock, CommandLogConfig::default());
    let (done, landed) = mpsc::sync_channel(1);
    let sent: Vec<Publication> = (0..50).map(cancel).collect();
    commands.append(sent.clone(), Box::new(move |result| done.send(result).unwrap()));
    let origins = landed.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(commands.in_flight(), 0);
    let records = read_to(&mut *log.reader(&beginning(&*log)).unwrap(), &log.ends().unwrap());
    for (publication, origin) in sent.iter().zip(&origins) {
        assert_eq!(origin.partition, partition_of(Some(publication.key.as_bytes()), 8));
        let found = records.iter().find(|found| found.origin == *origin).unwrap();
        assert_eq!(found.record.timestamp_ms, 1_700_000_000_123);
        match codec::decode(*origin, &found.record) {
            Input::Command(envelope) => {
                assert_eq!(Publication::of(envelope.command_id, &envelope.command), *publication)
            }
            other @ (Input::Observation(_) | Input::Dead(_)) => panic!("{other:?}"),
        }
    }
}

/// A log that keeps what it is asked to answer.
struct Silent {
    partitions: Partitions,
    waiting: Mutex<Vec<AppendCallback>>,
}

impl Log for Silent {
    fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    fn append(&self, _: Vec<(TopicPartition, Record)>, done: AppendCallback) {
        lock(&self.waiting).push(done);
    }

    fn starts(&self) -> Result<Cut, crate::Error> {
        Ok(Cut::default())
    }

    fn ends(&self) -> Result<Cut, crate::Error> {
        Ok(Cut::default())
    }

    fn cut_after(&self, _: &Cut, _: CutLimit) -> Result<Cut, crate::Error> {
        self.ends()
    }

    fn reader(&self, _: &Cut) -> Result<Box<dyn LogReader>, crate::Error> {
        Err(crate::Error::Unavailable("it is silent".to_owned()))
    }

    fn delete_before(&self, _: &Cut) -> Result<(), crate::Error> {
        Ok(())
    }

    fn watch(&self, waker: Waker) -> Watch {
        Watchers::default().add(waker)
    }
}

#[test]
fn what_would_wait_too_long_is_refused_and_room_comes_back() {
    let log = Arc::new(Silent { partitions: Partitions::uniform(1), waiting: Mutex::default() });
    let config = CommandLogConfig { commands_in_flight_max: 10 };
    let commands = LogCommands::new(Arc::clone(&log) as Arc<dyn Log>, Arc::new(ManualClock::default()), config);
    let (done, landed) = mpsc::sync_channel(100);
    let append = |count: usize| {
        let done = done.clone();
        commands.append((0..count).map(cancel).collect(), Box::new(move |result| done.send(result).unwrap()));
    };
    append(15); // nothing waits: one large append is not refused for ever
    append(1);
    assert_eq!(landed.try_recv(), Ok(Err(AppendError::Overloaded)));
    assert_eq!(commands.in_flight(), 15);
    let answers: Vec<AppendCallback> = lock(&log.waiting).drain(..).collect();
    answers.into_iter().for_each(|answer| answer(Err(AppendError::Unavailable("away".to_owned()))));
    assert_eq!(landed.try_recv(), Ok(Err(AppendError::Unavailable("away".to_owned()))));
    assert_eq!(commands.in_flight(), 0, "refused commands wait no more");
    append(4);
    append(6);
    assert!(landed.try_recv().is_err(), "both wait");
}
