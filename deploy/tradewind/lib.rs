//! The process: roles, importers, configuration, wiring.
//!
//! ```text
//! arguments ─▶ cli ─▶ roles: up (log, engine, store, HTTP in one process), status, bench, config show
//!      config ──┘  └▶ importers, demo ──▶ client ──▶ REST of a node
//! ```
//!
//! Only here are parts wired together, and only here do arguments, the environment and the terminal count.

pub mod client;
mod config;
pub mod importers;
