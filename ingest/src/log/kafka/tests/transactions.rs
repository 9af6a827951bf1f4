//! Transactions of others: what they abort is never seen, what they leave open holds back only what is after it, and
//! the holes that they leave stop no reader.

use super::*;
use crate::input::sealed_epochs::{LogPosition, SealedEpochs};
use crate::input::sequencer::{Report, Sequencer};
use crate::input::source::{LogSource, Worker};
use crate::input::{codec, sequencer, source};
use crate::testing::Bell;
use crate::{Fatal, WallClock};
use dataflows::contract::input::Input;
use dataflows::ports::{Publication, Source, SourcePoll};

/// A producer in a transaction.
fn in_transaction(config: &KafkaConfig, id: &str) -> BaseProducer {
    let producer = stranger(config, &[("transactional.id", &format!("{}{id}", config.topic_prefix))]);
    producer.init_transactions(LONGEST).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

/// A transaction that has ended is so in its partitions a little later.
fn until_end(log: &KafkaLog, end: u64) {
    until("the end of a transaction", || (log.ends().unwrap().get(ORDERS) == Some(end)).then_some(()));
}

#[test]
fn what_is_aborted_is_not_seen_and_what_is_open_holds_back_what_is_behind_it() {
    let Some(broker) = Broker::shared() else { return };
    let config = config(broker);
    let log = made(&config);
    let mut reader = log.reader(&beginning(&log)).unwrap();
    let mut read = |expected: &[&str]| {
        let found = read_to(&mut *reader, &log.ends().unwrap());
        assert_eq!(values(&found), expected);
    };
    let producer = in_transaction(&config, "one");
    publish(&producer, &config, Topic::Orders, &["a", "b"]);
    producer.commit_transaction(LONGEST).unwrap();
    producer.begin_transaction().unwrap();
    publish(&producer, &config, Topic::Orders, &["aborted", "aborted"]);
    producer.abort_transaction(LONGEST).unwrap();
    // Two records, a marker, two records, a marker; the end is after the last hole, and a reader comes there.
    until_end(&log, 6);
    read(&["a", "b"]);

    producer.begin_transaction().unwrap();
    publish(&producer, &config, Topic::Orders, &["open"]);
    let other = TopicPartition::new(Topic::Orders, 1);
    append(&log, vec![(ORDERS, text("behind"))]).unwrap();
    append(&log, vec![(other, text("beside"))]).unwrap();
    let ends = log.ends().unwrap();
    assert_eq!((ends.get(ORDERS), ends.get(other)), (Some(6), Some(1)), "an open transaction holds its partition back");
    read(&["beside"]);
    let begins_there = log.reader(&ends).unwrap();
    assert_eq!(begins_there.position(ORDERS), Some(6));

    producer.commit_transaction(LONGEST).unwrap();
    until_end(&log, 9);
    read(&["open", "behind"]);

    // A reader may begin within a hole, and a cut may end in one.
    let mut within = beginning(&log);
    within.set(ORDERS, 3);
    let found = read_to(&mut *log.reader(&within).unwrap(), &log.ends().unwrap());
    assert_eq!(by_partition(&found)[&ORDERS].iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [6, 7]);
    assert!(log.delete_before(&within).is_ok());
    assert_eq!(log.starts().unwrap().get(ORDERS), Some(3));
}

/// A command that is not decided here: only its id counts.
fn command(id: &str) -> Record {
    let data = br#"{"order_id":"o","reason":"r"}"#;
    let command =
        dataflows::shop::command::Command::read(dataflows::shop::command::CommandType::CancelOrder, "o", data).unwrap();
    codec::encode(Publication::of(id, &command), 1)
}

/// Sends a command as a transactional stranger would.
fn send(producer: &BaseProducer, config: &KafkaConfig, id: &str) {
    let Record { key, value, headers, timestamp_ms } = command(id);
    let name = format!("{}orders.commands", config.topic_prefix);
    let mut record = BaseRecord::<[u8], [u8]>::to(&name).partition(0).timestamp(timestamp_ms);
    (record.key, record.payload) = (key.as_deref(), value.as_deref());
    let all = headers
        .iter()
        .fold(OwnedHeaders::new(), |all, (name, value)| all.insert(Header { key: name, value: value.as_deref() }));
    producer.send(record.headers(all)).map_err(|(error, _)| error).unwrap();
    producer.flush(LONGEST).unwrap();
}

/// Epochs and sources over all that: every committed command is in an epoch, in order, and none that was aborted.
#[test]
fn cuts_do_not_stall_at_transactions() {
    let Some(broker) = Broker::shared() else { return };
    let config = config(broker);
    let log: Arc<dyn Log> = Arc::new(made(&config));
    let sealed = SealedEpochs::read(&*log, LogPosition::default()).unwrap();
    let fatal: Fatal = Arc::new(|error| panic!("{error}"));
    let report = Report { clock_behind: Arc::new(|_| {}), stalled: Arc::new(|_| {}), fatal: Arc::clone(&fatal) };
    let sequencing = sequencer::SequencerConfig { epoch_records_max: 3, ..sequencer::SequencerConfig::default() };
    let sequencer = Sequencer::start(Arc::clone(&log), &sealed, Arc::new(WallClock), report, sequencing).unwrap();
    let worker = Worker { index: 0, peers: 1 };
    let mut source =
        LogSource::open(Arc::clone(&log), &sealed, worker, fatal, source::SourceConfig::default()).unwrap();
    let bell = Bell::default();
    source.wake(bell.waker());
    let (mut decided, mut epochs) = (Vec::new(), 0);
    let mut until_decided = |expected: &[&str], epochs_more: usize| {
        let epochs_min = epochs + epochs_more;
        bell.until(|| {
            if let SourcePoll::Stride(stride) = source.poll(100, 100, usize::MAX) {
                epochs += stride.epochs.len();
                decided.extend(stride.inputs.into_iter().map(|(_, input)| match input {
                    Input::Command(envelope) => envelope.command_id.to_string(),
                    other @ (Input::Observation(_) | Input::Dead(_)) => panic!("{other:?}"),
                }));
            }
            (decided.len() >= expected.len() && epochs >= epochs_min).then_some(())
        });
        assert_eq!(decided, expected);
    };

    let (one, two) = (in_transaction(&config, "one"), in_transaction(&config, "two"));
    for number in 0..4 {
        send(&one, &config, &format!("kept-{number}"));
        send(&two, &config, &format!("aborted-{number}"));
    }
    one.commit_transaction(LONGEST).unwrap();
    two.abort_transaction(LONGEST).unwrap();
    until_decided(&["kept-0", "kept-1", "kept-2", "kept-3"], 2);

    // While a transaction is open, epochs continue, and so do the other partitions.
    one.begin_transaction().unwrap();
    send(&one, &config, "open");
    append(&*log, vec![(ORDERS, command("behind"))]).unwrap();
    append(&*log, vec![(TopicPartition::new(Topic::Orders, 1), command("beside"))]).unwrap();
    until_decided(&["kept-0", "kept-1", "kept-2", "kept-3", "beside"], 2);
    one.commit_transaction(LONGEST).unwrap();
    until_decided(&["kept-0", "kept-1", "kept-2", "kept-3", "beside", "open", "behind"], 1);
    sequencer.stop();
}
