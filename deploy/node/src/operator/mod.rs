//! The operator's requests to a node over HTTP, done by the node's parts. Not for the commands that ask.

pub mod checkpoints;
pub mod dead_letters;
