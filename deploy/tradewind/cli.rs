//! The command line: what may be typed, and which role it starts. Not for what the roles do.

use crate::config::{Flags, Settings};
use crate::place::{Named, Place};
use crate::service_manager::ServiceManager;
use crate::telemetry::Logging;
use crate::{client, config, importers, roles, telemetry, zeroed};
use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A shop's state as maintained dataflows, over one log.
#[derive(Debug, Parser)]
#[command(name = "tradewind", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything in one process
    Up(Up),
    /// Replays a data file as commands
    #[command(subcommand)]
    Import(Import),
    /// Lets seeded customers browse, order, pay, cancel and return, and compares their books with the shop's
    Simulate(Simulate),
    /// Shows one screen about a running node, or about the folder of one
    Status(PlaceFlags),
    /// Takes, lists, checks and copies checkpoints
    Checkpoint(Checkpoint),
    /// Shows records that could not be read, publishes them again, or throws them away
    Dlq(Dlq),
    /// Checks and tidies the tables for analysts
    Export(Export),
    /// Makes and checks the topics of a Kafka cluster
    Topics(Topics),
    /// Shows the configuration
    #[command(subcommand)]
    Config(Config),
    /// Prints the version
    Version,
    /// Measures, and prints what was measured on what
    #[command(subcommand)]
    Bench(Bench),
}

/// What `up` takes.
#[derive(Clone, Debug, Args)]
pub struct Up {
    /// What stands over the configuration.
    #[command(flatten)]
    pub flags: ConfigFlags,
    /// Also loads a small built-in shop and runs light traffic
    #[arg(long)]
    pub demo: bool,
    /// Allows a --listen beyond loopback, where every caller then has all rights
    #[arg(long)]
    pub insecure: bool,
}

/// Flags that stand over the configuration.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigFlags {
    /// The folder of all state [default: ./tradewind-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where HTTP is served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// How many workers run the dataflow [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=config::WORKERS_MAX))]
    workers: Option<u64>,
    /// The brokers whose topics are the log [default: the embedded log]
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Where Kafka clients reach the embedded log; none: nowhere [default: 127.0.0.1:9092, or a free port]
    #[arg(long, value_name = "ADDR")]
    kafka_listen: Option<String>,
    /// A file of configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Import {
    /// Imports the invoices of the UCI Online Retail data (Parquet); safe to repeat
    OnlineRetail {
        /// The file
        file: PathBuf,
        /// The node
        #[arg(long, value_name = "URL", default_value = client::NODE)]
        to: String,
    },
    /// Imports a file of products with prices in EUR (Parquet, the columns of the Icecat catalogue); safe to repeat
    Catalog {
        /// The file
        file: PathBuf,
        /// The node
        #[arg(long, value_name = "URL", default_value = client::NODE)]
        to: String,
    },
}

#[derive(Debug, Args)]
struct Simulate {
    /// Commands a second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// For how long
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// What all choices follow from [default: a random one]
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// The node
    #[arg(long, value_name = "URL", default_value = client::NODE)]
    to: String,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What a command looks at. With neither --to nor --data it is the node at the default address, and if none answers there,
/// the folder that is configured.
#[derive(Clone, Debug, Args)]
struct PlaceFlags {
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
    /// What is looked at, and whether JSON is printed.
    fn place(self) -> Result<(Place, bool)> {
        let PlaceFlags { data, config, to, json } = self;
        Ok((Place::find(Named { to, data, config })?, json))
    }
}

#[derive(Debug, Args)]
struct Checkpoint {
    #[command(subcommand)]
    command: CheckpointCommand,
    #[command(flatten)]
    at: PlaceFlags,
}

/// What can be done with checkpoints.
#[derive(Clone, Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Takes one now
    Now,
    /// Lists them, the newest first
    List,
    /// Reads each as a restart would; exits with 1 and names the file that is damaged
    Verify,
    /// Copies the newest one and the log after it into an empty folder, from which `up --data` continues
    Copy {
        /// The folder
        #[arg(value_name = "DIR")]
        to_dir: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Dlq {
    #[command(subcommand)]
    command: DlqCommand,
    #[command(flatten)]
    at: PlaceFlags,
}

/// What can be done with dead letters. A letter is named by its place in the log, like `orders.commands/3/17`.
#[derive(Clone, Debug, Subcommand)]
pub enum DlqCommand {
    /// Lists those that nobody has dealt with
    List {
        /// Also those that were redriven or discarded
        #[arg(long)]
        all: bool,
    },
    /// Shows one with its record
    Show {
        /// Its place
        #[arg(value_name = "PLACE")]
        origin: String,
        /// Writes the record's value as it is, and nothing else
        #[arg(long, conflicts_with = "json")]
        value: bool,
    },
    /// Publishes letters again to their topic, as they were or mended; what still cannot be read comes back as a new letter
    Redrive {
        /// Their places
        #[command(flatten)]
        which: Which,
        /// Another key
        #[arg(long)]
        key: Option<String>,
        /// A file with another value
        #[arg(long, value_name = "FILE")]
        value: Option<PathBuf>,
        /// A header that replaces those of its name, or is added
        #[arg(long, value_name = "NAME=VALUE")]
        header: Vec<String>,
    },
    /// Throws letters away
    Discard {
        /// Their places
        #[command(flatten)]
        which: Which,
    },
}

/// Some letters, or all that are open.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Their places
    #[arg(value_name = "PLACE")]
    pub origins: Vec<String>,
    /// All that nobody has dealt with
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
struct Export {
    #[command(subcommand)]
    command: ExportCommand,
    #[command(flatten)]
    at: PlaceFlags,
}

/// What can be done with the tables for analysts.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ExportCommand {
    /// Reads every table, and holds it against the node's views at the same epoch; exits with 1 and names what differs
    Verify,
    /// Merges small files; who reads a folder without its Delta log sees rows twice from then on, until vacuum
    Compact,
    /// Deletes files that no longer belong to a table
    Vacuum {
        /// For how long, by the epochs' time: somebody may still read them
        #[arg(long, value_name = "N", default_value_t = 168, value_parser = clap::value_parser!(u64).range(0..=168))]
        older_than_hours: u64,
    },
    /// Removes the tables of a stopped node and the outputs that they are made of; the next start writes both again from the
    /// log, the same. If the log no longer reaches back to its beginning, lets the tables go on after what nobody has any
    /// more, and each notes what it lacks
    Rebuild,
    /// Prints a view of each table under its name over the files that it has now, and `revenue`
    Sql {
        /// For whom; polars is Python
        dialect: Dialect,
    },
}

/// Whom the tables are printed for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Dialect {
    /// DuckDB 1.5 or 2, which needs no extension
    Duckdb,
    /// Spark with Delta Lake
    Spark,
    /// Synapse serverless
    Synapse,
    /// Polars
    Polars,
}

#[derive(Debug, Args)]
struct Topics {
    #[command(subcommand)]
    command: TopicsCommand,
    /// The brokers [default: kafka.bootstrap of the configuration]
    #[arg(long, value_name = "HOST:PORT", global = true)]
    kafka: Option<String>,
    /// A file of configuration (TOML)
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Prints JSON
    #[arg(long, global = true)]
    json: bool,
}

/// What can be done with topics.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum TopicsCommand {
    /// Makes those that are missing, then checks all; changes none that is there
    Create,
    /// Says what is not as configured; exits with 1 if anything is
    Check,
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Prints every key with its value, its unit and where it came from
    Show {
        #[command(flatten)]
        flags: ConfigFlags,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// What can be measured.
#[derive(Clone, Debug, Subcommand)]
pub enum Bench {
    /// How fast the log takes records
    Ingest(BenchFlags),
    /// How fast commands are decided, and how soon they are seen
    Commands(BenchFlags),
    /// How fast point reads are answered, beside an empty handler
    Reads(BenchFlags),
    /// How long a restart takes and how much memory, by the number of orders; what a checkpoint takes and costs
    Restart {
        /// What all take.
        #[command(flatten)]
        flags: BenchFlags,
        /// How many orders the states have
        #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000],
            value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
        orders: Vec<u64>,
    },
    /// How fast the tables for analysts are written, beside DuckDB's COPY of the same rows
    Export {
        /// What every measurement takes
        #[command(flatten)]
        flags: BenchFlags,
        /// A Python that has duckdb
        #[arg(long, value_name = "FILE", default_value = "python3")]
        python: PathBuf,
    },
    /// Measures two binaries in turn, each by its own bench, and says what of the second is better or worse
    Compare {
        /// What every measurement takes
        #[command(flatten)]
        flags: BenchFlags,
        /// A binary
        a: PathBuf,
        /// Another one
        b: PathBuf,
        /// What to measure, with its own flags: commands,"restart --orders 10000" [default: all that need no file]
        #[arg(long, value_name = "BENCH,BENCH", value_delimiter = ',')]
        only: Vec<String>,
        /// How often each binary measures
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        runs: u32,
    },
    /// How fast products are found, and how soon a changed one is
    Search {
        /// What every measurement takes
        #[command(flatten)]
        flags: BenchFlags,
        /// A file of products, as `import catalog` takes it [default: a made-up catalogue]
        #[arg(long, value_name = "FILE")]
        products: Option<PathBuf>,
        /// A file with a query at the start of each line but the first [default: words of the titles]
        #[arg(long, value_name = "FILE")]
        queries: Option<PathBuf>,
    },
    /// What attackers and accidents send, each case against a fresh node of its own; exits with 1 if one does not hold
    #[command(after_help = roles::bench::hostile_cases())]
    Hostile {
        /// What every measurement takes
        #[command(flatten)]
        flags: BenchFlags,
        /// Only these cases [default: all]
        #[arg(long, value_name = "C1,H2", value_delimiter = ',')]
        only: Vec<String>,
    },
}

/// What every measurement takes.
#[derive(Clone, Debug, Args)]
pub struct BenchFlags {
    /// Prints one JSON object
    #[arg(long)]
    pub json: bool,
}

impl ConfigFlags {
    fn settings(self) -> Result<Settings> {
        let ConfigFlags { data, listen, workers, kafka, kafka_listen, config } = self;
        let flags = Flags { data, listen, workers, kafka, kafka_listen };
        Ok(Settings::load(config.as_deref(), &config::environment(), flags)?)
    }
}

/// Reads the configuration again for a node that runs, and tells what of it waits for the next start.
fn reread(started_with: &Settings, flags: ConfigFlags, logging: &Logging) -> Result<()> {
    let settings = flags.settings()?;
    let log_level = settings.config().telemetry.log_level;
    logging.set_level(log_level)?;
    let waits: Vec<&str> = started_with.differences(&settings).filter(|key| !config::RELOADED.contains(key)).collect();
    tracing::info!(?log_level, waits_for_a_restart = waits.join(", "), "the configuration was read again");
    Ok(())
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Up(Up { flags, demo, insecure }) => {
                let settings = flags.clone().settings()?;
                let config = settings.config();
                config.refuse_open_listen(insecure)?;
                let environment = config::environment();
                if config.kafka().is_some() {
                    zeroed::ensure(&environment)?;
                }
                let logging = telemetry::start(&config.telemetry)?;
                let manager = ServiceManager::of(&environment);
                let reread = Box::new(move || reread(&settings, flags.clone(), &logging));
                roles::up::run(config, roles::up::Around { with_demo: demo, reread, manager })
            }
            Command::Import(Import::OnlineRetail { file, to }) => importers::online_retail::run(&file, &to),
            Command::Import(Import::Catalog { file, to }) => importers::catalog::run(&file, &to),
            Command::Simulate(Simulate { rate, seconds, seed, to, json }) => {
                roles::simulate::run(roles::simulate::Asked { rate, seconds, seed, to, json })
            }
            Command::Status(at) => {
                let (place, json) = at.place()?;
                roles::status::run(&place, json)
            }
            Command::Checkpoint(Checkpoint { command, at }) => {
                let (place, json) = at.place()?;
                roles::checkpoint::run(command, &place, json)
            }
            Command::Dlq(Dlq { command, at }) => {
                let (place, json) = at.place()?;
                roles::dlq::run(command, &place, json)
            }
            Command::Export(Export { command, at }) => {
                let (place, json) = at.place()?;
                roles::export::run(command, &place, json)
            }
            Command::Topics(Topics { command, kafka, config, json }) => {
                let flags = Flags { kafka, ..Flags::default() };
                let settings = Settings::load(config.as_deref(), &config::environment(), flags)?;
                roles::topics::run(command, &settings.config(), json)
            }
            Command::Config(Config::Show { flags, json }) => roles::config_show::run(&flags.settings()?, json),
            Command::Version => {
                println!("tradewind {}", env!("CARGO_PKG_VERSION"));
                Ok(())
            }
            Command::Bench(bench) => roles::bench::run(bench),
        }
    }
}
