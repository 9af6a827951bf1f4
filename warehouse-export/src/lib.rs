//! The warehouse: what the shop published, as tables that analysts read. Delta tables of Parquet files, each row exactly
//! once, whatever crashed between.
//!
//! ```text
//! output topics ─▶ input (whole epochs) ─▶ exporter ─▶ tables (rows) ─▶ parquet file ─▶ delta log ─▶ place
//! ```
//!
//! The room follows the output topics at its own pace and knows nothing of the log, the core or HTTP: the node that wires it
//! hands it whole epochs (`input`). Which rows stand in which file is a function of the log alone, so a file that is
//! written again has the same name and the same bytes; that is why a crash at any step leaves neither gap nor overlap.
//!
//! Not here: answers to queries.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod delta;
mod error;
mod exporter;
pub mod input;
mod parquet_file;
pub mod schema;
pub mod sql;
pub mod table_store;
pub mod tables;

#[cfg(test)]
mod testing;

pub use error::Error;
pub use exporter::{CommitSummary, Config, Exporter, FileCounts, Gap, Problem, RowsOfView, TableStatus};
