//! Stock: what lies where, what is reserved, how it moves.

mod command;
mod event;
mod row;
pub(crate) mod rules;
pub(crate) mod stock_edit;

pub use command::{MoveReason, MoveStock, TransferStock};
pub use event::{
    InventoryReleased, InventoryReserved, LowStock, Reservation, StockMovement, StockReason, StockUpdated,
};
pub use row::{Stock, StockLocation};
