//! `tradewind topics`: makes and checks the topics of a cluster. Never changes or deletes one that is there.

use crate::config::{self, Flags, Settings};
use crate::output;
use anyhow::{Context, Result, bail};
use ingest::log::kafka::topics::{Difference, TopicLayout, Topics};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The request and its place.
#[derive(Debug, clap::Args)]
pub struct TopicsArgs {
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

/// The actions on topics.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum TopicsCommand {
    /// Makes those that are missing, then checks all; changes none that is there
    Create,
    /// Names what is not as configured; exits with 1 if anything is
    Check,
}

/// Does what was asked.
pub fn run(TopicsArgs { command, kafka, config, json }: TopicsArgs) -> Result<()> {
    let flags = Flags { kafka, ..Flags::default() };
    let (config, as_json) = (Settings::load(config.as_deref(), &config::environment(), flags)?.config(), json);
    let Some(kafka) = config.kafka() else { bail!("no brokers are named: give --kafka HOST:PORT") };
    let topics = Topics::open(&kafka, config.topics())?;
    let made = match command {
        TopicsCommand::Create => {
            let TopicLayout { partitions, replication, .. } = config.topics();
            topics
                .create()
                .with_context(|| format!("with {partitions} partitions and {replication} replicas of each"))?
        }
        TopicsCommand::Check => Vec::new(),
    };
    let differences = topics.check()?;
    output::print(&if as_json { as_json_text(&made, &differences)? } else { for_people(&made, &differences) })?;
    if !differences.is_empty() {
        bail!("{} of the topics' properties are not as configured; nothing was changed", differences.len());
    }
    Ok(())
}

fn as_json_text(made: &[String], differences: &[Difference]) -> Result<String> {
    let shown: Vec<Value> = differences
        .iter()
        .map(|Difference { topic, what, wanted, found }| {
            json!({"topic": topic, "what": what, "wanted": wanted, "found": found})
        })
        .collect();
    Ok(serde_json::to_string_pretty(&json!({"made": made, "differences": shown}))? + "\n")
}

fn for_people(made: &[String], differences: &[Difference]) -> String {
    let made = made.iter().map(|name| format!("made {name}\n"));
    let differences = differences.iter().map(|difference| format!("{difference}\n"));
    let lines: String = made.chain(differences).collect();
    if lines.is_empty() { "all topics are as configured\n".to_owned() } else { lines }
}
