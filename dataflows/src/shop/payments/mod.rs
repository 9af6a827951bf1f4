//! Payments of orders.

mod command;
mod event;
mod row;
pub(crate) mod rules;

pub use command::{PaymentMethod, PaymentResult, RecordPaymentResult};
pub use event::{MoneyMoved, PaymentFailed, PaymentProcessed, PaymentRequested};
pub use row::PaymentRow;
