//! Values that absent fields of commands take.

use serde::{Deserialize, Deserializer};
use smol_str::SmolStr;

/// `null` is absent: a field with a default takes it then.
pub fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

pub fn null_is_true<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(true))
}

pub fn null_is_main<'de, D: Deserializer<'de>>(from: D) -> Result<SmolStr, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(main_location))
}

pub const fn main_location() -> SmolStr {
    SmolStr::new_static("main")
}

pub const fn yes() -> bool {
    true
}
