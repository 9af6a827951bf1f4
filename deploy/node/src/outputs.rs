//! The topics that a node publishes to, their publisher, and the deletion of old records. Not for the records' content.

use crate::config::Config;
use crate::export::ExportHandle;
use crate::retention::{OutputRetention, RetentionTask};
use anyhow::{Context, Result};
use ingest::log::journal::Journal;
use ingest::log::kafka::KafkaLog;
use ingest::log::{Log, Partitions};
use ingest::output::publisher;
use ingest::output::publisher::{Outbox, OutputPublisher, PublisherTask};
use std::sync::Arc;

/// The pause between looks at the ends of outputs in Kafka, which nothing here waits for.
const WATCH_MS: u64 = 60_000;

/// The outputs of a node.
pub struct Outputs {
    /// The records that wait to be published.
    pub outbox: Outbox,
    /// The topics.
    pub log: Arc<dyn Log>,
    /// The retention of old ones; none if that is a cluster's business.
    pub kept: Option<OutputRetention>,
}

/// The running tasks of the outputs. Dropping it ends them.
pub struct OutputTasks {
    _publishing: PublisherTask,
    _keeper: Option<RetentionTask>,
}

impl Outputs {
    /// Opens the topics in the cluster or in a journal beside the log, or makes that; none if nothing is published.
    pub fn open(config: &Config) -> Result<Option<Outputs>> {
        if !config.outputs.publish {
            return Ok(None);
        }
        let (log, kept): (Arc<dyn Log>, _) = if let Some(kafka) = config.kafka() {
            let partitions = Partitions::outputs(config.kafka.partitions);
            let kafka = ingest::log::kafka::KafkaConfig { watch_ms: WATCH_MS, gives_up: false, ..kafka };
            (Arc::new(KafkaLog::open(kafka, &partitions).context("opening the topics of outputs")?), None)
        } else {
            let journal = Arc::new(embedded(config)?);
            (Arc::clone(&journal) as Arc<dyn Log>, Some(OutputRetention::new(journal, config.outputs.retention_ms())))
        };
        let published = publisher::published(&*log).context("reading how far the outputs are")?;
        Ok(Some(Outputs { outbox: Outbox::new(published, config.ingest().publisher), log, kept }))
    }

    /// Starts to publish, and to delete what the export has in its tables.
    pub fn start(&self, exporting: Option<&ExportHandle>) -> Result<OutputTasks> {
        let publishing = PublisherTask::start(OutputPublisher::new(Arc::clone(&self.log), self.outbox.clone()))?;
        let keeper = self.kept.as_ref().map(|kept| kept.start(exporting.cloned())).transpose()?;
        Ok(OutputTasks { _publishing: publishing, _keeper: keeper })
    }
}

fn embedded(config: &Config) -> Result<Journal> {
    let folder = config.log.data_dir.join("outputs");
    let partitions = Partitions::outputs(config.log.partitions);
    let segment_bytes = config.outputs.segment_bytes;
    // The records of an epoch are spread over many partitions, and much alike.
    let journal = ingest::log::journal::JournalConfig { segment_bytes, is_packed: true, ..config.ingest().journal };
    Journal::open(&folder, &partitions, journal).with_context(|| format!("opening the outputs in {}", folder.display()))
}
