//! The pure core of Tradewind: no IO, no clock, no environment, no randomness, no logging.
//!
//! ```text
//! Source ──▶ decider ──▶ rows of tables, facts ──▶ revenue ──▶ invariants ──▶ Changes ──▶ Sink
//! (ingest)   one worker        all workers          tally       reduce       a shard a worker
//! ```
//!
//! A [`ports::Source`] gives each worker the sealed epochs and its share of their records; the decider runs an epoch's
//! commands one after another; the views follow; [`contract::changes::Changes`] leave, an epoch at a time.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod contract;
pub mod engine;
pub mod ports;
pub mod shop;
pub mod views;
