//! Twins for tests: a folder that fails on demand, and a shop that makes epochs from a seed.

pub mod flaky;
pub mod readers;
pub mod shop;
