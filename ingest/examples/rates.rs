//! Prints what the embedded log, the codec and a source do in a second on this machine. Not a test: nothing depends on
//! the figures.

use dataflows::command::{Command, CommandType};
use dataflows::epoch::{Cut, Epochs};
use dataflows::port::{Polled, Publication, Source as _};
use dataflows::time::Timestamp;
use dataflows::topic::{Topic, TopicPartition};
use ingest::journal::Journal;
use ingest::log::{Log, Partitions, ReadLimit, Record};
use ingest::sealed::{Place, Sealed};
use ingest::source::{LogSource, Worker};
use ingest::{Config, codec};
use std::sync::{Arc, mpsc};
use std::time::Instant;

const RECORDS: usize = 1_000_000;
const APPEND: usize = 1000;
const PARTITIONS: u32 = 8;

type Any = Box<dyn std::error::Error>;

fn main() -> Result<(), Any> {
    let folder = std::env::args().nth(1).ok_or("name a folder that may be filled")?;
    let folder = std::path::Path::new(&folder).join(format!("rates-{}", std::process::id()));
    let open = || Journal::open(&folder, &Partitions::uniform(PARTITIONS), Config::default().journal);
    let log = open()?;
    append(&log, "append: small records", |number| Record {
        key: Some(number.to_string().into()),
        value: Some(vec![b'v'; 64].into()),
        ..Record::default()
    })?;
    read(&log, "read: small records")?;
    drop(log);
    std::fs::remove_dir_all(&folder)?;

    let log: Arc<dyn Log> = Arc::new(open()?);
    append(&*log, "append: commands", command)?;
    seal(&*log)?;
    read(&*log, "read: commands")?;
    drop(log);
    let start = Instant::now();
    let log: Arc<dyn Log> = Arc::new(open()?);
    rate("open: commands", start);
    source(&log)?;
    single(&*log)?;
    drop(log);
    Ok(std::fs::remove_dir_all(&folder)?)
}

fn command(number: usize) -> Record {
    let data = format!(r#"{{"order_id":"{number}","reason":"changed my mind","occurred_at":null}}"#);
    let command = Command::read(CommandType::CancelOrder, "", data.as_bytes()).expect("it has the shape");
    codec::encode(Publication::of(format!("command-{number}"), &command), 1_700_000_000_000)
}

fn rate(what: &str, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:26} {:>10.0}/s", RECORDS as f64 / seconds);
}

fn append(log: &dyn Log, what: &str, record: impl Fn(usize) -> Record) -> Result<(), Any> {
    let appends: Vec<Vec<(TopicPartition, Record)>> = (0..RECORDS / APPEND)
        .map(|number| {
            let at = TopicPartition::new(Topic::Orders, (number % PARTITIONS as usize) as u32);
            (0..APPEND).map(|place| (at, record(number * APPEND + place))).collect()
        })
        .collect();
    let count = appends.len();
    let (done, landed) = mpsc::sync_channel(count);
    let start = Instant::now();
    let mut waiting = 0;
    for records in appends {
        let done = done.clone();
        log.append(records, Box::new(move |result| done.send(result.is_ok()).expect("the rates wait for it")));
        waiting += 1;
        // As a publisher does: not more in flight than the log lets wait.
        if waiting > 100 {
            waiting -= 1;
            assert!(landed.recv()?, "an append was refused");
        }
    }
    while waiting > 0 {
        waiting -= 1;
        assert!(landed.recv()?, "an append was refused");
    }
    rate(what, start);
    Ok(())
}

fn beginning(log: &dyn Log) -> Cut {
    let mut cut = Cut::default();
    log.partitions().iter().for_each(|at| cut.set(at, 0));
    cut
}

fn read(log: &dyn Log, what: &str) -> Result<(), Any> {
    let start = Instant::now();
    let mut reader = log.reader(&beginning(log))?;
    let (mut records, mut count) = (Vec::new(), 0);
    while count < RECORDS {
        reader.poll(ReadLimit { records_max: 2048, bytes_max: 4 << 20 }, &mut records)?;
        count += records.len();
        records.clear();
    }
    rate(what, start);
    Ok(())
}

fn seal(log: &dyn Log) -> Result<(), Any> {
    let mut epochs = Epochs::default();
    let (done, landed) = mpsc::sync_channel(RECORDS);
    let mut count = 0;
    let ends = log.ends()?;
    loop {
        let mut cut = log.cut_after(&epochs.cut, 1000)?;
        cut.0.remove(&Topic::Epochs);
        let record = epochs.next_record(&cut, Timestamp::from_micros(epochs.now.micros() + 1));
        epochs.accept(&record)?;
        let record = Record { value: Some(serde_json::to_vec(&record)?.into()), ..Record::default() };
        let done = done.clone();
        let at = TopicPartition::EPOCHS;
        log.append(
            vec![(at, record)],
            Box::new(move |result| done.send(result.is_ok()).expect("the rates wait for it")),
        );
        count += 1;
        if Topic::COMMANDS.iter().all(|topic| ends.0.get(topic) == cut.0.get(topic)) {
            break;
        }
    }
    for _ in 0..count {
        assert!(landed.recv()?, "an epoch was refused");
    }
    println!("{:26} {count:>10}", "epochs");
    Ok(())
}

fn source(log: &Arc<dyn Log>) -> Result<(), Any> {
    let start = Instant::now();
    let sealed = Sealed::read(&**log, Place::default())?;
    println!("{:26} {:>10.1} ms", "read the sealed epochs", start.elapsed().as_secs_f64() * 1000.0);
    let start = Instant::now();
    let fatal: ingest::Fatal = Arc::new(|error| eprintln!("{error}"));
    let worker = Worker { index: 0, peers: 1 };
    let mut source = LogSource::open(Arc::clone(log), &sealed, worker, fatal, Config::default().source)?
        .until(sealed.end().epochs.last);
    let mut count = 0;
    loop {
        match source.poll(256, 20_000) {
            Polled::Stride(stride) => count += stride.inputs.len(),
            Polled::Pending => {}
            Polled::End => break,
        }
    }
    assert_eq!(count, RECORDS);
    rate("source: decoded commands", start);
    Ok(())
}

fn single(log: &dyn Log) -> Result<(), Any> {
    let mut waits = Vec::new();
    let at = TopicPartition::new(Topic::Orders, 0);
    for number in 0..1000 {
        let (done, landed) = mpsc::sync_channel(1);
        let start = Instant::now();
        log.append(
            vec![(at, command(number))],
            Box::new(move |result| done.send(result.is_ok()).expect("the rates wait for it")),
        );
        assert!(landed.recv()?, "an append was refused");
        waits.push(start.elapsed().as_micros());
    }
    waits.sort_unstable();
    println!("{:26} {:>10} µs p50, {} µs p99", "one durable command", waits[500], waits[990]);
    Ok(())
}
