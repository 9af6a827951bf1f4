//! Reads JSON as an object, or names everything that is wrong with it.

use super::CommandReadError;
use crate::contract::code::{Code, FieldError};
use crate::shop::field::{Faults, FieldType, Pointer};
use serde_json::value::RawValue;

/// Reads JSON as an object; fields that it does not have are ignored.
pub fn read<T: FieldType>(data: &[u8]) -> Result<T::Value, CommandReadError> {
    serde_json::from_slice(data).map_err(|error| shape_error::<T>(data, Faults::default(), &error))
}

/// Reads JSON as an object, all of whose fields must be known; `unknown` is the detail of one that is not.
pub fn read_strictly<T: FieldType>(
    data: &[u8],
    unknown: impl FnOnce() -> String,
) -> Result<T::Value, CommandReadError> {
    let (mut json, mut all_known) = (serde_json::Deserializer::from_slice(data), true);
    let read: Result<T::Value, _> = serde_ignored::deserialize(&mut json, |_| all_known = false);
    match read.and_then(|value| json.end().map(|()| value)) {
        Ok(value) if all_known => Ok(value),
        Ok(_) => {
            let mut faults = Faults::refusing_unknown_fields(unknown());
            inspect::<T>(data, &mut faults);
            Err(CommandReadError::Shape(faults.into_errors()))
        }
        Err(error) => Err(shape_error::<T>(data, Faults::refusing_unknown_fields(unknown()), &error)),
    }
}

fn inspect<T: FieldType>(data: &[u8], faults: &mut Faults) {
    if let Ok(json) = serde_json::from_slice::<&RawValue>(data) {
        T::inspect(json, &Pointer::ROOT, faults);
    }
}

/// Everything that is wrong; at least what the reader met first, which may be no JSON at all.
fn shape_error<T: FieldType>(data: &[u8], mut faults: Faults, error: &serde_json::Error) -> CommandReadError {
    inspect::<T>(data, &mut faults);
    let mut errors = faults.into_errors();
    if errors.is_empty() {
        let detail = error.to_string().into();
        errors.push(FieldError { pointer: "".into(), code: Code::Invalid, detail });
    }
    CommandReadError::Shape(errors)
}
