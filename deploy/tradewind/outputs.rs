//! The topics that a node publishes to, and who publishes to them. Not for what is in the records.

use crate::config::Config;
use anyhow::{Context, Result};
use ingest::journal::Journal;
use ingest::kafka::KafkaLog;
use ingest::log::{Log, Partitions};
use ingest::publisher::{self, Outbox, Publisher, Publishing};
use std::sync::Arc;

/// How often the ends of outputs in Kafka are looked at, which nobody here waits for.
const WATCH_MS: u64 = 60_000;

/// The topics, in the cluster or in a journal beside the log.
pub fn open(config: &Config) -> Result<Arc<dyn Log>> {
    if let Some(kafka) = config.kafka() {
        let partitions = Partitions::outputs(config.kafka.partitions);
        let kafka = ingest::kafka::Config { watch_ms: WATCH_MS, gives_up: false, ..kafka };
        return Ok(Arc::new(KafkaLog::open(kafka, &partitions).context("opening the topics of outputs")?));
    }
    let folder = config.log.data_dir.join("outputs");
    let partitions = Partitions::outputs(config.log.partitions);
    let journal = Journal::open(&folder, &partitions, config.ingest().journal)
        .with_context(|| format!("opening the outputs in {}", folder.display()))?;
    Ok(Arc::new(journal))
}

/// What a node publishes to.
pub struct Outputs {
    /// What waits to be published.
    pub outbox: Outbox,
    /// The topics.
    pub log: Arc<dyn Log>,
}

impl Outputs {
    /// Opens the output journal beside the log, or makes it; none if nothing is to be published.
    pub fn open(config: &Config) -> Result<Option<Outputs>> {
        if !config.outputs.publish {
            return Ok(None);
        }
        let log = open(config)?;
        let published = publisher::published(&*log).context("reading how far the outputs are")?;
        Ok(Some(Outputs { outbox: Outbox::new(published, config.ingest().publisher), log }))
    }

    /// Starts to publish.
    pub fn start(&self) -> Result<Publishing> {
        Ok(Publishing::start(Publisher::new(Arc::clone(&self.log), self.outbox.clone()))?)
    }
}
