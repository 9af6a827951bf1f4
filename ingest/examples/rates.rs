//! Prints what a log, the codec and a source do in a second on this machine, and what it costs them. Not a test: nothing depends on
//! the figures.

use dataflows::command::{Command, CommandType};
use dataflows::epoch::{Cut, Epochs};
use dataflows::port::{Polled, Publication, Source as _};
use dataflows::time::Timestamp;
use dataflows::topic::{Topic, TopicPartition};
use ingest::journal::Journal;
use ingest::kafka::topics::{Layout, Topics};
use ingest::kafka::{self, KafkaLog};
use ingest::listener::{self, Listener};
use ingest::log::{Log, Partitions, ReadLimit, Record};
use ingest::sealed::{Place, Sealed};
use ingest::source::{LogSource, Worker};
use ingest::storage::Folder;
use ingest::{Config, WallClock, codec};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const RECORDS: usize = 1_000_000;
const APPEND: usize = 1000;
const PARTITIONS: u32 = 8;

type Any = Box<dyn std::error::Error>;

fn main() -> Result<(), Any> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    match named.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--kafka", brokers] => kafka(brokers),
        ["--listener", folder] => listener(folder),
        [folder] => embedded(folder),
        _ => Err(
            "name a folder that may be filled, alone for the journal or behind --listener for the journal as Kafka \
                  clients have it; or --kafka HOST:PORT, where topics may be made"
                .into(),
        ),
    }
}

fn embedded(folder: &str) -> Result<(), Any> {
    let folder = std::path::Path::new(folder).join(format!("rates-{}", std::process::id()));
    let open = || Journal::open(&folder, &Partitions::uniform(PARTITIONS), Config::default().journal);
    let log = open()?;
    small(&log)?;
    drop(log);
    std::fs::remove_dir_all(&folder)?;

    let log: Arc<dyn Log> = Arc::new(open()?);
    commands(&log)?;
    drop(log);
    let start = Watch::start();
    let log: Arc<dyn Log> = Arc::new(open()?);
    start.rate("open: commands");
    source(&log)?;
    single(&*log)?;
    drop(log);
    Ok(std::fs::remove_dir_all(&folder)?)
}

/// The same through the listener, as a Kafka client in the same process.
fn listener(folder: &str) -> Result<(), Any> {
    let folder = std::path::Path::new(folder).join(format!("rates-{}", std::process::id()));
    let journal = Journal::open(&folder, &Partitions::uniform(PARTITIONS), Config::default().journal)?;
    let parts = listener::Parts {
        inputs: Arc::new(journal),
        outputs: None,
        topic_prefix: kafka::Config::default().topic_prefix,
        access: listener::Access::Owner,
        storage: Arc::new(Folder::at(folder.join("groups"))?),
        clock: Arc::new(WallClock),
    };
    let served = Listener::open(parts, Config::default().listener)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let bootstrap = socket.local_addr()?.to_string();
    runtime.spawn(served.serve(socket, std::future::pending()));
    let config = kafka::Config { bootstrap, ..kafka::Config::default() };
    let log: Arc<dyn Log> = Arc::new(KafkaLog::open(config, &Partitions::uniform(PARTITIONS))?);
    commands(&log)?;
    source(&log)?;
    single(&*log)?;
    Ok(std::fs::remove_dir_all(&folder)?)
}

/// The same over topics of a cluster, which stay there.
fn kafka(brokers: &str) -> Result<(), Any> {
    let open = |what: &str| -> Result<KafkaLog, Any> {
        let topic_prefix = format!("rates-{}-{what}.", std::process::id());
        let config = kafka::Config { bootstrap: brokers.to_owned(), topic_prefix, ..kafka::Config::default() };
        let layout = Layout { partitions: PARTITIONS, replication: 1, min_insync_replicas: 1 };
        Topics::open(&config, layout)?.create()?;
        Ok(KafkaLog::open(config, &Partitions::uniform(PARTITIONS))?)
    };
    small(&open("small")?)?;
    let log: Arc<dyn Log> = Arc::new(open("commands")?);
    commands(&log)?;
    source(&log)?;
    single(&*log)?;
    let start = Instant::now();
    for _ in 0..1000 {
        log.ends()?;
    }
    println!("{:26} {:>10.0} µs", "the ends", start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

fn small(log: &dyn Log) -> Result<(), Any> {
    append(log, "append: small records", |number| Record {
        key: Some(number.to_string().into()),
        value: Some(vec![b'v'; 64].into()),
        timestamp_ms: 1_700_000_000_000,
        ..Record::default()
    })?;
    read(log, "read: small records")
}

fn commands(log: &Arc<dyn Log>) -> Result<(), Any> {
    append(&**log, "append: commands", command)?;
    seal(&**log)?;
    read(&**log, "read: commands")
}

fn command(number: usize) -> Record {
    let data = format!(r#"{{"order_id":"{number}","reason":"changed my mind","occurred_at":null}}"#);
    let command = Command::read(CommandType::CancelOrder, "", data.as_bytes()).expect("it has the shape");
    codec::encode(Publication::of(format!("command-{number}"), &command), 1_700_000_000_000)
}

/// What passed since then, on the wall and on the processors.
struct Watch {
    wall: Instant,
    cpu_s: f64,
}

impl Watch {
    fn start() -> Watch {
        Watch { wall: Instant::now(), cpu_s: cpu_s() }
    }

    fn rate(&self, what: &str) {
        let (wall_s, cpu_s) = (self.wall.elapsed().as_secs_f64(), cpu_s() - self.cpu_s);
        let millions = RECORDS as f64 / 1e6;
        println!("{what:26} {:>10.0}/s {:>8.2} CPU-s a million", RECORDS as f64 / wall_s, cpu_s / millions);
    }
}

/// What this process has used of the processors; nothing where there is no such file.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
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
    let start = Watch::start();
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

fn read(log: &dyn Log, what: &str) -> Result<(), Any> {
    let start = Watch::start();
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

fn source(log: &Arc<dyn Log>) -> Result<(), Any> {
    let start = Instant::now();
    let sealed = Sealed::read(&**log, Place::default())?;
    println!("{:26} {:>10.1} ms", "read the sealed epochs", start.elapsed().as_secs_f64() * 1000.0);
    let start = Watch::start();
    let (bell, rung) = mpsc::sync_channel(1);
    let fatal: ingest::Fatal = Arc::new(|error| eprintln!("{error}"));
    let worker = Worker { index: 0, peers: 1 };
    let mut source = LogSource::open(Arc::clone(log), &sealed, worker, fatal, Config::default().source)?
        .until(sealed.end().epochs.last);
    source.wake(Arc::new(move || bell.try_send(()).unwrap_or_default()));
    let mut count = 0;
    loop {
        match source.poll(256, 20_000) {
            Polled::Stride(stride) => count += stride.inputs.len(),
            Polled::Pending => rung.recv_timeout(Duration::from_secs(1)).unwrap_or_default(),
            Polled::End => break,
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
