//! HTTP as this room speaks it: a call comes in, an answer or a problem goes out. Not for any one route.

pub mod answer;
pub mod blocking;
pub mod call;
pub mod compress;
pub mod connection_slots;
pub mod cursor;
pub mod empty;
mod encode;
pub mod front;
pub mod guard;
pub mod json;
pub mod list;
pub mod peer;
pub mod problem;
pub mod query;
pub mod read_epoch;
pub mod route_metrics;
pub mod server;
pub mod wire;
