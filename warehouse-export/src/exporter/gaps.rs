//! Which of its epochs a table lacks: a property of the table.

use crate::Error;
use crate::delta::Table;
use dataflows::contract::epoch::Epoch;
use serde::{Deserialize, Serialize};

/// The property that has the gaps, as JSON.
const GAPS: &str = "tradewind.gaps";

/// Epochs that a table lacks, since nobody had them any more when they were to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// What a table lacks.
pub fn gaps(table: &Table) -> Vec<Gap> {
    table.property(GAPS).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Notes that a table lacks what is between its own newest epoch, or `next` if that is later, and `last`.
pub fn lack(table: &mut Table, next: Epoch, last: Epoch) -> Result<(), Error> {
    let gap = Gap { from: next.max(table.epoch().next()).0, to: last.0 };
    if gap.from > gap.to {
        return Ok(());
    }
    let mut gaps = gaps(table);
    // One that was noted by somebody who then died begins there too.
    gaps.retain(|noted| noted.from < gap.from);
    gaps.push(gap);
    table.set_property(GAPS, serde_json::to_string(&gaps).expect("it has only numbers"))
}
