//! The search room: the product index as a view, and its queries.
//!
//! ```text
//! Changes ──▶ index: a document a product, committed with its epoch ──▶ snapshots ──▶ queries ──▶ hits, exact for it
//! ```
//!
//! [`open`] gives the core's sink and what answers through the port [`dataflows::ports::product_search`].
//! The index holds texts only: prices come from the rows that it shares with the store, stock from the store itself,
//! both at the epoch of the answer. Not for HTTP, and not for the shop's state.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

mod config;
mod document;
mod error;
mod index;
mod query;
mod text;

#[cfg(test)]
mod testing;

pub use config::{Config, Limits, RankingWeights};
pub use error::Error;
pub use index::IndexSink;
pub use query::ProductIndex;
pub use text::synonyms::Synonyms;

use dataflows::contract::epoch::Epoch;
use std::path::Path;
use std::sync::Arc;

/// Opens the index of a folder, or makes it: the sink that feeds it, and what answers from it. `log_end` is the last
/// epoch that the log has now.
pub fn open(config: Config, folder: &Path, log_end: Epoch) -> Result<(IndexSink, ProductIndex), Error> {
    let (sink, shelf) = index::open(&config, folder, log_end)?;
    Ok((sink, ProductIndex::new(Arc::new(config), shelf)))
}
