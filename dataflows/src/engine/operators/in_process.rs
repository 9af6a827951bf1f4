//! Values that move between the workers of one process, as they are. Not for a cluster: they have no wire form.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that stays in the process. Timely asks for a wire form of whatever is exchanged, and never uses it between
/// threads; here it is an error.
#[derive(Clone, Debug)]
pub struct InProcess<T>(pub T);

const STAYS: &str = "this value does not leave the process";

impl<T> Serialize for InProcess<T> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(STAYS))
    }
}

impl<'de, T> Deserialize<'de> for InProcess<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(STAYS))
    }
}
