//! Twins for tests: places that fail on demand or are written to by others, and a shop that makes epochs from a seed.

pub mod concurrent_writer;
pub mod flaky;
pub mod home;
pub mod readers;
pub mod shop;
