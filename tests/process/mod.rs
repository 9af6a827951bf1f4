//! The real binary in a process of its own, seen as outsiders see it: arguments, exit codes, HTTP, signals.
//! Not for what can be tested within a room.

mod buyers;
mod checkpoints;
mod cli;
mod contract;
mod dead_letters;
mod env;
mod faults;
mod http;
mod kafka;
mod kills;
mod listener;
mod metrics;
mod modes;
mod online_retail;
mod program;
mod restart;
mod retention;
mod search;
mod shop;
mod signals;
mod tour;
mod warehouse;

pub use env::{TestEnv, Way};
pub use http::{Answer, Api, at_once};
pub use program::{Program, ProgramExit};
