//! `tradewind simulate`: customers who keep books, against a node. Prints what came of it, and fails if the books differ.

use crate::simulate::{Options, simulate};
use anyhow::{Context, Result, anyhow, ensure};
use serving::os_entropy;

/// What may be left open.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Commands a second.
    pub rate: u64,
    /// For how long.
    pub seconds: u64,
    /// What all choices follow from; chosen if absent.
    pub seed: Option<u64>,
    /// The node.
    pub to: String,
    /// Whether one JSON object is printed.
    pub json: bool,
}

/// Simulates, and says by its result whether the books and the shop agree.
pub fn run(asked: Asked) -> Result<()> {
    let Asked { rate, seconds, seed, to, json } = asked;
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
