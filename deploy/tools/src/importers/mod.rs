//! The importers: data files of others as commands. What they share is here, one importer a file.

pub mod catalog;
pub mod online_retail;
pub mod parquet_file;
pub mod report;
pub mod sender;

use anyhow::Result;
use node::client;
use std::path::PathBuf;

/// The data that can be imported.
#[derive(Debug, clap::Subcommand)]
pub enum Import {
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

/// Replays a file as commands.
pub fn run(import: Import) -> Result<()> {
    match import {
        Import::OnlineRetail { file, to } => online_retail::run(&file, &to),
        Import::Catalog { file, to } => catalog::run(&file, &to),
    }
}
