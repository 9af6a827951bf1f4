//! The rule of a command.

use super::tables::Tables;
use super::writes::Decision;
use crate::contract::code::Rejection;
use crate::shop::Context;

/// A command that can be decided. Its rule stands in its aggregate's folder.
pub trait Rule {
    /// What it leads to, or why it is refused.
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection>;
}
