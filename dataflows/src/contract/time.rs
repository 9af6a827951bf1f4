//! Time as the log and the rows have it: microseconds since 1970 in UTC. Nothing here reads a clock.

use crate::engine::encoding::{DecodeError, Encoding, Reader};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A moment, in microseconds since 1970-01-01T00:00:00Z. Years 0000 to 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const DAY_US: i64 = 86_400_000_000;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z.
const FIRST_US: i64 = -62_167_219_200_000_000;
const LAST_US: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The moment that many microseconds after 1970, kept within the years that can be written.
    pub fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros.clamp(FIRST_US, LAST_US))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The minute since 1970 that it is in.
    pub const fn minute(self) -> i64 {
        self.0.div_euclid(60_000_000)
    }

    /// This moment and that many seconds more.
    pub fn plus_s(self, seconds: i64) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Year, month, day, hour, minute, second and microsecond of it.
    pub fn civil(self) -> Civil {
        let (day, rest) = (self.0.div_euclid(DAY_US), self.0.rem_euclid(DAY_US));
        let (year, month, day) = date_of_day(day);
        let second = rest / 1_000_000;
        Civil {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            micro: rest % 1_000_000,
        }
    }

    /// Reads RFC 3339 with any offset; returns what is wrong otherwise. Decimals beyond six are cut.
    pub fn parse(text: &str) -> Result<Timestamp, &'static str> {
        const FORM: &str = "a time is RFC 3339, like 2026-11-22T10:00:00Z or 2026-11-22T11:00:00.5+01:00";
        let bytes = text.as_bytes();
        let number = |digits: &[u8]| -> Result<i64, &'static str> {
            digits
                .iter()
                .try_fold(0, |sum, b| if b.is_ascii_digit() { Ok(sum * 10 + i64::from(b - b'0')) } else { Err(FORM) })
        };
        let digits = |from: usize, n: usize| bytes.get(from..from + n).ok_or(FORM).and_then(number);
        let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) || !matches!(bytes.get(10), Some(b'T' | b't')) {
            return Err(FORM);
        }
        let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
        let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
        let rest = bytes.get(19..).ok_or(FORM)?;
        let (decimals, offset) = match rest {
            [b'.', rest @ ..] => rest.split_at(rest.iter().take_while(|b| b.is_ascii_digit()).count()),
            _ => (&b"0"[..], rest),
        };
        let kept = &decimals[..decimals.len().min(6)];
        if kept.is_empty() {
            return Err(FORM);
        }
        let micro = number(kept)? * 10_i64.pow(6 - kept.len() as u32);
        let offset_min = match offset {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), hours @ .., b':', m, n] if hours.len() == 2 => {
                let (hours, minutes) = (number(hours)?, number(&[*m, *n])?);
                if hours > 23 || minutes > 59 {
                    return Err("no such offset");
                }
                (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return Err(FORM),
        };
        if !(1..=12).contains(&month) || day < 1 || hour > 23 || minute > 59 || second > 59 {
            return Err("no such date or time of day (leap seconds are not taken)");
        }
        let start = day_of_date(year, month, day);
        if date_of_day(start) != (year, month, day) {
            return Err("no such day in that month");
        }
        let micros = start * DAY_US + ((hour * 60 + minute - offset_min) * 60 + second) * 1_000_000 + micro;
        if !(FIRST_US..=LAST_US).contains(&micros) {
            return Err("a time lies in the years 0000 to 9999 of UTC");
        }
        Ok(Timestamp(micros))
    }
}

/// The parts of a moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 0 to 9999.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 to 999,999.
    pub micro: i64,
}

// Both directions of the proleptic Gregorian calendar follow Howard Hinnant's "chrono-compatible low-level date
// algorithms": years start in March, so that the leap day is the last one.
fn date_of_day(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * march_month + 2) / 5 + 1)
}

fn day_of_date(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, micro } = self.civil();
        // Two digits at a time into a buffer: rows are full of these, and widths in a format cost five times as much.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let pairs = [(0, year / 100), (2, year % 100), (5, month), (8, day), (11, hour), (14, minute), (17, second)];
        let micros = [(20, micro / 10_000), (22, micro / 100 % 100), (24, micro % 100)];
        for (at, part) in pairs.into_iter().chain(micros) {
            text[at] = b'0' + (part / 10) as u8;
            text[at + 1] = b'0' + (part % 10) as u8;
        }
        let mut end = 26;
        while text[end - 1] == b'0' && end > 20 {
            end -= 1;
        }
        if end == 20 {
            end = 19;
        }
        text[end] = b'Z';
        f.write_str(std::str::from_utf8(&text[..=end]).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::contract::json::text(deserializer, Timestamp::parse)
    }
}

impl Encoding for Timestamp {
    fn store(&self, out: &mut Vec<u8>) {
        self.micros().store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        i64::load(from).map(Timestamp::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_written_again_as_it_was() {
        for text in [
            "2010-12-01T08:26:00Z",
            "2026-11-22T23:59:59.5Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
            "2024-02-29T00:00:00.000001Z",
        ] {
            assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(
            Timestamp::parse("2026-01-01T00:00:00.500Z").map(|t| t.to_string()).as_deref(),
            Ok("2026-01-01T00:00:00.5Z")
        );
    }

    #[test]
    fn any_offset_is_read_and_what_is_finer_than_a_microsecond_is_cut() {
        for (text, utc) in [
            ("2026-12-24T23:59:59+01:00", "2026-12-24T22:59:59Z"),
            ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00Z"),
            ("2026-01-01t00:30:00.123456789-11:30", "2026-01-01T12:00:00.123456Z"),
            ("2024-02-29T23:59:59.9999999z", "2024-02-29T23:59:59.999999Z"),
            ("0000-01-01T00:00:00-23:59", "0000-01-01T23:59:00Z"),
        ] {
            assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), Ok(utc), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+0100",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:00-00:01",
            "2026-01-01T00:00:60Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.+01:00",
            "2026-01-01",
            "",
            "２026-01-01T00:00:00Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_agrees_with_jiff() {
        for day in (-719_528..2_932_896).step_by(97) {
            let civil = Timestamp::from_micros(day * DAY_US).civil();
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day);
            assert_eq!(
                (civil.year, civil.month, civil.day),
                (date.year().into(), date.month().into(), date.day().into())
            );
            assert_eq!(day_of_date(civil.year, civil.month, civil.day), day);
        }
    }
}
