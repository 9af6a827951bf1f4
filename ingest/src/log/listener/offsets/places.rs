//! The places that groups have committed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A place up to which a group has read, or whatever else it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// What the group keeps beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
}

/// The places of one group, by topic and partition.
pub type Places = BTreeMap<String, BTreeMap<u32, Committed>>;

/// Those of all groups.
pub type Groups = BTreeMap<String, Places>;
