//! The events of credit notes.

use crate::contract::domain::Domain;
use crate::shop::credits::Credit;
use crate::shop::event_spec::{Document, EventSpec};
use crate::shop::footprint::Footprint;
use serde::ser::SerializeMap;
use std::sync::Arc;

/// A credit note was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditRecorded(pub Arc<Credit>);

impl EventSpec for CreditRecorded {
    const DOMAIN: Domain = Domain::Orders;

    fn key(&self) -> &str {
        &self.0.credit_id
    }

    fn document(&self) -> Option<Document<'_>> {
        Some(Document::Credit(&self.0))
    }

    fn without_lines(&self) -> Self {
        CreditRecorded(Arc::new(self.0.without_lines()))
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("credit", &self.0)
    }
}

impl Footprint for CreditRecorded {
    fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}
