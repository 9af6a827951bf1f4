//! `tradewind import online-retail`: the invoice lines of the UCI Online Retail file as commands.
//!
//! ```text
//! file ──▶ rows ──▶ mapping: an invoice's commands ──▶ sender ──▶ POST /api/v1/commands
//! ```

pub mod mapping;
pub mod rows;

use crate::importers::report::{progress, report};
use crate::importers::sender::{HttpNode, Sender, Tally};
use anyhow::{Context, Result};
use mapping::Mapping;
use node::client::Client;
use rows::Rows;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

/// Imports the file, and fails if a command was refused.
pub fn run(file: &Path, to: &str) -> Result<()> {
    let client = Client::new(to)?;
    // Both are seen before the file is read, which takes a while.
    File::open(file).with_context(|| file.display().to_string())?;
    client.ensure_reachable()?;
    let rows = Rows::read(file)?;
    let progress = progress(rows.lines.len() as u64)?;
    let started = Instant::now();
    let tell = |why: &str| progress.set_message(why.to_owned());
    let tally = send(&rows, Sender::new(HttpNode { client: &client, tell: &tell }), &|lines| {
        progress.inc(lines);
        progress.set_message("");
    })?;
    progress.finish_and_clear();
    report(&tally, rows.lines.len() as u64, started.elapsed().as_secs_f64())
}

/// Sends the commands of all rows; calls `sent` with the number of lines of each invoice.
fn send(rows: &Rows, mut sender: Sender<HttpNode<'_>>, sent: &dyn Fn(u64)) -> Result<Tally> {
    for invoice in Mapping::new(rows) {
        let invoice = invoice?;
        for identified in &invoice.commands {
            sender.add(&identified.id, &identified.command)?;
        }
        sent(invoice.lines as u64);
    }
    sender.finish()
}

#[cfg(test)]
mod tests;
