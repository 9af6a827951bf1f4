//! The places that groups have committed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A place up to which a group has read, or whatever else it commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// The offset.
    pub offset: i64,
    /// The group's note beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
}

/// The places of one group, by topic and partition.
pub type CommittedOffsets = BTreeMap<String, BTreeMap<u32, CommittedOffset>>;

/// Those of all groups.
pub type GroupOffsets = BTreeMap<String, CommittedOffsets>;
