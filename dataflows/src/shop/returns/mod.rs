//! Goods of an order that come back.

mod command;
mod event;
pub(crate) mod rules;

pub use command::{ReturnItems, ReturnLine};
pub use event::{ItemsReturned, Return, ReturnedLine};
