//! Money: a whole number of ten-thousandths of a currency unit. Not for exchange rates or rounding: nothing is rounded.

use crate::engine::encoding::{self, DecodeError, Encoding, Reader, encode_struct};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct};
use smol_str::SmolStr;
use std::fmt;

/// Ten-thousandths in one unit of a currency.
const UNIT: u64 = 10_000;

/// A currency of ISO 4217's list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SmolStr", into = "SmolStr")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The first of the list by its letters.
    pub const FIRST: Currency = Currency(*b"AED");

    /// Reads a currency; `None` if the list does not have it.
    pub fn parse(text: &str) -> Option<Currency> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        listed_digits(&letters).map(|_| Currency(letters))
    }

    /// The currency of a code that is known to be listed.
    ///
    /// # Panics
    /// If it is not: the bounds of a command are checked before it is decided.
    pub fn known(code: &str) -> Currency {
        Currency::parse(code).expect("a currency is held against its bounds before it is used")
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only capital letters get in")
    }

    /// The least number of decimals that the currency is written with.
    pub fn minor_digits(self) -> usize {
        listed_digits(&self.0).expect("only what is listed gets in")
    }
}

/// The list of ISO 4217 with the minor digits of each (amendment 179). Funds and metals are in it; those without minor
/// digits, and the two codes for tests and for no currency, have all four decimals.
const fn listed_digits(code: &[u8; 3]) -> Option<usize> {
    Some(match code {
        b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX" | b"UYI"
        | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
        b"AED" | b"AFN" | b"ALL" | b"AMD" | b"AOA" | b"ARS" | b"AUD" | b"AWG" | b"AZN" | b"BAM" | b"BBD" | b"BDT"
        | b"BGN" | b"BMD" | b"BND" | b"BOB" | b"BOV" | b"BRL" | b"BSD" | b"BTN" | b"BWP" | b"BYN" | b"BZD" | b"CAD"
        | b"CDF" | b"CHE" | b"CHF" | b"CHW" | b"CNY" | b"COP" | b"COU" | b"CRC" | b"CUP" | b"CVE" | b"CZK" | b"DKK"
        | b"DOP" | b"DZD" | b"EGP" | b"ERN" | b"ETB" | b"EUR" | b"FJD" | b"FKP" | b"GBP" | b"GEL" | b"GHS" | b"GIP"
        | b"GMD" | b"GTQ" | b"GYD" | b"HKD" | b"HNL" | b"HTG" | b"HUF" | b"IDR" | b"ILS" | b"INR" | b"IRR" | b"JMD"
        | b"KES" | b"KGS" | b"KHR" | b"KPW" | b"KYD" | b"KZT" | b"LAK" | b"LBP" | b"LKR" | b"LRD" | b"LSL" | b"MAD"
        | b"MDL" | b"MGA" | b"MKD" | b"MMK" | b"MNT" | b"MOP" | b"MRU" | b"MUR" | b"MVR" | b"MWK" | b"MXN" | b"MXV"
        | b"MYR" | b"MZN" | b"NAD" | b"NGN" | b"NIO" | b"NOK" | b"NPR" | b"NZD" | b"PAB" | b"PEN" | b"PGK" | b"PHP"
        | b"PKR" | b"PLN" | b"QAR" | b"RON" | b"RSD" | b"RUB" | b"SAR" | b"SBD" | b"SCR" | b"SDG" | b"SEK" | b"SGD"
        | b"SHP" | b"SLE" | b"SOS" | b"SRD" | b"SSP" | b"STN" | b"SVC" | b"SYP" | b"SZL" | b"THB" | b"TJS" | b"TMT"
        | b"TOP" | b"TRY" | b"TTD" | b"TWD" | b"TZS" | b"UAH" | b"USD" | b"USN" | b"UYU" | b"UZS" | b"VED" | b"VES"
        | b"WST" | b"XAD" | b"XCD" | b"XCG" | b"YER" | b"ZAR" | b"ZMW" | b"ZWG" => 2,
        b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
        b"CLF" | b"UYW" | b"XAG" | b"XAU" | b"XBA" | b"XBB" | b"XBC" | b"XBD" | b"XDR" | b"XPD" | b"XPT" | b"XSU"
        | b"XTS" | b"XUA" | b"XXX" => 4,
        _ => return None,
    })
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<SmolStr> for Currency {
    type Error = &'static str;
    fn try_from(text: SmolStr) -> Result<Self, Self::Error> {
        Currency::parse(&text).ok_or("a currency is a code of ISO 4217, like GBP")
    }
}

impl From<Currency> for SmolStr {
    fn from(currency: Currency) -> SmolStr {
        SmolStr::new(currency.as_str())
    }
}

/// An amount of money as rows show it. Sums have 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// Ten-thousandths of the unit.
    pub amount: i128,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// That many ten-thousandths of `currency`.
    pub fn new(amount: impl Into<i128>, currency: Currency) -> Money {
        Money { amount: amount.into(), currency }
    }
}

/// A decimal number as text, on the stack: rows are full of them.
struct Decimal {
    text: [u8; 48],
    from: usize,
}

impl Decimal {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[self.from..]).expect("digits, a point and a sign are ASCII")
    }
}

/// Writes ten-thousandths as a decimal number with at least `digits` decimals and no further trailing zeros.
fn decimal(amount: i128, digits: usize) -> Decimal {
    // Nearly every amount fits 64 bits, and dividing 128 costs many times more.
    let (mut whole, mut part) = match u64::try_from(amount.unsigned_abs()) {
        Ok(small) => (u128::from(small / UNIT), small % UNIT),
        Err(_) => {
            let (amount, unit) = (amount.unsigned_abs(), u128::from(UNIT));
            (amount / unit, (amount % unit) as u64)
        }
    };
    let (mut text, mut from) = ([0; 48], 48);
    let mut put = |byte: u8| {
        from -= 1;
        text[from] = byte;
    };
    let mut kept = 4;
    while kept > digits && part.is_multiple_of(10) {
        part /= 10;
        kept -= 1;
    }
    for _ in 0..kept {
        put(b'0' + (part % 10) as u8);
        part /= 10;
    }
    if kept > 0 {
        put(b'.');
    }
    while whole > u128::from(u64::MAX) {
        put(b'0' + (whole % 10) as u8);
        whole /= 10;
    }
    let mut whole = whole as u64;
    loop {
        put(b'0' + (whole % 10) as u8);
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    if amount < 0 {
        put(b'-');
    }
    Decimal { text, from }
}

/// Reads `-?[0-9]+(\.[0-9]+)?` with at most four significant decimals; the result fits 64 bits.
pub fn parse_decimal(text: &str) -> Result<i64, &'static str> {
    const FORM: &str = "an amount is a text like \"12.50\" with at most 4 decimals";
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || part.is_some_and(|part| !is_number(part)) {
        return Err(FORM);
    }
    let part = part.unwrap_or("").trim_end_matches('0');
    if part.len() > 4 {
        return Err(FORM);
    }
    let sum = whole.bytes().chain(part.bytes().chain(std::iter::repeat(b'0')).take(4)).try_fold(0_i64, |sum, digit| {
        // Counted downwards, since the least number of 64 bits has no positive twin.
        sum.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))
    });
    let sum = if negative { sum } else { sum.and_then(i64::checked_neg) };
    sum.ok_or("the amount does not fit 64 bits of ten-thousandths")
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(decimal(self.amount, self.currency.minor_digits()).as_str())
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Money", 2)?;
        fields.serialize_field("amount", decimal(self.amount, self.currency.minor_digits()).as_str())?;
        fields.serialize_field("currency", self.currency.as_str())?;
        fields.end()
    }
}

/// Money as a command gives it: the amount is a number, but the currency is not yet known to be one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct MoneyInput {
    /// Ten-thousandths of the unit.
    pub amount: Amount,
    /// The text in the place of the currency.
    pub currency: SmolStr,
}

crate::strict_object! { MoneyInput }

impl MoneyInput {
    /// The money, once its currency is known to be one.
    ///
    /// # Panics
    /// If it is none: the bounds of a command are checked before it is decided.
    pub fn money(&self) -> Money {
        Money::new(self.amount.0, Currency::known(&self.currency))
    }
}

/// A number of ten-thousandths, written as a decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub i64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(decimal(self.0.into(), 2).as_str())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::contract::json::text(deserializer, |text| parse_decimal(text).map(Amount))
    }
}

impl Encoding for Currency {
    fn store(&self, out: &mut Vec<u8>) {
        encoding::store_text(self.as_str(), out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Currency::parse(encoding::load_text(from)?).ok_or(DecodeError("no such currency"))
    }
}

encode_struct! {
    Money { amount, currency }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(amount: i128, currency: &str) -> String {
        Money::new(amount, Currency::parse(currency).unwrap()).to_string()
    }

    #[test]
    fn money_is_written_as_the_contract_says() {
        assert_eq!(written(10_051_000, "GBP"), "1005.10");
        assert_eq!(written(10, "GBP"), "0.001");
        assert_eq!(written(50_000, "JPY"), "5");
        assert_eq!(written(0, "GBP"), "0.00");
        assert_eq!(written(-1, "JPY"), "-0.0001");
        assert_eq!(written(125_000, "BHD"), "12.500");
        assert_eq!(written(i64::MIN.into(), "USD"), "-922337203685477.5808");
    }

    #[test]
    fn the_list_is_that_of_iso_4217() {
        const WITHDRAWN: [&str; 4] = ["CUC", "HRK", "SLL", "ZWL"];
        let expected = <iso_currency::Currency as iso_currency::IntoEnumIterator>::iter()
            .map(|known| (known.code().to_owned(), known.exponent()));
        let expected: Vec<_> = expected.filter(|(code, _)| !WITHDRAWN.contains(&code.as_str())).collect();
        for (code, exponent) in &expected {
            let digits = Currency::parse(code).map(Currency::minor_digits);
            assert_eq!(digits, Some(exponent.map_or(4, usize::from)), "{code}");
        }
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
        assert_eq!(codes.filter(|code| listed_digits(code).is_some()).count(), expected.len());
        assert!(["EUX", "eur", "EU", "EURO", "HRK"].iter().all(|text| Currency::parse(text).is_none()));
        assert_eq!(written(5, "XAU"), "0.0005");
        assert_eq!(written(50_000, "XXX"), "5.0000");
    }

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all() {
        assert_eq!(parse_decimal("12.5"), Ok(125_000));
        assert_eq!(parse_decimal("012.500000"), Ok(125_000));
        assert_eq!(parse_decimal("-0"), Ok(0));
        assert_eq!(parse_decimal("-922337203685477.5808"), Ok(i64::MIN));
        for text in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1,5", "0.00001", "922337203685477.5808", "١"] {
            assert!(parse_decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut seed = 7_u64;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let amount = (seed as i64) >> (seed % 63);
            for digits in 0..=4 {
                assert_eq!(parse_decimal(decimal(amount.into(), digits).as_str()), Ok(amount));
            }
        }
    }
}
