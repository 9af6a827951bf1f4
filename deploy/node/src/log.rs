//! Opens the log that is configured: the embedded one in the data folder, or the topics of a cluster. A data folder
//! belongs to one log for ever, since its checkpoints name places in it. Not for reading or writing the log.

use crate::config::Config;
use anyhow::{Context, Result, ensure};
use dataflows::contract::epoch::Cut;
use ingest::log::journal::Journal;
use ingest::log::kafka::KafkaLog;
use ingest::log::{Log, Partitions};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log that is open.
#[derive(Clone)]
pub struct OpenLog {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The ends of the topics that epochs cut, as far as they are known without waiting.
    pub ends: Arc<dyn Fn() -> Cut + Send + Sync>,
    /// The brokers, if the log is a cluster's.
    pub kafka: Option<String>,
}

/// The log of that data folder.
pub fn open(config: &Config) -> Result<OpenLog> {
    let data = &config.log.data_dir;
    let Some(kafka) = config.kafka() else {
        ensure!(
            !mark(data).exists(),
            "{} belongs to a log in Kafka, as {} says: give --kafka, or another --data",
            data.display(),
            mark(data).display()
        );
        let log = embedded(config, &data.join("log"))?;
        let asked = Arc::clone(&log);
        return Ok(OpenLog {
            log,
            ends: Arc::new(move || asked.ends().unwrap_or_default().without_epochs()),
            kafka: None,
        });
    };
    ensure!(
        !data.join("log").exists(),
        "{} holds an embedded log, which --kafka would pass by: give another --data",
        data.display()
    );
    let bootstrap = kafka.bootstrap.clone();
    let topics = kafka.topic_prefix.clone();
    let log = KafkaLog::open(kafka, &Partitions::uniform(config.kafka.partitions)).with_context(|| {
        format!("opening the log at {bootstrap}; `tradewind topics create --kafka {bootstrap}` makes missing topics")
    })?;
    let log = Arc::new(log);
    bind(data, &Mark { cluster: log.cluster_id()?, topic_prefix: topics })?;
    let seen = Arc::clone(&log);
    Ok(OpenLog { log, ends: Arc::new(move || seen.seen_ends().without_epochs()), kafka: Some(bootstrap) })
}

/// Opens the embedded log in a folder, or makes it.
pub fn embedded(config: &Config, folder: &Path) -> Result<Arc<dyn Log>> {
    let partitions = Partitions::uniform(config.log.partitions);
    let journal = Journal::open(folder, &partitions, config.ingest().journal)
        .with_context(|| format!("opening the log in {}", folder.display()))?;
    Ok(Arc::new(journal))
}

/// The log that a data folder belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// The cluster's own name for itself.
    cluster: String,
    /// The prefix of its topics.
    topic_prefix: String,
}

/// The file that marks a data folder whose log is in Kafka.
pub fn mark(data: &Path) -> PathBuf {
    data.join("kafka.json")
}

/// Binds a new folder to a log, and refuses one that is bound to another.
fn bind(data: &Path, ours: &Mark) -> Result<()> {
    let path = mark(data);
    let shown = path.display();
    if path.exists() {
        let bytes = fs::read(&path).with_context(|| format!("reading {shown}"))?;
        let found: Mark = serde_json::from_slice(&bytes).with_context(|| format!("reading {shown}"))?;
        ensure!(
            found == *ours,
            "{} belongs to the topics {:?} of cluster {}, and the log is the topics {:?} of cluster {}: give another --data",
            data.display(),
            found.topic_prefix,
            found.cluster,
            ours.topic_prefix,
            ours.cluster
        );
        return Ok(());
    }
    fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
    let written = path.with_extension("new");
    let mut file = fs::File::create(&written).with_context(|| format!("making {shown}"))?;
    file.write_all(&serde_json::to_vec(ours)?)?;
    file.sync_all()?;
    fs::rename(&written, &path).with_context(|| format!("making {shown}"))?;
    fs::File::open(data)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Settings};

    fn config(data: &Path, kafka: Option<&str>) -> Config {
        let flags = Flags { data: Some(data.to_owned()), kafka: kafka.map(str::to_owned), ..Flags::default() };
        Settings::load(None, &[], flags).unwrap().config()
    }

    fn refused(config: &Config) -> String {
        format!("{:#}", open(config).err().unwrap())
    }

    #[test]
    fn a_folder_belongs_to_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mark = |cluster: &str| Mark { cluster: cluster.to_owned(), topic_prefix: "shop.".to_owned() };
        bind(&data, &mark("one")).unwrap();
        bind(&data, &mark("one")).unwrap();
        let other = bind(&data, &mark("two")).unwrap_err().to_string();
        assert!(other.contains("cluster one") && other.contains("cluster two"), "{other}");
        assert!(refused(&config(&data, None)).contains("belongs to a log in Kafka"));

        let embedded = folder.path().join("embedded");
        drop(open(&config(&embedded, None)).unwrap());
        assert!(refused(&config(&embedded, Some("127.0.0.1:1"))).contains("holds an embedded log"));
    }

    #[test]
    fn a_cluster_that_is_not_there_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path(), Some("127.0.0.1:1"));
        config.kafka.answer_ms_max = 500;
        let told = refused(&config);
        assert!(told.contains("127.0.0.1:1") && told.contains("topics create"), "{told}");
        assert!(!mark(folder.path()).exists(), "the folder is nobody's yet");
    }
}
