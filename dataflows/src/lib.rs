//! core
pub mod changes;
pub mod code;
pub mod command;
pub mod epoch;
mod json;
pub mod money;
pub mod port;
pub mod time;
pub mod topic;
