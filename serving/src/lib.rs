//! The serving room: the shop at an epoch, and HTTP over it.
//!
//! ```text
//! Changes ──▶ Shop (the store: every view, the last epochs) ──▶ routes ──▶ answers, exact for an epoch
//!                   ▲ waits for the outcome                        │
//!                   └──────────── CommandLog ◀── commands ◀────────┘
//! ```
//!
//! A [`ViewStore`] is the core's sink; [`serve`] answers requests from it and writes commands back to the log.
//! Not for deciding, and not for the log: those come in through `dataflows::ports`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may end where it stands"))]

mod activity;
mod app;
pub mod asyncapi;
mod checkpoint_admin;
mod commands;
mod config;
mod dead_letter_admin;
mod error;
mod exports;
pub mod http;
mod no_finder;
mod node_status;
pub mod openapi;
mod progress;
pub mod routes;
pub mod shop;
pub mod store;

#[cfg(test)]
mod tests;

pub use app::{App, Entropy};
pub use checkpoint_admin::{CheckpointAdmin, CheckpointJson, NoKeeper};
pub use config::Config;
pub use dead_letter_admin::{
    BytesJson, DeadLetterAdmin, EditJson, LetterError, LetterJson, LetterQuery, NoLetters, RecordJson,
};
pub use error::Error;
pub use exports::{
    CompactedJson, ExportJson, Exports, GapJson, NoExports, TableJson, TableProblemJson, VacuumedJson, VerifiedJson,
};
pub use http::empty::serve_empty;
pub use http::server::{Parts, os_entropy, serve, service};
pub use no_finder::NoFinder;
pub use node_status::{Gauge, Histogram, NodeStatus, OutputsFloor, SINKS, Standstill, VitalsSource};
pub use shop::ViewStore;
