//! The bounds of values. Whatever is outside is refused as `invalid`, with a pointer and what is allowed.

use crate::code::Refusal;
use crate::money::{Currency, GivenMoney, Money};
use crate::time::Timestamp;

/// The largest quantity of a line or a movement, and the largest policy value.
pub const LARGEST: i64 = 1_000_000_000;
/// How far in the future business time may lie.
const AHEAD_S: i64 = 300;

type Checked<T = ()> = Result<T, Refusal>;

/// 1 to 128 characters, none of them a control character.
pub fn id(text: &str, pointer: &'static str) -> Checked {
    if good(text) { Ok(()) } else { Err(Refusal::invalid(pointer, ID)) }
}

/// As [`id`], inside a list.
pub fn id_in(text: &str, list: &str, n: usize, field: &str) -> Checked {
    if good(text) { Ok(()) } else { Err(Refusal::invalid(format!("/{list}/{n}/{field}"), ID)) }
}

/// As [`id`], where it may be absent.
pub fn optional_id(text: Option<&str>, pointer: &'static str) -> Checked {
    text.map_or(Ok(()), |text| id(text, pointer))
}

/// 1 to 64 characters of text.
pub fn country(text: &str) -> Checked {
    if !text.is_empty() && text.chars().count() <= 64 {
        return Ok(());
    }
    Err(Refusal::invalid("/country", "a country has 1 to 64 characters"))
}

const ID: &str = "an id has 1 to 128 characters and no control characters";

fn good(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= 128 && !id.chars().any(char::is_control)
}

/// Three capital letters.
pub fn currency(text: &str, pointer: &str) -> Checked<Currency> {
    Currency::parse(text)
        .ok_or_else(|| Refusal::invalid(pointer.to_owned(), "a currency is three capital letters, like GBP"))
}

/// 1 to 1,000,000,000.
pub fn quantity(value: i64, pointer: impl FnOnce() -> String) -> Checked {
    if (1..=LARGEST).contains(&value) {
        return Ok(());
    }
    Err(Refusal::invalid(pointer(), "a quantity is a whole number from 1 to 1000000000"))
}

/// A whole number from `least` to 1,000,000,000.
pub fn from(least: i64, value: i64, pointer: impl FnOnce() -> String) -> Checked {
    if (least..=LARGEST).contains(&value) {
        return Ok(());
    }
    Err(Refusal::invalid(pointer(), format!("this is a whole number from {least} to {LARGEST}")))
}

/// Money of any sign. Returns ten-thousandths and the currency.
pub fn signed(money: &GivenMoney, pointer: &str) -> Checked<(i64, Currency)> {
    let currency = currency(&money.currency, &format!("{pointer}/currency"))?;
    Ok((money.amount.0, currency))
}

/// Money that is not negative.
pub fn price(money: &GivenMoney, pointer: &str) -> Checked<Money> {
    least(money, pointer, 0, "this is not negative")
}

/// Money above zero.
pub fn positive(money: &GivenMoney, pointer: &str) -> Checked<Money> {
    least(money, pointer, 1, "this is more than 0")
}

fn least(money: &GivenMoney, pointer: &str, least: i64, allowed: &'static str) -> Checked<Money> {
    if money.amount.0 < least {
        return Err(Refusal::invalid(format!("{pointer}/amount"), allowed));
    }
    let (amount, currency) = signed(money, pointer)?;
    Ok(Money::new(amount, currency))
}

/// A list of lines: not empty, at most the policy's number.
pub fn lines(count: usize, most: i64) -> Checked {
    if count >= 1 && i64::try_from(count).is_ok_and(|count| count <= most) {
        return Ok(());
    }
    Err(Refusal::invalid("/lines", format!("there are 1 to {most} lines")))
}

/// Business time: at most five minutes ahead of `now`, which it is by default.
pub fn occurred_at(given: Option<Timestamp>, now: Timestamp) -> Checked<Timestamp> {
    match given {
        Some(given) if given > now.plus_s(AHEAD_S) => {
            Err(Refusal::invalid("/occurred_at", format!("this is at most 5 minutes after {now}")))
        }
        given => Ok(given.unwrap_or(now)),
    }
}
