//! The rule of a command.

use super::tables::Tables;
use super::writes::Decision;
use crate::contract::code::Rejection;
use crate::shop::Context;
use crate::shop::field::Faults;

/// A command that can be decided. Its rule is in its aggregate's folder.
pub trait Rule {
    /// Names what is out of bounds beyond the types of its fields: bounds that depend on each other, or on state.
    fn check_bounds(&self, _: &Tables, _: &mut Faults) {}

    /// The decision, or why it is refused. The command is within its bounds.
    fn decide(&self, tables: &Tables, context: &Context) -> Result<Decision, Rejection>;
}
