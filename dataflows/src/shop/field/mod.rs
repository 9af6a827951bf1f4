//! The types of the fields of commands: each is read from JSON, checked against its bounds and described in one place,
//! so that a command's struct, its faults and its schema cannot differ. Not for what depends on state: the rules have
//! that.
//!
//! A value that cannot be read (a fault of shape) and a value that is out of bounds are reported in the same words;
//! only what becomes of the command differs, and the caller decides that.

mod combined;
mod faults;
mod object;
mod schemas;
#[cfg(test)]
mod tests;
mod values;
mod word;

pub use combined::{Defaulted, List};
pub use faults::{Faults, Pointer, escaped};
pub use object::{ObjectField, inspect_object, object_schema};
pub use schemas::Schemas;
pub use values::{
    Amount, Attributes, Category, Count, Country, CurrencyCode, Id, Location, Note, Number, Price, Quantity, Query,
    SignedAmount, SignedQuantity, Text, Time, Token, Yes, has_length_of_id,
};
pub use word::Word;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The type of a field: the values that it may hold.
pub trait FieldType {
    /// The field's type in Rust. Whatever has the shape can be read; the bounds are checked afterwards.
    type Value: DeserializeOwned + Serialize;

    /// The value of a field that is absent or null; `None` if the field is required.
    fn absent() -> Option<Self::Value> {
        None
    }

    /// Names what is out of bounds in a value.
    fn check(value: &Self::Value, at: &Pointer<'_>, faults: &mut Faults);

    /// The allowed values, in words.
    fn allowed() -> Cow<'static, str>;

    /// Its JSON Schema.
    fn schema(schemas: &mut Schemas) -> Value;

    /// Names everything that is wrong with JSON, of shape and of bounds.
    fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
        match serde_json::from_str(json.get()) {
            Ok(value) => Self::check(&value, at, faults),
            Err(_) => faults.add(at, Self::allowed()),
        }
    }
}
