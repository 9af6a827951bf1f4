//! The topics that a node publishes to, and who publishes to them. Not for what is in the records.

use crate::config::Config;
use anyhow::{Context, Result};
use ingest::journal::Journal;
use ingest::log::{Log, Partitions};
use ingest::publisher::{self, Outbox, Publisher, Publishing};
use std::sync::Arc;

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
        let folder = config.log.data_dir.join("outputs");
        let partitions = Partitions::outputs(config.log.partitions);
        let journal = Journal::open(&folder, &partitions, config.ingest().journal)
            .with_context(|| format!("opening the outputs in {}", folder.display()))?;
        let log: Arc<dyn Log> = Arc::new(journal);
        let published = publisher::published(&*log).context("reading how far the outputs are")?;
        Ok(Some(Outputs { outbox: Outbox::new(published, config.ingest().publisher), log }))
    }

    /// Starts to publish.
    pub fn start(&self) -> Result<Publishing> {
        Ok(Publishing::start(Publisher::new(Arc::clone(&self.log), self.outbox.clone()))?)
    }
}
