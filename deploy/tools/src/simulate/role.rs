//! `tradewind simulate`: customers with books, against a node. Prints the outcome, and fails if the books differ.

use super::{Options, simulate};
use anyhow::{Context, Result, anyhow, ensure};
use node::client;
use serving::os_entropy;

/// The flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Commands a second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// The seconds to send for
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The seed of all choices [default: a random one]
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// The node
    #[arg(long, value_name = "URL", default_value = client::NODE)]
    to: String,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// Simulates, and fails unless the books and the shop agree.
pub fn run(Args { rate, seconds, seed, to, json }: Args) -> Result<()> {
    let seed = match seed {
        Some(seed) => seed,
        None => {
            let bytes = os_entropy()().map_err(|why| anyhow!(why))?;
            u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let again = || format!("seed {seed}; again: tradewind simulate --seed {seed} --rate {rate} --seconds {seconds}");
    let report = runtime.block_on(simulate(&Options { rate, seconds, seed, to })).with_context(again)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    ensure!(report.differences() == 0, "the books and the shop differ: {}", again());
    Ok(())
}
