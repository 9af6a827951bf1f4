//! Types of fields that are made of nothing else, with their bounds.

use super::object::inspect_object;
use super::{Faults, FieldType, Pointer, Schemas};
use crate::contract::money::{Currency, MoneyInput};
use crate::contract::time::Timestamp;
use crate::shop::bounds::{
    ATTRIBUTE_CHARS_MAX, ATTRIBUTE_NAME_CHARS_MAX, ATTRIBUTES_MAX, COUNTRY_CHARS_MAX, ID_CHARS_MAX, LARGEST,
    NOTE_CHARS_MAX, SEGMENT_CHARS_MAX, SEGMENTS_MAX, TEXT_CHARS_MAX, TOKEN_CHARS_MAX,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Types whose bounds are one question: what it is, its type in Rust, the question, the words, the schema.
macro_rules! values {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $value:ty, $is_within:expr, $allowed:expr, $schema:tt;
    )*) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl FieldType for $name {
            type Value = $value;

            fn check(value: &$value, at: &Pointer<'_>, faults: &mut Faults) {
                let is_within: fn(&$value) -> bool = $is_within;
                if !is_within(value) {
                    faults.add(at, Self::allowed());
                }
            }

            fn allowed() -> Cow<'static, str> {
                $allowed.into()
            }

            fn schema(schemas: &mut Schemas) -> Value {
                schemas.named(stringify!($name), |_| json!($schema))
            }
        }
    )*};
}

values! {
    /// An id: 1 to 128 characters, none of them a control character, no white space at an end, and neither `.` nor
    /// `..`, which clients take out of paths.
    Id: SmolStr, |id| is_id(id),
        "an id has 1 to 128 characters, no control characters, no white space at an end, and is not . or ..",
        { "type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX,
          "description": "No control characters, no white space at an end, not `.` or `..`; case-sensitive." };

    /// A title, brand, carrier, tracking number or reference.
    Text: SmolStr, |text| is_text(text, 1, TEXT_CHARS_MAX),
        "this is a text of 1 to 256 characters without control characters",
        { "type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX, "description": "No control characters." };

    /// A description or a reason; it may have several lines.
    Note: SmolStr, |text| is_note(text),
        "this is a text of at most 10000 characters, and of control characters it has only line breaks and tabs",
        { "type": "string", "maxLength": NOTE_CHARS_MAX, "description": "No control characters but line breaks and tabs." };

    /// A country, as the caller names it.
    Country: SmolStr, |text| is_text(text, 1, COUNTRY_CHARS_MAX),
        "a country is a text of 1 to 64 characters without control characters",
        { "type": "string", "minLength": 1, "maxLength": COUNTRY_CHARS_MAX, "description": "No control characters." };

    /// The text that a gateway needs to take a payment.
    Token: SmolStr, |text| is_text(text, 0, TOKEN_CHARS_MAX),
        "a token is a text of at most 2048 characters without control characters",
        { "type": "string", "maxLength": TOKEN_CHARS_MAX, "description": "No control characters." };

    /// The code of a currency.
    CurrencyCode: SmolStr, |code| Currency::parse(code).is_some(), CURRENCY,
        { "type": "string", "pattern": "^[A-Z]{3}$", "description": "A code of ISO 4217." };

    /// A time.
    Time: Timestamp, |_| true,
        "a time is RFC 3339, like 2026-11-22T10:00:00Z or 2026-11-22T11:00:00.5+01:00",
        { "type": "string", "format": "date-time",
          "description": "RFC 3339 with any offset; decimals beyond six are cut. Written in UTC with `Z`." };

    /// A number of pieces, at least one.
    Quantity: i64, |quantity| (1..=LARGEST).contains(quantity),
        "a quantity is a whole number from 1 to 1000000000",
        { "type": "integer", "minimum": 1, "maximum": LARGEST };

    /// A number of pieces more or fewer.
    SignedQuantity: i64, |quantity| *quantity != 0 && (-LARGEST..=LARGEST).contains(quantity),
        "this is a whole number from -1000000000 to 1000000000, and not 0",
        { "type": "integer", "minimum": -LARGEST, "maximum": LARGEST, "not": { "const": 0 } };

    /// A number that is only kept.
    Count: u64, |_| true,
        "this is a whole number that is not negative",
        { "type": "integer", "minimum": 0 };

    /// Any text.
    Query: SmolStr, |_| true,
        "this is a text",
        { "type": "string" };
}

/// A whole number within bounds.
#[derive(Debug)]
pub struct Number<const MIN: i64, const MAX: i64>;

impl<const MIN: i64, const MAX: i64> FieldType for Number<MIN, MAX> {
    type Value = i64;

    fn check(value: &i64, at: &Pointer<'_>, faults: &mut Faults) {
        if !(MIN..=MAX).contains(value) {
            faults.add(at, Self::allowed());
        }
    }

    fn allowed() -> Cow<'static, str> {
        format!("this is a whole number from {MIN} to {MAX}").into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// True or false; true where it is absent.
#[derive(Debug)]
pub struct Yes;

impl FieldType for Yes {
    type Value = bool;

    fn absent() -> Option<bool> {
        Some(true)
    }

    fn check(_: &bool, _: &Pointer<'_>, _: &mut Faults) {}

    fn allowed() -> Cow<'static, str> {
        "this is true or false".into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "boolean" })
    }
}

/// The id of a location; `main` where it is absent.
#[derive(Debug)]
pub struct Location;

impl FieldType for Location {
    type Value = SmolStr;

    fn absent() -> Option<SmolStr> {
        Some(SmolStr::new_static("main"))
    }

    fn check(value: &SmolStr, at: &Pointer<'_>, faults: &mut Faults) {
        Id::check(value, at, faults);
    }

    fn allowed() -> Cow<'static, str> {
        Id::allowed()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        Id::schema(schemas)
    }
}

const CURRENCY: &str = "a currency is a code of ISO 4217, like GBP";

/// Types of money: a name, the least of it in ten-thousandths, the words.
macro_rules! moneys {
    ($($(#[doc = $doc:literal])+ $name:ident: $least:expr, $allowed:literal, $about:literal;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl FieldType for $name {
            type Value = MoneyInput;

            fn check(value: &MoneyInput, at: &Pointer<'_>, faults: &mut Faults) {
                if !($least..).contains(&value.amount.0) {
                    faults.add(at, $allowed);
                }
                if Currency::parse(&value.currency).is_none() {
                    faults.add(at, CURRENCY);
                }
            }

            fn allowed() -> Cow<'static, str> {
                "money is an object like {\"amount\":\"12.50\",\"currency\":\"GBP\"}: the amount a text with at most 4 \
                 decimals that fits 64 bits, the currency a code of ISO 4217"
                    .into()
            }

            fn schema(schemas: &mut Schemas) -> Value {
                schemas.named(stringify!($name), |_| json!({
                    "type": "object",
                    "description": $about,
                    "required": ["amount", "currency"],
                    "properties": {
                        "amount": { "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$",
                            "description": "The number of units, with at most 4 significant decimals." },
                        "currency": { "type": "string", "pattern": "^[A-Z]{3}$", "description": "A code of ISO 4217." },
                    },
                }))
            }

            fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
                match serde_json::from_str(json.get()) {
                    Ok(value) => Self::check(&value, at, faults),
                    Err(_) => faults.add(at, Self::allowed()),
                }
                if json.get().starts_with('{') {
                    inspect_object(json, at, faults, |fields, _| fields.take(&["amount", "currency"]));
                }
            }
        }
    )*};
}

moneys! {
    /// Money of any sign.
    SignedAmount: i64::MIN, "", "Money of any sign.";

    /// Money that is not negative.
    Price: 0, "this is not negative", "Money that is not negative.";

    /// Money above zero.
    Amount: 1, "this is more than 0", "Money above zero.";
}

/// The named texts of a product.
#[derive(Debug)]
pub struct Attributes;

impl FieldType for Attributes {
    type Value = BTreeMap<SmolStr, SmolStr>;

    fn check(value: &Self::Value, at: &Pointer<'_>, faults: &mut Faults) {
        if value.len() > ATTRIBUTES_MAX {
            faults.add(at, Self::allowed());
        }
        for (name, value) in value {
            if !is_text(name, 0, ATTRIBUTE_NAME_CHARS_MAX) {
                faults.add(at, "the name of an attribute has at most 100 characters and no control characters");
            }
            if !is_text(value, 0, ATTRIBUTE_CHARS_MAX) {
                faults.add(&at.field(name), ATTRIBUTE);
            }
        }
    }

    fn allowed() -> Cow<'static, str> {
        "this is an object of at most 200 texts".into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "object", "maxProperties": ATTRIBUTES_MAX,
            "propertyNames": { "maxLength": ATTRIBUTE_NAME_CHARS_MAX },
            "additionalProperties": { "type": "string", "maxLength": ATTRIBUTE_CHARS_MAX } })
    }

    fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
        let Ok(given) = serde_json::from_str::<BTreeMap<SmolStr, &RawValue>>(json.get()) else {
            return faults.add(at, Self::allowed());
        };
        let mut texts = BTreeMap::new();
        for (name, value) in given {
            match serde_json::from_str(value.get()) {
                Ok(text) => drop(texts.insert(name, text)),
                Err(_) => faults.add(&at.field(&name), ATTRIBUTE),
            }
        }
        Self::check(&texts, at, faults);
    }
}

const ATTRIBUTE: &str = "the value of an attribute is a text of at most 1000 characters without control characters";

/// The path of a category, from the top.
#[derive(Debug)]
pub struct Category;

impl Category {
    fn check_count(count: usize, at: &Pointer<'_>, faults: &mut Faults) {
        if count > SEGMENTS_MAX {
            faults.add(at, Self::allowed());
        }
    }

    fn check_segment(segment: Option<&SmolStr>, at: &Pointer<'_>, faults: &mut Faults) {
        if !segment.is_some_and(|segment| is_text(segment, 1, SEGMENT_CHARS_MAX) && !segment.contains('/')) {
            faults
                .add(at, "a segment of a category is a text of 1 to 100 characters without '/' and control characters");
        }
    }
}

impl FieldType for Category {
    type Value = Vec<SmolStr>;

    fn check(value: &Self::Value, at: &Pointer<'_>, faults: &mut Faults) {
        Self::check_count(value.len(), at, faults);
        for (n, segment) in value.iter().enumerate() {
            Self::check_segment(Some(segment), &at.entry(n), faults);
        }
    }

    fn allowed() -> Cow<'static, str> {
        "a category is a list of at most 10 segments".into()
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "array", "maxItems": SEGMENTS_MAX,
            "items": { "type": "string", "minLength": 1, "maxLength": SEGMENT_CHARS_MAX, "pattern": "^[^/]+$" } })
    }

    fn inspect(json: &RawValue, at: &Pointer<'_>, faults: &mut Faults) {
        let Ok(segments) = serde_json::from_str::<Vec<&RawValue>>(json.get()) else {
            return faults.add(at, Self::allowed());
        };
        Self::check_count(segments.len(), at, faults);
        for (n, segment) in segments.into_iter().enumerate() {
            Self::check_segment(serde_json::from_str(segment.get()).ok().as_ref(), &at.entry(n), faults);
        }
    }
}

fn is_id(id: &str) -> bool {
    is_text(id, 1, ID_CHARS_MAX) && id.trim() == id && !matches!(id, "." | "..")
}

/// Returns true if a text is as long as an id may be; other ids are not kept.
pub fn has_length_of_id(text: &str) -> bool {
    !text.is_empty() && has_at_most(text, ID_CHARS_MAX)
}

/// Returns true if a text has from `least` to `most` characters, none of them a control character.
fn is_text(text: &str, least: usize, most: usize) -> bool {
    has_at_most(text, most) && text.len() >= least && !text.chars().any(char::is_control)
}

fn is_note(text: &str) -> bool {
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    has_at_most(text, NOTE_CHARS_MAX) && text.chars().all(is_allowed)
}

/// Returns true if a text has at most so many characters. Bytes are counted first: a long text is not gone through.
fn has_at_most(text: &str, chars: usize) -> bool {
    text.len() <= chars || (text.len() <= 4 * chars && text.chars().count() <= chars)
}
