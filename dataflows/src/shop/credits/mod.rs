//! Credit notes without an order.

mod command;
mod row;
pub(crate) mod rules;

pub use command::{CreditLineInput, RecordCredit};
pub use row::{Credit, CreditLine};
