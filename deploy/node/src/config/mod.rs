//! Configuration: a file, the environment over it, flags over both. The only file that reads the environment. Not for
//! anything that could change an answer: that is in the log.

mod keys;
mod settings;

pub use keys::{KEYS, Key, KeyKind, Value, WORKERS_MAX};
pub use settings::{Flags, Origin, Settings};

use serving::http::connection_slots::Network;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The keys that are read again on SIGHUP; all others wait for the next start.
pub const RELOADED: [&str; 1] = ["telemetry.log_level"];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{file} cannot be read")]
    File {
        /// The file.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{place}: {detail}")]
    Syntax {
        /// The place.
        place: Origin,
        /// The fault.
        detail: String,
    },
    /// Nothing has that name.
    #[error("{place}: no key is called {key}; there are {allowed}")]
    UnknownKey {
        /// The place.
        place: Origin,
        /// The name.
        key: String,
        /// The names that exist.
        allowed: String,
    },
    /// A key may not have that value.
    #[error("{place}: {key} cannot be {value}; allowed is {allowed}")]
    BadValue {
        /// The place.
        place: Origin,
        /// The key.
        key: String,
        /// The value that was given.
        value: String,
        /// The allowed values.
        allowed: String,
    },
    /// The address can be reached from outside, and nothing allows that.
    #[error(
        "{place}: {listen} is beyond loopback, and every caller would have all rights; allowed is a \
         loopback address, or any with --insecure"
    )]
    OpenListen {
        /// The place.
        place: Origin,
        /// The address.
        listen: SocketAddr,
    },
}

/// The configuration of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The embedded log.
    pub log: LogConfig,
    /// The log of a cluster.
    pub kafka: KafkaConfig,
    /// When epochs are cut.
    pub epochs: EpochsConfig,
    /// The dataflow.
    pub engine: EngineConfig,
    /// Serving.
    pub serving: ServingConfig,
    /// When the state is kept.
    pub checkpoints: ingest::checkpoint::CheckpointConfig,
    /// The outputs.
    pub outputs: OutputsConfig,
    /// Search.
    pub search: SearchConfig,
    /// The tables for analysts.
    pub export: ExportConfig,
    /// The number of dead letters that may wait.
    pub dead_letters: ingest::dead_letters::DeadLetterConfig,
    /// The folder of secrets; none: beside the data folder.
    pub secrets_dir: Option<PathBuf>,
    /// Logging.
    pub telemetry: TelemetryConfig,
    /// The origin of `serving.listen`.
    listen_origin: Origin,
    /// The origin of `admin.listen`.
    operators_origin: Origin,
}

/// `[log]`; see [`KEYS`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of keys documents them")]
pub struct LogConfig {
    pub data_dir: PathBuf,
    pub partitions: u32,
    pub segment_bytes: u64,
    pub commit_bytes_max: usize,
    pub append_bytes_max: usize,
    pub appends_waiting_max: usize,
    pub bytes_waiting_max: usize,
    pub commands_waiting_max: usize,
    pub read_window_bytes: usize,
}

/// `[outputs]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputsConfig {
    /// True if anything is published.
    pub publish: bool,
    /// The time that it is kept in the embedded log.
    pub retention_s: u64,
    /// The size of a file of the embedded log.
    pub segment_bytes: u64,
    /// The bytes of epochs that may wait to be published.
    pub bytes_waiting_max: usize,
    /// The time that a holder of the log may be stalled in a node that is ready.
    pub stalled_s: u64,
}

impl OutputsConfig {
    /// The time that outputs are kept in the embedded log.
    pub const fn retention_ms(&self) -> u64 {
        self.retention_s * 1_000
    }
}

/// `[search]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchConfig {
    /// True if searches are published as observations.
    pub publish_activity: bool,
    /// The searches of an address that are observed in an hour.
    pub observe_anonymous: u32,
    /// The bytes that the facets of all searches may take.
    pub facet_bytes_max: usize,
    /// The bytes of changed products that may wait for the index.
    pub waiting_bytes_max: usize,
    /// The bytes of earlier products that it keeps.
    pub older_bytes_max: usize,
}

/// `[export]`; see [`KEYS`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportConfig {
    /// True if anything is written.
    pub tables: bool,
    /// The place; none: in the folder of all state.
    pub address: Option<warehouse_export::table_store::Address>,
    /// The variables that configure clouds: theirs, not ours.
    pub clouds: Vec<(String, String)>,
    /// The timeout of a request to an object store.
    pub request_ms_max: u64,
    /// The bounds of commits, and the times that replaced files are kept.
    pub limits: warehouse_export::Config,
    /// The longest pause after errors.
    pub retry_ms_max: u64,
}

/// `[kafka]`; see [`KEYS`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of keys documents them")]
pub struct KafkaConfig {
    pub bootstrap: String,
    pub listen: Option<KafkaListenConfig>,
    pub listen_connections_max: usize,
    pub groups_max: usize,
    pub fetch_bytes_max: usize,
    pub topic_prefix: String,
    pub partitions: u32,
    pub replication: u32,
    pub security: ingest::log::kafka::Security,
    pub answer_ms_max: u64,
    pub append_ms_max: u64,
}

/// The listener for Kafka clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KafkaListenConfig {
    /// The address.
    pub address: SocketAddr,
    /// True if it is only the default, so that another port will do.
    pub is_default: bool,
}

/// `[epochs]`; see [`KEYS`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of keys documents them")]
pub struct EpochsConfig {
    pub epoch_ms_min: u64,
    pub epoch_ms_max: u64,
    pub records_max: u64,
    pub bytes_max: u64,
    pub acknowledge_ms_max: u64,
    pub retry_ms_min: u64,
    pub retry_ms_max: u64,
}

/// `[engine]`; see [`KEYS`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The number of threads that run the dataflow.
    pub workers: usize,
    /// The bytes of records that are read ahead.
    pub held_bytes_max: usize,
    /// An epoch that takes longer to decide is logged.
    pub slow_epoch: Duration,
    /// All other keys.
    pub limits: dataflows::engine::EngineConfig,
}

/// `[serving]`; see [`KEYS`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of keys documents them")]
pub struct ServingConfig {
    pub listen: SocketAddr,
    pub operators_listen: Option<SocketAddr>,
    pub operators_connections_max: usize,
    pub hosts: Vec<String>,
    pub origins: Vec<String>,
    pub cors_origins: Vec<String>,
    pub cors_credentials: bool,
    pub behind_proxy: Vec<Network>,
    pub connections_per_ip: usize,
    pub bytes_in_flight_max: usize,
    pub head_s_max: u64,
    pub idle_s_max: u64,
    pub body_bytes_per_s_min: u64,
    pub unread_bytes_max: usize,
    pub unread_ms_max: u64,
    pub history_epochs: u64,
    pub history_s: u64,
    pub history_bytes: u64,
    pub pinned_bytes_max: usize,
    pub body_bytes_max: usize,
    pub commands_bytes_max: usize,
    pub commands_lines_max: usize,
    pub connections_max: usize,
    pub followers_max: usize,
    pub follower_bytes_max: usize,
    pub progress_ms: u64,
    pub write_s_max: u64,
    pub wait_s: u64,
    pub wait_s_max: u64,
    pub drain_s_max: u64,
}

/// `[telemetry]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// The least that is logged.
    pub log_level: LogLevel,
    /// The format.
    pub log_format: LogFormat,
}

/// The severity of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The format of lines of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people on a terminal, JSON otherwise.
    Auto,
    /// Text for people.
    Human,
    /// JSON.
    Json,
}

impl Settings {
    /// The configuration as types.
    pub fn config(&self) -> Config {
        Config {
            log: self.log(),
            kafka: self.kafka(),
            epochs: EpochsConfig {
                epoch_ms_min: self.number("epochs.epoch_ms_min"),
                epoch_ms_max: self.number("epochs.epoch_ms_max"),
                records_max: self.number("epochs.records_max"),
                bytes_max: self.number("epochs.bytes_max"),
                acknowledge_ms_max: self.number("epochs.acknowledge_ms_max"),
                retry_ms_min: self.number("epochs.retry_ms_min"),
                retry_ms_max: self.number("epochs.retry_ms_max"),
            },
            engine: EngineConfig {
                workers: self.count("engine.workers"),
                held_bytes_max: self.count("engine.held_bytes_max"),
                slow_epoch: Duration::from_millis(self.number("engine.slow_epoch_ms")),
                limits: dataflows::engine::EngineConfig {
                    epochs_in_flight: self.count("engine.epochs_in_flight"),
                    inputs_in_flight: self.count("engine.inputs_in_flight"),
                    stride_epochs_max: self.count("engine.stride_epochs_max"),
                    stride_inputs_max: self.count("engine.stride_inputs_max"),
                    bytes_in_flight: self.count("engine.bytes_in_flight"),
                    stride_bytes_max: self.count("engine.stride_bytes_max"),
                    changes_bytes_in_flight: self.count("engine.changes_bytes_in_flight"),
                    shards_waiting_max: self.count("engine.shards_waiting_max"),
                },
            },
            serving: self.serving(),
            checkpoints: ingest::checkpoint::CheckpointConfig {
                interval_s: self.number("checkpoints.interval_s"),
                log_bytes: self.number("checkpoints.log_bytes"),
                kept: self.count("checkpoints.kept"),
                log_kept: match self.text("checkpoints.log_kept") {
                    "all" => ingest::checkpoint::LogRetention::All,
                    _ => ingest::checkpoint::LogRetention::Needed,
                },
            },
            outputs: OutputsConfig {
                publish: self.text("outputs.publish") == "all",
                retention_s: self.number("outputs.retention_s"),
                segment_bytes: self.number("outputs.segment_bytes"),
                bytes_waiting_max: self.count("outputs.bytes_waiting_max"),
                stalled_s: self.number("outputs.stalled_s"),
            },
            search: self.search(),
            export: self.export(),
            dead_letters: ingest::dead_letters::DeadLetterConfig {
                waiting_bytes_max: self.count("dead_letters.waiting_bytes_max"),
                ..ingest::dead_letters::DeadLetterConfig::default()
            },
            secrets_dir: Some(self.text("auth.secrets_dir")).filter(|text| !text.is_empty()).map(PathBuf::from),
            telemetry: self.telemetry(),
            listen_origin: self.get("serving.listen").1.clone(),
            operators_origin: self.get("admin.listen").1.clone(),
        }
    }

    fn search(&self) -> SearchConfig {
        SearchConfig {
            publish_activity: self.text("search.publish_activity") == "all",
            observe_anonymous: u32::try_from(self.number("search.observe_anonymous")).expect("the table bounds it"),
            facet_bytes_max: self.count("search.facet_bytes_max"),
            waiting_bytes_max: self.count("search.waiting_bytes_max"),
            older_bytes_max: self.count("search.older_bytes_max"),
        }
    }

    fn log(&self) -> LogConfig {
        LogConfig {
            data_dir: self.text("log.data_dir").into(),
            partitions: u32::try_from(self.number("log.partitions")).expect("the table bounds it"),
            segment_bytes: self.number("log.segment_bytes"),
            commit_bytes_max: self.count("log.commit_bytes_max"),
            append_bytes_max: self.count("log.append_bytes_max"),
            appends_waiting_max: self.count("log.appends_waiting_max"),
            bytes_waiting_max: self.count("log.bytes_waiting_max"),
            commands_waiting_max: self.count("log.commands_waiting_max"),
            read_window_bytes: self.count("log.read_window_bytes"),
        }
    }

    fn export_limits(&self) -> warehouse_export::Config {
        let short = |name: &str| u32::try_from(self.number(name)).expect("the table bounds it");
        warehouse_export::Config {
            commit_s: short("export.commit_s"),
            commit_rows: self.number("export.commit_rows"),
            commit_bytes: self.number("export.commit_bytes"),
            commit_partitions: self.count("export.commit_partitions"),
            current_rows: self.count("export.current_rows"),
            compact_files: self.count("export.compact_files"),
            grace_current_s: short("export.grace_current_s"),
            grace_s: short("export.grace_s"),
            log_days: short("export.log_days"),
        }
    }

    fn export(&self) -> ExportConfig {
        ExportConfig {
            tables: self.text("export.tables") == "all",
            address: warehouse_export::table_store::Address::read(self.text("export.url")),
            clouds: self.clouds().to_vec(),
            request_ms_max: self.number("export.request_ms_max"),
            limits: self.export_limits(),
            retry_ms_max: self.number("export.retry_ms_max"),
        }
    }

    fn kafka(&self) -> KafkaConfig {
        let text = |name: &str| self.text(name).to_owned();
        let small = |name: &str| u32::try_from(self.number(name)).expect("the table bounds it");
        KafkaConfig {
            bootstrap: text("kafka.bootstrap"),
            listen: self.kafka_listen(),
            listen_connections_max: self.count("kafka.listen_connections_max"),
            groups_max: self.count("kafka.groups_max"),
            fetch_bytes_max: self.count("kafka.fetch_bytes_max"),
            topic_prefix: text("kafka.topic_prefix"),
            partitions: small("kafka.partitions"),
            replication: small("kafka.replication"),
            security: ingest::log::kafka::Security {
                protocol: text("kafka.security"),
                ca_file: text("kafka.ca_file"),
                mechanism: text("kafka.sasl_mechanism"),
                username: text("kafka.username"),
                password: text("kafka.password"),
            },
            answer_ms_max: self.number("kafka.answer_ms_max"),
            append_ms_max: self.number("kafka.append_ms_max"),
        }
    }

    /// A value that cannot be read as an address means no listener.
    fn kafka_listen(&self) -> Option<KafkaListenConfig> {
        let address = self.text("kafka.listen").parse().ok()?;
        Some(KafkaListenConfig { address, is_default: self.get("kafka.listen").1 == Origin::Default })
    }

    fn serving(&self) -> ServingConfig {
        ServingConfig {
            listen: self.text("serving.listen").parse().expect("only addresses are allowed"),
            operators_listen: self.text("admin.listen").parse().ok(),
            operators_connections_max: self.count("admin.connections_max"),
            hosts: self.texts("serving.hosts"),
            origins: self.texts("serving.origins"),
            cors_origins: self.texts("serving.cors_origins"),
            cors_credentials: self.text("serving.cors_credentials") == "true",
            behind_proxy: self.texts("serving.behind_proxy").iter().filter_map(|text| Network::read(text)).collect(),
            connections_per_ip: self.count("limits.connections_per_ip"),
            bytes_in_flight_max: self.count("serving.bytes_in_flight_max"),
            head_s_max: self.number("serving.head_s_max"),
            idle_s_max: self.number("serving.idle_s_max"),
            body_bytes_per_s_min: self.number("serving.body_bytes_per_s_min"),
            unread_bytes_max: self.count("serving.unread_bytes_max"),
            unread_ms_max: self.number("serving.unread_ms_max"),
            history_epochs: self.number("serving.history_epochs"),
            history_s: self.number("serving.history_s"),
            history_bytes: self.number("serving.history_bytes"),
            pinned_bytes_max: self.count("serving.pinned_bytes_max"),
            body_bytes_max: self.count("serving.body_bytes_max"),
            commands_bytes_max: self.count("serving.commands_bytes_max"),
            commands_lines_max: self.count("serving.commands_lines_max"),
            connections_max: self.count("serving.connections_max"),
            followers_max: self.count("serving.followers_max"),
            follower_bytes_max: self.count("serving.follower_bytes_max"),
            progress_ms: self.number("serving.progress_ms"),
            write_s_max: self.number("serving.write_s_max"),
            wait_s: self.number("serving.wait_s"),
            wait_s_max: self.number("serving.wait_s_max"),
            drain_s_max: self.number("serving.drain_s_max"),
        }
    }

    fn telemetry(&self) -> TelemetryConfig {
        let log_level = match self.text("telemetry.log_level") {
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "debug" => LogLevel::Debug,
            "trace" => LogLevel::Trace,
            _ => LogLevel::Info,
        };
        let log_format = match self.text("telemetry.log_format") {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            _ => LogFormat::Auto,
        };
        TelemetryConfig { log_level, log_format }
    }

    fn number(&self, name: &str) -> u64 {
        match &self.get(name).0 {
            Value::Number(number) => *number,
            Value::Text(_) => unreachable!("{name} is a number in the table of keys"),
        }
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).expect("a machine that runs this counts in 64 bits")
    }

    fn texts(&self, name: &str) -> Vec<String> {
        keys::listed(self.text(name)).map(str::to_owned).collect()
    }

    fn text(&self, name: &str) -> &str {
        match &self.get(name).0 {
            Value::Text(text) => text,
            Value::Number(_) => unreachable!("{name} is a text in the table of keys"),
        }
    }
}

impl Config {
    /// Refuses an address that can be reached from outside, unless that is allowed.
    pub fn refuse_open_listen(&self, insecure: bool) -> Result<(), Error> {
        let operators = self.serving.operators_listen.map(|listen| (listen, &self.operators_origin));
        let mut open = [(self.serving.listen, &self.listen_origin)].into_iter().chain(operators);
        match open.find(|(listen, _)| !insecure && !listen.ip().to_canonical().is_loopback()) {
            Some((listen, place)) => Err(Error::OpenListen { place: place.clone(), listen }),
            None => Ok(()),
        }
    }
}

/// The process's environment; what is not Unicode is none of ours.
pub fn environment() -> Vec<(String, String)> {
    let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(unicode).collect()
}

/// The folder with the data to test against; prints why a test is skipped without one, or fails where none may be.
#[cfg(any(test, feature = "testing"))]
pub fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("TRADEWIND_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        let why = "TRADEWIND_TEST_DATA does not name the folder with the data";
        assert!(std::env::var_os("TRADEWIND_TEST_NO_SKIP").is_none_or(|value| value != "1"), "{why}");
        // Written past the test harness, which keeps what passing tests print to itself.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {why}\n").as_bytes());
    }
    folder
}

#[cfg(test)]
mod tests;
