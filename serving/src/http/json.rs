//! Reads the JSON of a body strictly, before it is read as a command: an object, in UTF-8, with no key doubled.
//! Not for the shape of commands.

use super::problem::{Fault, Problem};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Says what is wrong with the body, if it is not one JSON object in which every key stands once.
pub fn check_object(body: &[u8]) -> Result<(), Problem> {
    let malformed = |detail: String| Problem::new(Fault::Malformed, detail);
    let text = std::str::from_utf8(body).map_err(|error| malformed(format!("the body is not UTF-8: {error}")))?;
    let mut doubled = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = Walk(&mut doubled).deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = walked {
        if let Some(key) = doubled {
            return Err(malformed(format!("the key {key:?} stands twice in one object")));
        }
        // A number that no type can hold is JSON all the same; reading the command says where it is.
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            return Err(malformed(format!("the body is not JSON: {error}")));
        }
    }
    if !text.trim_ascii_start().starts_with('{') {
        return Err(malformed("the body is not a JSON object".to_owned()));
    }
    Ok(())
}

/// The object with the ids of the path filled in. Each may stand in the body too, but not another one.
pub fn with_ids<'b>(body: &'b [u8], ids: &[(&'static str, &str)]) -> Result<Cow<'b, [u8]>, Problem> {
    let unreadable = |error: serde_json::Error| Problem::new(Fault::Malformed, error.to_string());
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    let mut filled = Vec::with_capacity(ids.len());
    for (name, id) in ids {
        match fields.get(*name).map(|value| value.get()) {
            Some(value) if value != "null" => {
                // Another type than a text is found when the command is read.
                let given: Option<Cow<'_, str>> = serde_json::from_str(value).ok();
                if given.is_some_and(|given| given != *id) {
                    let detail = format!("{name} is {id:?} in the path; leave it out of the body, or repeat it");
                    return Err(Problem::invalid(format!("/{name}"), detail));
                }
            }
            Some(_) | None => {
                filled.push((*name, serde_json::value::to_raw_value(id).map_err(unreadable)?));
            }
        }
    }
    if filled.is_empty() {
        return Ok(Cow::Borrowed(body));
    }
    fields.extend(filled.iter().map(|(name, id)| (Cow::Borrowed(*name), id.as_ref())));
    serde_json::to_vec(&fields).map(Cow::Owned).map_err(unreadable)
}

/// Walks a value; notes the first key that stands twice in its object.
struct Walk<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

macro_rules! scalars {
    ($($visit:ident $type:ty,)*) => {
        $(fn $visit<E>(self, _: $type) -> Result<(), E> {
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    scalars! { visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str, }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(Key(key)) = map.next_key()? {
            if keys.contains(&key) {
                *self.0 = Some(key.into_owned());
                return Err(serde::de::Error::custom("a doubled key"));
            }
            keys.insert(key);
            map.next_value_seed(Walk(self.0))?;
        }
        Ok(())
    }
}

/// A key, borrowed where it can be.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(body: &str) -> Result<String, &'static str> {
        with_ids(body.as_bytes(), &[("sku", "a b")])
            .map(|body| String::from_utf8_lossy(&body).into_owned())
            .map_err(|problem| problem.code)
    }

    #[test]
    fn only_one_object_without_doubled_keys_is_taken() {
        for body in [r#"{}"#, r#" {"a":{"b":[1,{"c":null}]},"b":1e999,"é":"\u0000"} "#] {
            assert_eq!(check_object(body.as_bytes()), Ok(()), "{body}");
        }
        let bad = [
            "",
            "[]",
            "7",
            "{",
            r#"{"a":1,"a":2}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
            "{} {}",
            r#"{"a":01}"#,
            "{'a':1}",
        ];
        for body in bad {
            assert_eq!(check_object(body.as_bytes()).map_err(|problem| problem.code), Err("malformed"), "{body}");
        }
        assert!(check_object(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn ids_of_the_path_are_filled_in_and_never_overruled() {
        assert_eq!(filled(r#"{"quantity":1}"#).as_deref(), Ok(r#"{"quantity":1,"sku":"a b"}"#));
        assert_eq!(filled(r#"{"sku":null}"#).as_deref(), Ok(r#"{"sku":"a b"}"#));
        assert_eq!(filled(r#"{"sku":"a\u0020b"}"#).as_deref(), Ok(r#"{"sku":"a\u0020b"}"#));
        assert_eq!(filled(r#"{"sku":"b"}"#), Err("invalid"));
        assert_eq!(filled(r#"{"sku":7}"#).as_deref(), Ok(r#"{"sku":7}"#));
    }
}
