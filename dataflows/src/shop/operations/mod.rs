//! The outcomes of commands: the memory of their ids.

mod row;

pub use row::{Ids, IdsJson, Operation};
