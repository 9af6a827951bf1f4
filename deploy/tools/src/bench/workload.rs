//! The workload of the measurements: a log of orders of three lines, sealed in epochs, and the engine that replays it.

use anyhow::{Context, Result, anyhow};
use dataflows::contract::epoch::{Epoch, Epochs};
use dataflows::contract::time::Timestamp;
use dataflows::contract::topic::{Topic, TopicPartition};
use dataflows::engine::Engine;
use dataflows::ports::{NoStopwatch, Publication, Sink, Source};
use dataflows::shop::command::{Command, CommandType};
use ingest::Fatal;
use ingest::input::codec::encode;
use ingest::input::partition::partition_of;
use ingest::input::sealed_epochs::{LogPosition, SealedEpochs};
use ingest::input::source::{LogSource, Worker};
use ingest::log::{Log, Record};
use node::config::{Config, Flags, Settings};
use serde_json::{Value, json};
use serving::ViewStore;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The number of SKUs that the orders choose from.
pub const SKUS: u64 = 2_000;
/// The number of commands in an epoch of the prepared log.
pub const EPOCH_COMMANDS: usize = 1_000;

/// The configuration of a measurement: the defaults, in a folder of its own.
pub fn config(folder: &Path) -> Result<Config> {
    let flags = Flags { data: Some(folder.to_owned()), ..Flags::default() };
    Ok(Settings::load(None, &[], flags)?.config())
}

/// Stops the process: a measurement that cannot continue means nothing.
pub fn fatal() -> Fatal {
    Arc::new(|error| {
        eprintln!("tradewind: {error}");
        std::process::exit(1);
    })
}

/// A command from its JSON.
pub fn command(command_type: CommandType, command_id: &str, data: &Value) -> Result<Publication> {
    let command = Command::read(command_type, command_id, data.to_string().as_bytes())?;
    Ok(Publication::of(command_id, &command))
}

/// Products and stock for the orders.
pub fn shop() -> Result<Vec<Publication>> {
    let mut all = Vec::new();
    for n in 0..SKUS {
        let (sku, category) = (format!("SKU-{n}"), json!(["Goods", format!("Shelf {}", n % 20)]));
        let variants = json!([{"sku": sku, "price": {"amount": "9.95", "currency": "GBP"}}]);
        let product =
            json!({"product_id": sku, "title": format!("Product {n}"), "category": category, "variants": variants});
        let stock = json!({"sku": sku, "quantity": 1_000_000_000, "reason": "received"});
        all.push(command(CommandType::PutProduct, &format!("product-{n}"), &product)?);
        all.push(command(CommandType::MoveStock, &format!("stock-{n}"), &stock)?);
    }
    Ok(all)
}

/// An order with three lines.
pub fn order(n: u64) -> Result<Publication> {
    let id = order_id(n);
    let line = |k: u64| json!({"sku": format!("SKU-{}", mixed(n * 3 + k) % SKUS), "quantity": 1 + k});
    let country = ["United Kingdom", "EIRE", "France"][(n % 3) as usize];
    let data = json!({"order_id": id, "customer_id": format!("customer-{}", n % 50_000), "currency": "GBP",
        "country": country, "lines": [line(0), line(1), line(2)],
        "payment": {"method": "settled"}});
    command(CommandType::PlaceOrder, &format!("{}-p", id), &data)
}

/// The id of the order of that number, in the form of a UUID.
pub fn order_id(n: u64) -> String {
    let (high, low) = (mixed(n), mixed(!n));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Ships an order.
pub fn ship(n: u64) -> Result<Publication> {
    let id = order_id(n);
    command(CommandType::ShipOrder, &format!("{id}-s"), &json!({"order_id": id}))
}

/// A command that changes nothing, and is remembered.
pub fn remembered(n: u64) -> Result<Publication> {
    command(CommandType::PutPolicy, &order_id(n), &json!({"order_lines_max": 2000}))
}

/// A fixed mix of 64 bits (the finalizer of splitmix64).
pub fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The partition and the record of a publication.
pub fn record(log: &dyn Log, publication: Publication) -> (TopicPartition, Record) {
    let topic = publication.topic;
    let partition = partition_of(Some(publication.key.as_bytes()), log.partitions().count(topic));
    (TopicPartition::new(topic, partition), encode(publication, 0))
}

/// Appends and waits until all is durable.
pub fn append(log: &dyn Log, records: Vec<(TopicPartition, Record)>) -> Result<()> {
    let (send, receive) = mpsc::channel();
    log.append(records, Box::new(move |result| drop(send.send(result))));
    receive.recv().context("the log has gone")?.map_err(|error| anyhow!(error))?;
    Ok(())
}

/// When the prepared logs begin: the same bytes in every run.
pub fn beginning() -> Timestamp {
    Timestamp::from_micros(1_780_000_000_000_000)
}

/// Seals what was appended in an epoch, a millisecond after the one before; the first is at `beginning`.
pub fn seal(log: &dyn Log, epochs: &mut Epochs, beginning: Timestamp) -> Result<()> {
    let mut ends = log.ends()?;
    ends.0.remove(&Topic::Epochs);
    let now = Timestamp::from_micros(beginning.micros() + 1_000 * epochs.last.0 as i64);
    let record = epochs.next_record(&ends, now);
    epochs.accept(&record)?;
    let value = serde_json::to_vec(&record)?;
    append(log, vec![(TopicPartition::EPOCHS, Record { value: Some(value.into()), ..Record::default() })])
}

/// A log with these commands, sealed in epochs of [`EPOCH_COMMANDS`], the first at `beginning`.
pub fn fill(log: &dyn Log, beginning: Timestamp, commands: impl Iterator<Item = Result<Publication>>) -> Result<()> {
    let mut epochs = Epochs::default();
    let mut waiting = Vec::with_capacity(EPOCH_COMMANDS);
    for publication in commands {
        waiting.push(record(log, publication?));
        if waiting.len() == EPOCH_COMMANDS {
            append(log, std::mem::take(&mut waiting))?;
            seal(log, &mut epochs, beginning)?;
        }
    }
    append(log, waiting)?;
    seal(log, &mut epochs, beginning)
}

/// The result of a replay.
pub struct ReplayResult {
    /// Until the store had the last epoch.
    pub took: Duration,
    /// The last epoch.
    pub last: Epoch,
    /// The store; it stays as it is while this is held.
    pub shop: ViewStore,
    /// The engine; so does its state.
    pub engine: Engine,
}

/// Replays a sealed log through the engine into a store.
pub fn replay(config: &Config, log: &Arc<dyn Log>) -> Result<ReplayResult> {
    let sealed = SealedEpochs::read(&**log, LogPosition::default())?;
    let last = sealed.end().epochs.last;
    let started = Instant::now();
    let shop = ViewStore::new(&config.serving_limits(), Arc::new(move || started.elapsed().as_millis() as u64));
    shop.live_from(last);
    let (index, peers) = (0..config.engine.workers, config.engine.workers);
    let sources = index.map(|index| -> Result<Box<dyn Source>> {
        let worker = Worker { index, peers };
        Ok(Box::new(LogSource::open(Arc::clone(log), &sealed, worker, fatal(), config.ingest().source)?))
    });
    let sources = sources.collect::<Result<Vec<_>>>()?;
    let (done, finished) = mpsc::channel();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(shop.clone()), Box::new(Until { last, done })];
    let started = Instant::now();
    let engine = Engine::start(config.engine.limits.clone(), None, sources, sinks, Arc::new(NoStopwatch))?;
    finished.recv().context("the engine has ended early")?;
    Ok(ReplayResult { took: started.elapsed(), last, shop, engine })
}

/// Notifies once an epoch has come.
struct Until {
    last: Epoch,
    done: mpsc::Sender<()>,
}

impl Sink for Until {
    fn apply(&mut self, changes: &Arc<dataflows::contract::changes::Changes>) {
        if changes.epoch() == self.last {
            let _ = self.done.send(());
        }
    }
}
