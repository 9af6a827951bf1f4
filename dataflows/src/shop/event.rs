//! What happened: the payload of any event. What an event says stands in the folder of its aggregate.

use crate::contract::domain::Domain;
use crate::shop::event_spec::EventSpec;
use crate::shop::footprint::Footprint;
use serde::ser::SerializeMap;

macro_rules! events {
    ($($name:ident: $event:ty;)*) => {
        /// What happened.
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
