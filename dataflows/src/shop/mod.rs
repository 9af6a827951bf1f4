//! The shop: a folder for each part of what it does, with its commands, events, rows and rules; what they have in common
//! stands beside them.

pub mod adjustments;
mod cached_hash;
pub mod catalogue;
pub mod command;
mod context;
pub mod credits;
pub mod dead_letters;
pub mod decider;
mod defaults;
pub mod event;
pub mod footprint;
pub mod fulfilment;
pub mod operations;
pub mod orders;
pub mod payments;
pub mod policy;
pub mod refunds;
pub mod returns;
pub mod row;
pub mod searches;
pub mod stock;
pub mod validation;

pub use cached_hash::CachedHash;
pub use context::Context;
