//! Time as microseconds since 1970 in UTC: how it is read, how it is written, and the periods of revenue.
//! No clock is here: every time comes from an epoch or a command.

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Reads `2010-12-09T15:00:00.5Z` or `…+01:00`: RFC 3339, without leap seconds. Decimals beyond six are cut.
pub fn read(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (local, offset) = match text.strip_suffix('Z') {
        Some(local) => (local, 0),
        None => {
            let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let (sign, offset) = (offset.as_bytes()[0], &offset.as_bytes()[1..]);
            let (hours, minutes) = (number(&offset[..2])?, number(&offset[3..])?);
            if offset[2] != b':' || hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = match sign {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            (local, ahead * (hours * HOUR + minutes * MINUTE))
        }
    };
    let micros = local_time(local.as_bytes())? - offset;
    // The years that can be written.
    (days_from_civil(0, 1, 1) * DAY..days_from_civil(10_000, 1, 1) * DAY).contains(&micros).then_some(micros)
}

fn local_time(bytes: &[u8]) -> Option<i64> {
    if bytes.len() < 19 {
        return None;
    }
    let (second, fraction) = bytes.split_at(19);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(place, mark)| second[place] != mark) {
        return None;
    }
    let year = number(&second[0..4])?;
    let (month, day) = (number(&second[5..7])?, number(&second[8..10])?);
    let (hour, minute) = (number(&second[11..13])?, number(&second[14..16])?);
    let seconds = number(&second[17..19])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || seconds > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let kept = &digits[..digits.len().min(6)];
            number(kept)? * 10_i64.pow(6 - kept.len() as u32)
        }
        _ => return None,
    };
    let clock = hour * HOUR + minute * MINUTE + seconds * SECOND + micros;
    Some(days_from_civil(year, month, day) * DAY + clock)
}

/// Writes a time without the trailing zeros of its fraction.
pub fn write(micros: i64) -> String {
    let (year, month, day) = civil_from_days(micros.div_euclid(DAY));
    let clock = micros.rem_euclid(DAY);
    let (hour, minute) = (clock / HOUR, clock % HOUR / MINUTE);
    let second = clock % MINUTE / SECOND;
    let mut fraction = format!(".{:06}", clock % SECOND);
    while fraction.ends_with('0') {
        fraction.pop();
    }
    if fraction == "." {
        fraction.clear();
    }
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The month, the day and the hour that a time falls in.
pub fn periods(micros: i64) -> [String; 3] {
    let text = write(micros);
    [text[..7].to_string(), text[..10].to_string(), format!("{}:00Z", &text[..13])]
}

fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; years are counted from March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}
