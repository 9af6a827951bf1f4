//! Money without goods.

mod command;
mod row;
pub(crate) mod rules;

pub use command::RecordAdjustment;
pub use row::Adjustment;
