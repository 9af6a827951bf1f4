//! Money of an order that goes back without goods.

mod command;
mod event;
pub(crate) mod rules;

pub use command::IssueRefund;
pub use event::{RefundIssued, RefundKind};
