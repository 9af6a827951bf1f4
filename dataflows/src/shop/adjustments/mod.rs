//! Money without goods.

mod command;
mod event;
mod row;
pub(crate) mod rules;

pub use command::RecordAdjustment;
pub use event::AdjustmentRecorded;
pub use row::Adjustment;
