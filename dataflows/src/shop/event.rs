//! The payload of any event. The content of an event is in the folder of its aggregate.

use crate::contract::domain::Domain;
use crate::shop::event_spec::{Document, EventSpec};
use crate::shop::footprint::Footprint;
use serde::ser::SerializeMap;

macro_rules! events {
    ($($name:ident: $event:ty;)*) => {
        /// The payload of an event.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is the event of that name in the contract")]
        pub enum EventPayload {
            $($name($event),)*
        }

        impl EventPayload {
            /// The event's type, as in `tradewind.<Name>.v1`.
            pub const fn name(&self) -> &'static str {
                match self { $(EventPayload::$name(_) => stringify!($name),)* }
            }

            /// The stream that it belongs to.
            pub const fn domain(&self) -> Domain {
                match self { $(EventPayload::$name(_) => <$event as EventSpec>::DOMAIN,)* }
            }

            /// The key of its record: the id of what it is about.
            pub fn key(&self) -> &str {
                match self { $(EventPayload::$name(event) => event.key(),)* }
            }

            /// The document that it carries; none if the event is always small.
            pub fn document(&self) -> Option<Document<'_>> {
                match self { $(EventPayload::$name(event) => event.document(),)* }
            }

            /// The same with the document's lines left out.
            pub fn without_lines(&self) -> EventPayload {
                match self { $(EventPayload::$name(event) => EventPayload::$name(event.without_lines()),)* }
            }

            pub(crate) fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self { $(EventPayload::$name(event) => event.entries(map),)* }
            }
        }

        impl Footprint for EventPayload {
            fn heap_bytes(&self) -> usize {
                match self { $(EventPayload::$name(event) => event.heap_bytes(),)* }
            }
        }
    };
}

crate::for_each_event!(events);
