//! Objects: the structs of commands and of their parts.

use super::{Faults, FieldType, Pointer, Schemas};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Defines objects: structs whose fields have types of `field/`. Each is read from a JSON object and from nothing else,
/// written as one, and is itself the type of a field. The first sentences of a field are its description in the schema.
#[macro_export]
macro_rules! object {
    ($(
        $(#[doc = $about:literal])+
        $(#[derive($($derived:ident),+)])?
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])? pub $field:ident: $kind:ty,)*
        }
    )*) => {$(
        $(#[doc = $about])+
        $(#[derive($($derived),+)])?
        #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)*)])?
                pub $field: <$kind as $crate::shop::field::FieldType>::Value,
            )*
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                #[derive(::serde::Deserialize)]
                struct Given {
                    $($field: Option<<$kind as $crate::shop::field::FieldType>::Value>,)*
                }

                struct Object;
                impl<'de> ::serde::de::Visitor<'de> for Object {
                    type Value = $name;
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        let map = ::serde::de::value::MapAccessDeserializer::new(map);
                        let given = <Given as ::serde::Deserialize>::deserialize(map)?;
                        let missing = |name| <A::Error as ::serde::de::Error>::missing_field(name);
                        Ok($name {
                            $($field: given
                                .$field
                                .or_else(<$kind as $crate::shop::field::FieldType>::absent)
                                .ok_or_else(|| missing(stringify!($field)))?,)*
                        })
                    }
                }
                from.deserialize_map(Object)
            }
        }

        impl $crate::shop::field::FieldType for $name {
            type Value = $name;

            fn check(
                value: &$name,
                at: &$crate::shop::field::Pointer<'_>,
                faults: &mut $crate::shop::field::Faults,
            ) {
                if faults.is_full() {
                    return;
                }
                $(<$kind as $crate::shop::field::FieldType>::check(
                    &value.$field,
                    &at.field(stringify!($field)),
                    faults,
                );)*
            }

            fn allowed() -> ::std::borrow::Cow<'static, str> {
                "this is an object".into()
            }

            fn schema(schemas: &mut $crate::shop::field::Schemas) -> ::serde_json::Value {
                schemas.named(stringify!($name), |schemas| {
                    let fields = [$($crate::shop::field::ObjectField::of::<$kind>(
                        stringify!($field),
                        &[$($doc),+],
                        schemas,
                    )),*];
                    $crate::shop::field::object_schema(&[$($about),+], fields)
                })
            }

            fn inspect(
                json: &::serde_json::value::RawValue,
                at: &$crate::shop::field::Pointer<'_>,
                faults: &mut $crate::shop::field::Faults,
            ) {
                $crate::shop::field::inspect_object(json, at, faults, |fields, faults| {
                    $(fields.inspect::<$kind>(stringify!($field), at, faults);)*
                });
            }
        }
    )*};
}

/// The description of a field of an object.
pub struct ObjectField {
    name: &'static str,
    is_required: bool,
    schema: Value,
}

impl ObjectField {
    /// That of a field of type `F` with these lines of documentation.
    pub fn of<F: FieldType>(name: &'static str, doc: &[&str], schemas: &mut Schemas) -> ObjectField {
        let mut schema = F::schema(schemas);
        schema["description"] = sentence(doc).into();
        let absent = F::absent();
        if let Some(value) =
            absent.as_ref().and_then(|value| serde_json::to_value(value).ok()).filter(|value| !value.is_null())
        {
            schema["default"] = value;
        }
        ObjectField { name, is_required: absent.is_none(), schema }
    }
}

fn sentence(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The schema of an object with these fields.
pub fn object_schema(about: &[&str], fields: impl IntoIterator<Item = ObjectField>) -> Value {
    let (mut required, mut properties) = (Vec::new(), Map::new());
    for field in fields {
        if field.is_required {
            required.push(field.name);
        }
        properties.insert(field.name.to_owned(), field.schema);
    }
    json!({ "type": "object", "description": sentence(about), "required": required, "properties": properties })
}

/// The fields of a JSON object that were not inspected yet.
pub struct GivenFields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl GivenFields<'_> {
    /// Takes fields that were inspected otherwise.
    pub fn take(&mut self, names: &[&str]) {
        for name in names {
            self.0.remove(*name);
        }
    }

    /// Inspects a field of type `F`.
    pub fn inspect<F: FieldType>(&mut self, name: &str, object: &Pointer<'_>, faults: &mut Faults) {
        let at = object.field(name);
        match self.0.remove(name).filter(|json| json.get() != "null") {
            Some(json) => F::inspect(json, &at, faults),
            None if F::absent().is_none() => faults.add(&at, format!("this is missing: {}", F::allowed())),
            None => {}
        }
    }
}

/// Inspects JSON that must be an object; `inspect` takes its known fields, and those that are left are unknown.
pub fn inspect_object(
    json: &RawValue,
    at: &Pointer<'_>,
    faults: &mut Faults,
    inspect: impl FnOnce(&mut GivenFields<'_>, &mut Faults),
) {
    let Ok(fields) = serde_json::from_str(json.get()) else {
        return faults.add(at, "this is an object");
    };
    let mut fields = GivenFields(fields);
    inspect(&mut fields, faults);
    for name in fields.0.keys() {
        faults.add_unknown_field(&at.field(name));
    }
}
