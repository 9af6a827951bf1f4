//! `tradewind bench`: which measurement runs.

use crate::cli::Bench;
use anyhow::{Result, bail};

/// Measures, and prints what was measured.
pub fn run(bench: Bench) -> Result<()> {
    match bench {
        Bench::Ingest(_) | Bench::Commands(_) | Bench::Reads(_) => bail!("bench is not wired yet"),
    }
}
