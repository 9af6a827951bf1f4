//! HTTP as this room speaks it: a call comes in, an answer or a problem goes out. Not for any one route.

pub mod answer;
pub mod call;
pub mod compress;
pub mod cursor;
pub mod empty;
mod encode;
pub mod fresh;
pub mod front;
pub mod guard;
pub mod json;
pub mod list;
pub mod peer;
pub mod places;
pub mod problem;
pub mod query;
pub mod server;
pub mod traffic;
pub mod wire;
