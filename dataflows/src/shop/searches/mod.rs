//! Searches and clicks: facts from outside that are only counted.

pub mod observation;
