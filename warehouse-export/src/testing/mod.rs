//! Twins for tests: places that fail on demand or are written to by others, and a shop that makes epochs from a seed.

pub mod flaky;
pub mod home;
pub mod meddled;
pub mod readers;
pub mod shop;
