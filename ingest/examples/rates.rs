//! Prints what a log, the codec and a source do in a second on this machine, and what it costs them, over every path that
//! a record may take, in one run: the journal, the journal through the listener, Apache Kafka. Not a test: nothing depends
//! on the figures.

use dataflows::contract::epoch::{Cut, Epochs};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::engine::budget::Budget;
use dataflows::ports::{Publication, Source as _, SourcePoll};
use dataflows::shop::command::{Command, CommandType};
use ingest::IngestConfig;
use ingest::input::codec;
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::input::source::{LogSource, Worker};
use ingest::log::journal::Journal;
use ingest::log::kafka::KafkaLog;
use ingest::log::kafka::topics::{TopicLayout, Topics};
use ingest::log::listener::Listener;
use ingest::log::storage::Folder;
use ingest::log::{CutLimit, Log, Partitions, ReadLimit, Record, kafka, listener};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const RECORDS: usize = 1_000_000;
const APPEND: usize = 1000;
const PARTITIONS: u32 = 8;

type Any = Box<dyn std::error::Error>;

fn main() -> Result<(), Any> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let (folder, brokers, broker) = match named.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] => (folder, None, None),
        [folder, "--kafka", brokers] => (folder, Some(brokers), None),
        [folder, "--kafka", brokers, "--broker", process] => (folder, Some(brokers), Some(process)),
        _ => {
            return Err(
                "name a folder that may be filled; behind it, to measure Apache Kafka too, --kafka HOST:PORT, \
                         where topics may be made, and --broker with the process id of the broker on this machine"
                    .into(),
            );
        }
    };
    let folder = Path::new(folder).join(format!("rates-{}", std::process::id()));
    path("journal", &["self"], &|what| Ok(((), Arc::new(journal(&folder.join(what))?))))?;
    let start = Watch::start(&["self"]);
    drop(journal(&folder.join("commands"))?);
    start.rate("open again: commands");
    // The server is in this process too, so that its work is counted.
    path("listener", &["self"], &|what| listener(&folder.join("listener").join(what)))?;
    if let Some(brokers) = brokers {
        let counted: Vec<&str> = ["self"].into_iter().chain(broker).collect();
        path("Apache Kafka", &counted, &|what| Ok(((), Arc::new(kafka(brokers, what)?))))?;
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}

/// Gives an empty log of a name, behind what must outlive it.
type Open<'a, S> = &'a dyn Fn(&str) -> Result<(S, Arc<dyn Log>), Any>;

/// Measures a log.
fn path<S>(name: &str, counted: &[&str], open: Open<'_, S>) -> Result<(), Any> {
    println!("{name}");
    let (_served, log) = open("small")?;
    append(&*log, counted, "append: small records", small)?;
    read(&*log, counted, "read: small records")?;
    let (_served, log) = open("commands")?;
    append(&*log, counted, "append: commands", command)?;
    seal(&*log)?;
    read(&*log, counted, "read: commands")?;
    source(&log, counted)?;
    single(&*log)?;
    let start = Instant::now();
    for _ in 0..1000 {
        log.ends()?;
    }
    println!("{:26} {:>10.0} µs", "the ends", start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

fn journal(folder: &Path) -> Result<Journal, Any> {
    Ok(Journal::open(folder, &Partitions::uniform(PARTITIONS), IngestConfig::default().journal)?)
}

/// A journal as a Kafka client in the same process has it, and what serves it.
fn listener(folder: &Path) -> Result<(Runtime, Arc<dyn Log>), Any> {
    let parts = listener::ListenerParts {
        inputs: Arc::new(journal(folder)?),
        outputs: None,
        topic_prefix: kafka::KafkaConfig::default().topic_prefix,
        access: listener::Access::Owner,
        storage: Arc::new(Folder::at(folder.join("groups"))?),
        bytes: Budget::new(256 << 20),
    };
    let served = Listener::open(parts, IngestConfig::default().listener)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let bootstrap = socket.local_addr()?.to_string();
    runtime.spawn(served.serve(socket, std::future::pending()));
    let config = kafka::KafkaConfig { bootstrap, ..kafka::KafkaConfig::default() };
    Ok((runtime, Arc::new(KafkaLog::open(config, &Partitions::uniform(PARTITIONS))?)))
}

/// Topics of a cluster, which stay there.
fn kafka(brokers: &str, what: &str) -> Result<KafkaLog, Any> {
    let topic_prefix = format!("rates-{}-{what}.", std::process::id());
    let config = kafka::KafkaConfig { bootstrap: brokers.to_owned(), topic_prefix, ..kafka::KafkaConfig::default() };
    let layout = TopicLayout { partitions: PARTITIONS, replication: 1, min_insync_replicas: 1 };
    Topics::open(&config, layout)?.create()?;
    Ok(KafkaLog::open(config, &Partitions::uniform(PARTITIONS))?)
}

fn small(number: usize) -> Record {
    Record {
        key: Some(number.to_string().into()),
        value: Some(vec![b'v'; 64].into()),
        timestamp_ms: 1_700_000_000_000,
        ..Record::default()
    }
}

fn command(number: usize) -> Record {
    let data = format!(r#"{{"order_id":"{number}","reason":"changed my mind","occurred_at":null}}"#);
    let command = Command::read(CommandType::CancelOrder, "", data.as_bytes()).expect("it has the shape");
    codec::encode(Publication::of(format!("command-{number}"), &command), 1_700_000_000_000)
}

/// The time passed since then, on the wall and on the processors.
struct Watch<'a> {
    wall: Instant,
    counted: &'a [&'a str],
    cpu_s: Vec<f64>,
}

impl<'a> Watch<'a> {
    fn start(counted: &'a [&'a str]) -> Watch<'a> {
        Watch { wall: Instant::now(), counted, cpu_s: counted.iter().map(|process| cpu_s(process)).collect() }
    }

    fn rate(&self, what: &str) {
        let (wall_s, millions) = (self.wall.elapsed().as_secs_f64(), RECORDS as f64 / 1e6);
        let used = self.counted.iter().zip(&self.cpu_s).map(|(process, begun)| (cpu_s(process) - begun) / millions);
        let used: Vec<String> = used.map(|cpu_s| format!("{cpu_s:.2}")).collect();
        // The second is the broker's.
        println!("{what:26} {:>10.0}/s {:>8} CPU-s a million", RECORDS as f64 / wall_s, used.join(" + "));
    }
}

/// Returns the processor time a process has used; nothing where there is no such file.
fn cpu_s(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn append(log: &dyn Log, counted: &[&str], what: &str, record: fn(usize) -> Record) -> Result<(), Any> {
    let appends: Vec<Vec<(TopicPartition, Record)>> = (0..RECORDS / APPEND)
        .map(|number| {
            let at = TopicPartition::new(Topic::Orders, (number % PARTITIONS as usize) as u32);
            (0..APPEND).map(|place| (at, record(number * APPEND + place))).collect()
        })
        .collect();
    let count = appends.len();
    let (done, landed) = mpsc::sync_channel(count);
    let start = Watch::start(counted);
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
    start.rate(what);
    Ok(())
}

fn beginning(log: &dyn Log) -> Cut {
    let mut cut = Cut::default();
    log.partitions().iter().for_each(|at| cut.set(at, 0));
    cut
}

fn read(log: &dyn Log, counted: &[&str], what: &str) -> Result<(), Any> {
    let start = Watch::start(counted);
    let (bell, rung) = mpsc::sync_channel(1);
    let mut reader = log.reader(&beginning(log))?;
    reader.wake(Arc::new(move || bell.try_send(()).unwrap_or_default()));
    let (mut records, mut count) = (Vec::new(), 0);
    while count < RECORDS {
        reader.poll(ReadLimit { records_max: 2048, bytes_max: 4 << 20 }, &mut records)?;
        if records.is_empty() {
            // A log that gives its records by and by says when there are more.
            rung.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        }
        count += records.iter().filter(|read| read.origin.topic != Topic::Epochs).count();
        records.clear();
    }
    start.rate(what);
    Ok(())
}

fn seal(log: &dyn Log) -> Result<(), Any> {
    let mut epochs = Epochs::default();
    let (done, landed) = mpsc::sync_channel(RECORDS);
    let mut count = 0;
    let ends = log.ends()?;
    loop {
        let mut cut = log.cut_after(&epochs.cut, CutLimit::records(1000))?;
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
        if Topic::COVERED.iter().all(|topic| ends.0.get(topic) == cut.0.get(topic)) {
            break;
        }
    }
    for _ in 0..count {
        assert!(landed.recv()?, "an epoch was refused");
    }
    println!("{:26} {count:>10}", "epochs");
    Ok(())
}

fn source(log: &Arc<dyn Log>, counted: &[&str]) -> Result<(), Any> {
    let start = Instant::now();
    let sealed = SealedEpochs::read(&**log, LogPosition::default())?;
    println!("{:26} {:>10.1} ms", "read the sealed epochs", start.elapsed().as_secs_f64() * 1000.0);
    let start = Watch::start(counted);
    let (bell, rung) = mpsc::sync_channel(1);
    let fatal: ingest::Fatal = Arc::new(|error| eprintln!("{error}"));
    let worker = Worker { index: 0, peers: 1 };
    let mut source = LogSource::open(Arc::clone(log), &sealed, worker, fatal, IngestConfig::default().source)?
        .until(sealed.end().epochs.last);
    source.wake(Arc::new(move || bell.try_send(()).unwrap_or_default()));
    let mut count = 0;
    loop {
        match source.poll(256, 20_000, usize::MAX) {
            SourcePoll::Stride(stride) => count += stride.inputs.len(),
            SourcePoll::Pending => rung.recv_timeout(Duration::from_secs(1)).unwrap_or_default(),
            SourcePoll::End => break,
        }
    }
    assert_eq!(count, RECORDS);
    start.rate("source: decoded commands");
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
