//! The binary: reads its arguments, does what they ask, and reports the outcome by its exit code.

mod cli;

use clap::Parser;
use cli::Cli;
use node::config;
use std::process::ExitCode;

/// Measured beside the system's allocator, replays decide about half as many commands again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    node::keep_to_ourselves();
    // clap itself exits with 2 after a usage error.
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tradewind: {error:#}");
            let is_usage = error.is::<config::Error>();
            ExitCode::from(if is_usage { 2 } else { 1 })
        }
    }
}
