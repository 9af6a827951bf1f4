//! The events of money without goods.

use crate::contract::domain::Domain;
use crate::shop::adjustments::Adjustment;
use crate::shop::event_spec::EventSpec;
use crate::shop::footprint::Footprint;
use serde::ser::SerializeMap;
use std::sync::Arc;

/// Money without goods was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentRecorded(pub Arc<Adjustment>);

impl EventSpec for AdjustmentRecorded {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.0.adjustment_id
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("adjustment", &self.0)
    }
}

impl Footprint for AdjustmentRecorded {
    fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}
