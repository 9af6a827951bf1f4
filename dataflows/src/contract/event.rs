//! Events: what was decided, as facts. Their JSON is what `<domain>.events` carries; what only the views need (the
//! order of a refund) rides along unseen.

use crate::contract::epoch::Epoch;
use crate::contract::time::Timestamp;
use crate::shop::event::EventPayload;
use crate::shop::footprint::{Footprint, text};
use serde::{Serialize, Serializer, ser::SerializeMap};
use smol_str::SmolStr;

/// A decided fact and its place in the history of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The epoch that decided it.
    pub epoch: Epoch,
    /// Its place in the epoch, from 1.
    pub n: u64,
    /// The id of the command that caused it, or `timer:<what>`.
    pub cause: SmolStr,
    /// The epoch's `now`.
    pub at: Timestamp,
    /// Business time.
    pub occurred_at: Timestamp,
    /// The fact.
    pub fact: EventPayload,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("epoch", &self.epoch)?;
        map.serialize_entry("n", &self.n)?;
        map.serialize_entry("cause", &self.cause)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("occurred_at", &self.occurred_at)?;
        self.fact.entries(&mut map)?;
        map.end()
    }
}

impl Footprint for Event {
    fn heap_bytes(&self) -> usize {
        text(&self.cause) + self.fact.heap_bytes()
    }
}
