//! A node: configuration, wiring, and the roles that a process of it can have.
//!
//! ```text
//! arguments ─▶ roles: up (log, engine, store, HTTP in one process), status, checkpoint, dlq, export, topics, config show
//!      config ──┘  └▶ client ──▶ REST of a node that runs
//! ```
//!
//! Only here are parts wired together. Not for what is done with nodes from outside: see the tools.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

pub mod arguments;
pub mod client;
pub mod config;
mod descriptors;
mod epoch_times;
pub mod export;
pub mod gateway;
pub mod held;
mod kafka_listener;
mod late;
pub mod log;
pub mod log_id;
mod node;
mod operator;
pub mod output;
pub mod outputs;
pub mod place;
mod retention;
pub mod roles;
mod rooms;
mod secrets;
pub mod service_manager;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod twin;
mod zeroed;

pub use node::{Node, OpenNode, bytes_in};
pub use secrets::keep_to_ourselves;
