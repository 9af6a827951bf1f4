//! The bounds of values. Whatever is outside is refused as `invalid`, with a pointer and what is allowed.

use crate::contract::code::Rejection;
use crate::contract::money::{Currency, Money, MoneyInput};
use crate::contract::time::Timestamp;
use crate::shop::command::shape::escaped;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// The largest quantity of a line or a movement, and the largest policy value.
pub const LARGEST: i64 = 1_000_000_000;
/// How far in the future business time may lie.
const AHEAD_S: i64 = 300;
/// Characters of an id.
pub const ID_CHARS_MAX: usize = 128;
/// Characters of a country.
const COUNTRY_CHARS_MAX: usize = 64;
/// Characters of a title, brand, carrier, tracking number or reference.
pub const TEXT_CHARS_MAX: usize = 256;
/// Characters of a description or a reason.
pub const NOTE_CHARS_MAX: usize = 10_000;
/// Characters of a payment's token.
const TOKEN_CHARS_MAX: usize = 2_048;
/// Attributes of a product.
pub const ATTRIBUTES_MAX: usize = 200;
/// Characters of the name of an attribute.
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 100;
/// Characters of the value of an attribute.
pub const ATTRIBUTE_CHARS_MAX: usize = 1_000;
/// Segments of a category.
const SEGMENTS_MAX: usize = 10;
/// Characters of a segment of a category.
const SEGMENT_CHARS_MAX: usize = 100;
/// Variants of a product.
pub const VARIANTS_MAX: usize = 1_000;
/// Price windows of a SKU that are open or still to come.
pub const WINDOWS_MAX: usize = 100;
/// Locations of a SKU. Goods of orders and credits may bring `main` beyond that.
pub const LOCATIONS_MAX: usize = 1_000;
/// The largest number of lines that the policy may allow for an order or a credit; also the entries of a return.
pub const LINES_MAX: i64 = 5_000;
/// Returns of an order.
pub const RETURNS_MAX: usize = 200;
/// Refunds of an order that were asked for; those that a return or a cancellation makes do not count.
pub const REFUNDS_MAX: usize = 200;
/// The bytes of the JSON of a view row or an event.
pub const ROW_BYTES_MAX: usize = 1 << 20;

type Validation<T = ()> = Result<T, Rejection>;

/// 1 to 128 characters, none of them a control character, no white space at an end, and neither `.` nor `..`, which clients
/// take out of paths.
pub fn id(text: &str, pointer: &'static str) -> Validation {
    if is_valid_id(text) { Ok(()) } else { Err(Rejection::invalid(pointer, ID)) }
}

/// As [`id`], inside a list.
pub fn id_in(text: &str, list: &str, n: usize, field: &str) -> Validation {
    if is_valid_id(text) { Ok(()) } else { Err(Rejection::invalid(format!("/{list}/{n}/{field}"), ID)) }
}

/// As [`id`], where it may be absent.
pub fn optional_id(text: Option<&str>, pointer: &'static str) -> Validation {
    text.map_or(Ok(()), |text| id(text, pointer))
}

/// 1 to 64 characters of text.
pub fn country(text: &str) -> Validation {
    if is_text(text, 1, COUNTRY_CHARS_MAX) {
        return Ok(());
    }
    Err(Rejection::invalid("/country", "a country has 1 to 64 characters and no control characters"))
}

/// A title, brand, carrier, tracking number or reference.
pub fn text(text: &str, pointer: impl FnOnce() -> String) -> Validation {
    if is_text(text, 1, TEXT_CHARS_MAX) {
        return Ok(());
    }
    Err(Rejection::invalid(pointer(), "this has 1 to 256 characters and no control characters"))
}

/// As [`text`], where it may be absent.
pub fn optional_text(given: Option<&SmolStr>, pointer: impl FnOnce() -> String) -> Validation {
    given.map_or(Ok(()), |given| text(given, pointer))
}

/// A description or a reason; it may have several lines.
pub fn note(text: Option<&SmolStr>, pointer: &'static str) -> Validation {
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match text {
        Some(text) if !(has_at_most(text, NOTE_CHARS_MAX) && text.chars().all(is_allowed)) => Err(Rejection::invalid(
            pointer,
            "this has at most 10000 characters, and of control characters only line breaks and tabs",
        )),
        Some(_) | None => Ok(()),
    }
}

/// What a gateway needs.
pub fn token(text: Option<&SmolStr>, pointer: &'static str) -> Validation {
    match text {
        Some(text) if !is_text(text, 0, TOKEN_CHARS_MAX) => {
            Err(Rejection::invalid(pointer, "a token has at most 2048 characters and no control characters"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The named texts of a product.
pub fn attributes(attributes: &BTreeMap<SmolStr, SmolStr>) -> Validation {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(Rejection::invalid("/attributes", "a product has at most 200 attributes"));
    }
    for (name, value) in attributes {
        if !is_text(name, 0, ATTRIBUTE_NAME_CHARS_MAX) {
            let allowed = "the name of an attribute has at most 100 characters and no control characters";
            return Err(Rejection::invalid("/attributes", allowed));
        }
        if !is_text(value, 0, ATTRIBUTE_CHARS_MAX) {
            let pointer = format!("/attributes/{}", escaped(name));
            let allowed = "the value of an attribute has at most 1000 characters and no control characters";
            return Err(Rejection::invalid(pointer, allowed));
        }
    }
    Ok(())
}

/// The path of a category.
pub fn category(path: &[SmolStr]) -> Validation {
    if path.len() > SEGMENTS_MAX {
        return Err(Rejection::invalid("/category", "a category has at most 10 segments"));
    }
    let is_segment = |segment: &SmolStr| is_text(segment, 1, SEGMENT_CHARS_MAX) && !segment.contains('/');
    path.iter().position(|segment| !is_segment(segment)).map_or(Ok(()), |n| {
        let allowed = "a segment of a category has 1 to 100 characters, no '/' and no control characters";
        Err(Rejection::invalid(format!("/category/{n}"), allowed))
    })
}

const ID: &str = "an id has 1 to 128 characters, no control characters, no white space at an end, and is not . or ..";

fn is_valid_id(id: &str) -> bool {
    is_text(id, 1, ID_CHARS_MAX) && id.trim() == id && !matches!(id, "." | "..")
}

/// Whether a text is as long as an id may be; other ids are not kept.
pub fn has_length_of_id(text: &str) -> bool {
    !text.is_empty() && has_at_most(text, ID_CHARS_MAX)
}

/// Whether a text has from `least` to `most` characters, none of them a control character.
fn is_text(text: &str, least: usize, most: usize) -> bool {
    has_at_most(text, most) && text.len() >= least && !text.chars().any(char::is_control)
}

/// Whether a text has at most so many characters. Bytes are counted first: a long text is not gone through.
fn has_at_most(text: &str, chars: usize) -> bool {
    text.len() <= chars || (text.len() <= 4 * chars && text.chars().count() <= chars)
}

/// A code of ISO 4217.
pub fn currency(text: &str, pointer: &str) -> Validation<Currency> {
    Currency::parse(text)
        .ok_or_else(|| Rejection::invalid(pointer.to_owned(), "a currency is a code of ISO 4217, like GBP"))
}

/// 1 to 1,000,000,000.
pub fn quantity(value: i64, pointer: impl FnOnce() -> String) -> Validation {
    if (1..=LARGEST).contains(&value) {
        return Ok(());
    }
    Err(Rejection::invalid(pointer(), "a quantity is a whole number from 1 to 1000000000"))
}

/// A whole number from `least` to 1,000,000,000.
pub fn at_least(least: i64, value: i64, pointer: impl FnOnce() -> String) -> Validation {
    between(least, LARGEST, value, pointer)
}

/// A whole number from `least` to `most`.
pub fn between(least: i64, most: i64, value: i64, pointer: impl FnOnce() -> String) -> Validation {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Rejection::invalid(pointer(), format!("this is a whole number from {least} to {most}")))
}

/// Money of any sign. Returns ten-thousandths and the currency.
pub fn signed(money: &MoneyInput, pointer: &str) -> Validation<(i64, Currency)> {
    let currency = currency(&money.currency, pointer)?;
    Ok((money.amount.0, currency))
}

/// Money that is not negative.
pub fn price(money: &MoneyInput, pointer: &str) -> Validation<Money> {
    least(money, pointer, 0, "this is not negative")
}

/// Money above zero.
pub fn positive(money: &MoneyInput, pointer: &str) -> Validation<Money> {
    least(money, pointer, 1, "this is more than 0")
}

fn least(money: &MoneyInput, pointer: &str, least: i64, allowed: &'static str) -> Validation<Money> {
    if money.amount.0 < least {
        return Err(Rejection::invalid(pointer.to_owned(), allowed));
    }
    let (amount, currency) = signed(money, pointer)?;
    Ok(Money::new(amount, currency))
}

/// A list of lines: not empty, at most the policy's number.
pub fn lines(count: usize, most: i64) -> Validation {
    if count >= 1 && i64::try_from(count).is_ok_and(|count| count <= most) {
        return Ok(());
    }
    Err(Rejection::invalid("/lines", format!("there are 1 to {most} lines")))
}

/// Business time: at most five minutes ahead of `now`, which it is by default.
pub fn occurred_at(given: Option<Timestamp>, now: Timestamp) -> Validation<Timestamp> {
    match given {
        Some(given) if given > now.plus_s(AHEAD_S) => {
            Err(Rejection::invalid("/occurred_at", format!("this is at most 5 minutes after {now}")))
        }
        given => Ok(given.unwrap_or(now)),
    }
}
