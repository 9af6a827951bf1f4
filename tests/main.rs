//! What takes more than one room to test: the shop against a model of its own, the log against its replay, the whole
//! process against the contract.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

mod architecture;
mod bank;
mod contract;
mod from_events;
mod fuzz;
mod golden_log;
mod model;
mod outputs;
mod process;
mod restore;
mod rule_s;
mod search;
mod searches;
mod simulate;
mod simulation;
mod support;
