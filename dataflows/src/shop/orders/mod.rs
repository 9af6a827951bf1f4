//! Orders: placing, their states, calling them off.

pub(crate) mod cancel;
mod command;
mod event;
mod row;
pub(crate) mod rules;
pub(crate) mod state;

pub use command::{CancelOrder, PlaceLine, PlaceOrder, PlacePayment};
pub use event::{OrderCancelled, OrderCreated, OrderRejected, OrderUpdated};
pub use row::{Allocation, History, Order, OrderLine, OrderStatus, Payment, PaymentStatus, Shipment, ShipmentStatus};
