//! Tools that work on nodes from outside: importers, customers with books of their own, the demo, benchmarks.
//!
//! ```text
//! importers, simulate, demo ──▶ client ──▶ REST of a node
//! bench ──▶ a node in this process, or one of its own beside it
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod bench;
pub mod demo;
pub mod importers;
pub mod simulate;
pub mod split_mix;
