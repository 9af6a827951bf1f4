//! Flags that several roles have.

use crate::config::{self, Flags, Settings};
use crate::place::{Place, PlaceNames};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Flags that override the configuration.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigFlags {
    /// The folder of all state [default: ./tradewind-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address that HTTP is served at [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The number of workers that run the dataflow [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=config::WORKERS_MAX))]
    workers: Option<u64>,
    /// The brokers whose topics are the log [default: the embedded log]
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// The address of the embedded log for Kafka clients; none: no listener [default: 127.0.0.1:9092, or a free port]
    #[arg(long, value_name = "ADDR")]
    kafka_listen: Option<String>,
    /// A file of configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFlags {
    /// The configuration, with these flags over the environment and the file.
    pub fn settings(self) -> Result<Settings> {
        let ConfigFlags { data, listen, workers, kafka, kafka_listen, config } = self;
        let flags = Flags { data, listen, workers, kafka, kafka_listen };
        Ok(Settings::load(config.as_deref(), &config::environment(), flags)?)
    }
}

/// The target of a command. With neither --to nor --data it is the node at the default address, or if none answers,
/// the folder that is configured.
#[derive(Clone, Debug, Args)]
pub struct PlaceFlags {
    /// A node's folder of all state, while no node runs there [default: ./tradewind-data, if no node answers]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// A file of configuration (TOML) for the folder
    #[arg(long, value_name = "FILE", conflicts_with = "to", global = true)]
    config: Option<PathBuf>,
    /// The node, while it runs [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", conflicts_with = "data", global = true)]
    to: Option<String>,
    /// Prints one JSON object
    #[arg(long, global = true)]
    json: bool,
}

impl PlaceFlags {
    /// The target, and true if JSON is printed.
    pub fn place(self) -> Result<(Place, bool)> {
        let PlaceFlags { data, config, to, json } = self;
        Ok((Place::find(PlaceNames { to, data, config })?, json))
    }
}
