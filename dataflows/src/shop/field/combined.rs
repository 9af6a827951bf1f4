//! Types of fields that are made of others.

use super::{Faults, FieldType, Pointer, Schemas};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A field that may be absent.
impl<F: FieldType> FieldType for Option<F> {
    type Value = Option<F::Value>;

    fn absent() -> Option<Self::Value> {
        Some(None)
    }

    fn check(value: &Self::Value, at: &Pointer<'_>, faults: &mut Faults) {
        if let Some(value) = value {
            F::check(value, at, faults);
        }
    }

    fn allowed() -> Cow<'static, str> {
        F::allowed()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        F::schema(schemas)
    }

    fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
        F::inspect(json, at, faults);
    }
}

/// A field that has its type's default where it is absent.
#[derive(Debug)]
pub struct Defaulted<F>(PhantomData<F>);

impl<F: FieldType<Value: Default>> FieldType for Defaulted<F> {
    type Value = F::Value;

    fn absent() -> Option<F::Value> {
        Some(F::Value::default())
    }

    fn check(value: &Self::Value, at: &Pointer<'_>, faults: &mut Faults) {
        F::check(value, at, faults);
    }

    fn allowed() -> Cow<'static, str> {
        F::allowed()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        F::schema(schemas)
    }

    fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
        F::inspect(json, at, faults);
    }
}

/// A list of 1 to `MAX` entries.
#[derive(Debug)]
pub struct List<F, const MAX: usize>(PhantomData<F>);

impl<F: FieldType, const MAX: usize> List<F, MAX> {
    fn check_count(count: usize, at: &Pointer<'_>, faults: &mut Faults) {
        if count == 0 || count > MAX {
            faults.add(at, Self::allowed());
        }
    }
}

impl<F: FieldType, const MAX: usize> FieldType for List<F, MAX> {
    type Value = Vec<F::Value>;

    fn check(value: &Self::Value, at: &Pointer<'_>, faults: &mut Faults) {
        Self::check_count(value.len(), at, faults);
        for (n, entry) in value.iter().enumerate() {
            F::check(entry, &at.entry(n), faults);
        }
    }

    fn allowed() -> Cow<'static, str> {
        format!("this is a list of 1 to {MAX} entries").into()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "array", "minItems": 1, "maxItems": MAX, "items": F::schema(schemas) })
    }

    fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
        let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(json.get()) else {
            return faults.add(at, Self::allowed());
        };
        Self::check_count(entries.len(), at, faults);
        for (n, entry) in entries.into_iter().enumerate() {
            if faults.is_full() {
                return;
            }
            F::inspect(entry, &at.entry(n), faults);
        }
    }
}
