//! What a type of event says of itself.

use crate::contract::domain::Domain;
use serde::ser::SerializeMap;

/// A type of event. Its JSON is what `<domain>.events` carries; what only the views need rides along unseen.
pub trait EventSpec {
    /// The stream that it belongs to.
    const DOMAIN: Domain;

    /// The key of its record: the id of what it is about.
    fn key(&self) -> &str;

    /// Its own fields as JSON.
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}
