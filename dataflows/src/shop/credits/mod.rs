//! Credit notes without an order.

mod command;
mod event;
mod row;
pub(crate) mod rules;

pub use command::{CreditLineInput, RecordCredit};
pub use event::CreditRecorded;
pub use row::{Credit, CreditLine};
