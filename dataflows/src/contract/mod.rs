//! The input and output of the core: epochs and topics, inputs, events, changes, and the values that they have.

pub mod changes;
pub mod code;
pub mod domain;
pub mod epoch;
pub mod event;
pub mod input;
mod json;
pub mod money;
pub mod time;
pub mod topic;
