//! The description of a type of event.

use crate::contract::domain::Domain;
use crate::shop::catalogue::Product;
use crate::shop::credits::Credit;
use crate::shop::orders::Order;
use serde::ser::SerializeMap;

/// A document that an event carries as a whole, and that may be large.
pub enum Document<'a> {
    /// A product.
    Product(&'a Product),
    /// An order.
    Order(&'a Order),
    /// A credit note.
    Credit(&'a Credit),
}

/// A type of event. Its JSON is what `<domain>.events` carries; what only the views need rides along unseen.
pub trait EventSpec: Clone {
    /// The stream that it belongs to.
    const DOMAIN: Domain;

    /// The key of its record: the id of what it is about.
    fn key(&self) -> &str;

    /// The document that it carries; none if the event is always small.
    fn document(&self) -> Option<Document<'_>> {
        None
    }

    /// The same with the document's lines left out.
    fn without_lines(&self) -> Self {
        self.clone()
    }

    /// Its own fields as JSON.
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}
