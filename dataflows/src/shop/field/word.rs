//! Fields that hold one of a few words.

use super::{Faults, FieldType, Pointer, Schemas};
use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::marker::PhantomData;

/// One of the words of an enum.
#[derive(Debug)]
pub struct Word<T>(PhantomData<T>);

impl<T: DeserializeOwned + Serialize> FieldType for Word<T> {
    type Value = T;

    fn check(_: &T, _: &Pointer<'_>, _: &mut Faults) {}

    fn allowed() -> Cow<'static, str> {
        format!("this is one of {}", words::<T>().join(", ")).into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "enum": words::<T>() })
    }
}

/// The words of an enum, as its derived code passes them to the deserializer.
fn words<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Words<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Words<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("only the words are wanted"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = variants;
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut words: &'static [&'static str] = &[];
    // It never gives a value.
    drop(T::deserialize(Words(&mut words)));
    words
}
