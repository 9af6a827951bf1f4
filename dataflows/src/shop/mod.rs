//! The shop: a folder for each part of what it does, with its commands, events, rows and rules; what they have in common
//! stands beside them.

pub mod adjustments;
pub mod bounds;
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
mod memo;
pub mod operations;
pub mod orders;
pub mod payments;
pub mod policy;
pub mod refunds;
pub mod returns;
pub mod row;
pub mod searches;
pub mod stock;

pub use context::Context;
pub use memo::CachedHash;
