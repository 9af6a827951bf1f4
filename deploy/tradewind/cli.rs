//! The command line: which roles and tools there are. The arguments of each are with it.

use anyhow::Result;
use clap::{Parser, Subcommand};
use node::arguments::PlaceFlags;
use node::roles;
use tools::bench::{self, Bench};
use tools::importers::{self, Import};
use tools::{demo, simulate};

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
    Up(roles::up::UpArgs),
    /// Replays a data file as commands
    #[command(subcommand)]
    Import(Import),
    /// Lets seeded customers browse, order, pay, cancel and return, and compares their books with the shop's
    Simulate(simulate::Args),
    /// Shows one screen about a running node, or about the folder of one
    Status(PlaceFlags),
    /// Takes, lists, checks and copies checkpoints
    Checkpoint(roles::checkpoint::CheckpointArgs),
    /// Shows records that could not be read, publishes them again, or throws them away
    Dlq(roles::dlq::DlqArgs),
    /// Checks and tidies the tables for analysts
    Export(roles::export::ExportArgs),
    /// Makes and checks the topics of a Kafka cluster
    Topics(roles::topics::TopicsArgs),
    /// Shows the configuration
    #[command(subcommand)]
    Config(roles::config_show::ConfigCommand),
    /// Prints the version
    Version,
    /// Measures, and prints what was measured on what
    #[command(subcommand)]
    Bench(Bench),
}

/// The shop and the traffic of `up --demo`.
const DEMO: roles::up::Demo = roles::up::Demo { run: demo::run, welcome: demo::welcome };

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Up(args) => roles::up::run(args, DEMO),
            Command::Import(import) => importers::run(import),
            Command::Simulate(args) => simulate::run(args),
            Command::Status(at) => roles::status::run(at),
            Command::Checkpoint(args) => roles::checkpoint::run(args),
            Command::Dlq(args) => roles::dlq::run(args),
            Command::Export(args) => roles::export::run(args),
            Command::Topics(args) => roles::topics::run(args),
            Command::Config(command) => roles::config_show::run(command),
            Command::Version => {
                println!("tradewind {}", env!("CARGO_PKG_VERSION"));
                Ok(())
            }
            Command::Bench(bench) => bench::run(bench),
        }
    }
}
