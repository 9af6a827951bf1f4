//! `tradewind up`: everything in one process.

use crate::config::Config;
use anyhow::{Result, bail};

/// Runs until it is told to stop.
pub fn run(_config: Config, _demo: bool) -> Result<()> {
    bail!("up is not wired yet")
}
