//! core
pub mod changes;
pub mod code;
pub mod command;
pub mod decider;
pub mod epoch;
pub mod event;
mod json;
pub mod money;
pub mod port;
pub mod rows;
pub mod time;
pub mod topic;
