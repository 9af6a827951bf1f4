//! The result of a decision: the rows to write and the facts. Deciding changes nothing by itself.

use crate::shop::event::EventPayload;
use smallvec::SmallVec;
use std::sync::Arc;

/// Rows of one table; most decisions write one, if any.
pub type WrittenRows<R> = SmallVec<[Arc<R>; 1]>;

macro_rules! tables {
    ($($field:ident $variant:ident: $row:ty, $name:literal, $kind:ident;)*) => {
        /// The rows that a decision writes.
        #[derive(Debug, Default, PartialEq)]
        pub struct Writes {
            $(#[doc = concat!("Those of `", $name, "`.")] pub $field: WrittenRows<$row>,)*
        }
    };
}

crate::for_each_row!(tables tables);

/// The decision: nothing at all, for a repeat.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// The rows to write.
    pub writes: Writes,
    /// The facts, in order.
    pub facts: Vec<EventPayload>,
}
