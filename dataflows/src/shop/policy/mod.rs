//! The policy: what decisions depend on beside the commands.

mod command;
mod row;
pub(crate) mod rules;

pub use command::PutPolicy;
pub use row::Policy;
