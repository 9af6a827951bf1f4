//! Shipping and delivering orders.

mod command;
pub(crate) mod rules;

pub use command::{DeliverOrder, RecordShipmentFailure, ShipOrder};
