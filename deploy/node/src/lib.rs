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
mod component_config;
pub mod config;
mod descriptors;
mod epoch_times;
pub mod export;
pub mod folder_lock;
pub mod gateway;
#[cfg(any(test, feature = "testing"))]
pub mod in_memory_shop;
mod kafka_listener;
mod late_bound;
pub mod log;
pub mod log_id;
mod malloc_workaround;
mod node;
mod operator;
pub mod output;
pub mod outputs;
pub mod place;
mod retention;
pub mod roles;
mod secrets;
pub mod service_manager;
pub mod telemetry;

pub use node::{Node, OpenNode, bytes_in};
pub use secrets::keep_to_ourselves;
