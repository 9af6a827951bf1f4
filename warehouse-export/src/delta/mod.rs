//! Delta tables: which files belong to a table at which version, by a log of commits beside them. Reader version 1 and
//! writer version 2, which every reader knows: no deletion vectors, no column mapping, no new kinds of checkpoints. Not
//! for which rows there are.

pub mod action;
mod checkpoint;
mod state;
mod stats;
mod table;
#[cfg(test)]
mod tests;

pub use state::State;
pub use stats::{ReadStats, Stats};
pub(crate) use table::put;
pub use table::{About, CHECKPOINT_COMMITS, Retention, Table, millis};
