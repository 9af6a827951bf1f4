//! The row of the policy.

use crate::engine::encoding::encode_struct;
use crate::shop::footprint::Footprint;
use crate::shop::row::{Row, TableRow, View};
use serde::Serialize;
use std::borrow::Cow;

/// The settings that decisions depend on beside the commands. There is a row once one was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Seconds that a sandbox payment may take.
    pub payment_timeout_s: i64,
    /// Seconds that an external payment may take.
    pub payment_timeout_external_s: i64,
    /// Seconds that command ids are remembered.
    pub id_memory_s: i64,
    /// The number of lines that an order or a credit may have.
    pub order_lines_max: i64,
    /// The number of dead letters of a topic that keep their bytes in a minute.
    pub dead_letters_per_min: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            payment_timeout_s: 900,
            payment_timeout_external_s: 86_400,
            id_memory_s: 604_800,
            order_lines_max: 1_500,
            dead_letters_per_min: 600,
        }
    }
}

impl Row for Policy {
    const VIEW: View = View::Policy;

    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.id())
    }
}

impl TableRow for Policy {
    fn id(&self) -> &str {
        "policy"
    }
}

encode_struct! {
    Policy { payment_timeout_s, payment_timeout_external_s, id_memory_s, order_lines_max, dead_letters_per_min }
}

impl Footprint for Policy {
    fn heap_bytes(&self) -> usize {
        0
    }
}
