//! The pure core of Tradewind: no IO, no clock, no environment, no randomness, no logging.
//!
//! ```text
//! Source ──▶ decider ──▶ rows of tables, facts ──▶ revenue ──▶ invariants ──▶ Changes ──▶ Sink
//! (ingest)   one worker        all workers          tally       reduce       a shard a worker
//! ```
//!
//! A [`port::Source`] gives each worker the sealed epochs and its share of their records; the decider runs an epoch's
//! commands one after another; the views follow; [`changes::Changes`] leave, an epoch at a time.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

mod assembly;
pub mod base;
pub mod budget;
pub mod changes;
pub mod code;
pub mod command;
pub mod decider;
pub mod engine;
pub mod epoch;
pub mod event;
pub mod finder;
pub mod footprint;
mod graph;
mod json;
pub mod money;
pub mod observation;
mod operators;
mod pipeline;
pub mod port;
pub mod rows;
pub mod stepped;
pub mod stored;
pub mod time;
pub mod topic;
mod views;
