//! The process: roles, importers, configuration, wiring.
//!
//! ```text
//! arguments ─▶ cli ─▶ roles: up (log, engine, store, HTTP in one process), status, bench, config show
//!      config ──┘  └▶ importers, demo ──▶ client ──▶ REST of a node
//! ```
//!
//! Only here are parts wired together, and only here do arguments, the environment and the terminal count.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
mod descriptors;
mod epoch_times;
pub mod export;
pub mod gateway;
pub mod held;
pub mod importers;
mod kafka_listener;
mod late;
pub mod log;
pub mod log_id;
pub mod node;
pub mod numbers;
mod operator;
pub mod output;
pub mod outputs;
pub mod place;
mod retention;
pub mod roles;
mod rooms;
mod secrets;
pub mod service_manager;
pub mod simulate;
pub mod telemetry;
#[cfg(test)]
mod twin;
mod zeroed;

pub use secrets::keep_to_ourselves;
