//! The listener for Kafka clients of the embedded log. Not for a log that is a cluster's, which has
//! brokers of its own.

use crate::config::{Config, KafkaListenConfig};
use anyhow::{Context, Result};
use dataflows::engine::budget::Budget;
use ingest::log::Log;
use ingest::log::listener::{Access, Listener, ListenerParts};
use ingest::log::storage::Folder;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// A place to listen at, if there is to be one.
pub async fn bind(config: &Config) -> Result<Option<TcpListener>> {
    let Some(KafkaListenConfig { address, is_default }) = config.kafka.listen.filter(|_| config.kafka().is_none())
    else {
        return Ok(None);
    };
    let bound = match TcpListener::bind(address).await {
        // This port is only the default, so that any will do; the one taken is logged.
        Err(error) if is_default && error.kind() == ErrorKind::AddrInUse => {
            TcpListener::bind(SocketAddr::new(address.ip(), 0)).await
        }
        bound => bound,
    };
    bound.map(Some).with_context(|| format!("listening for Kafka clients at {address}"))
}

/// Opens the listener before these logs, with these bytes under way.
pub fn open(
    config: &Config,
    inputs: &Arc<dyn Log>,
    outputs: Option<&Arc<dyn Log>>,
    bytes: &Arc<Budget>,
) -> Result<Listener> {
    let folder = config.log.data_dir.join("kafka-listener");
    let storage = Folder::at(&folder).with_context(|| format!("making {}", folder.display()))?;
    let parts = ListenerParts {
        inputs: Arc::clone(inputs),
        outputs: outputs.map(Arc::clone),
        topic_prefix: config.kafka.topic_prefix.clone(),
        access: Access::Client,
        storage: Arc::new(storage),
        bytes: Arc::clone(bytes),
    };
    Listener::open(parts, config.ingest().listener)
        .with_context(|| format!("opening the offsets of consumer groups in {}", folder.display()))
}
