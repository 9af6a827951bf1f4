//! Money as a count of 1/10,000 of a currency unit: how it is read and how it is written.
//! Not here: which amounts a command may name (`bounds.rs`).

use serde_json::{Value, json};

/// An amount of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    pub units: i64,
    pub currency: String,
}

impl Money {
    pub fn to_json(&self) -> Value {
        write(i128::from(self.units), &self.currency)
    }
}

/// Reads `-?[0-9]+(\.[0-9]+)?` with at most four significant decimals, within 64 bits.
pub fn read_amount(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > 20 || fraction.len() > 4 {
        return None;
    }
    let mut units: i128 = 0;
    for byte in format!("{whole}{fraction:0<4}").bytes() {
        units = units * 10 + i128::from(byte - b'0');
    }
    i64::try_from(if negative { -units } else { units }).ok()
}

/// Money as the contract writes it.
pub fn write(units: i128, currency: &str) -> Value {
    json!({"amount": write_amount(units, currency), "currency": currency})
}

/// The currency's minor digits at least, four at most, no further trailing zeros, never `-0`.
pub fn write_amount(units: i128, currency: &str) -> String {
    let magnitude = units.unsigned_abs();
    let mut fraction = format!("{:04}", magnitude % 10_000);
    while fraction.len() > minor_digits(currency) && fraction.ends_with('0') {
        fraction.pop();
    }
    let sign = if units < 0 { "-" } else { "" };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}", magnitude / 10_000)
}

/// ISO 4217's minor digits; four where the list has none.
fn minor_digits(currency: &str) -> usize {
    let listed = iso_currency::Currency::from_code(currency).expect("others are refused");
    listed.exponent().map_or(4, usize::from)
}
