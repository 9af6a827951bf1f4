//! The parts of a CloudEvent that both modes of the Kafka binding have. Not for where each mode has it.

use dataflows::contract::input::DeadLetterCode;
use std::borrow::Cow;

/// The media type of data.
pub const JSON: &str = "application/json";

/// The reason why a record is a dead letter.
#[derive(Debug)]
pub struct Fault(pub DeadLetterCode, pub String);

pub fn unreadable(detail: impl Into<String>) -> Fault {
    Fault(DeadLetterCode::Unreadable, detail.into())
}

/// A CloudEvent's attributes that matter to us, from either mode.
pub struct Event<'a> {
    pub id: Option<Cow<'a, [u8]>>,
    pub event_type: Cow<'a, [u8]>,
    pub data: Cow<'a, [u8]>,
}

/// The attributes that both modes must have and that decide nothing.
pub fn check_attributes(spec_version: Option<&[u8]>, source: Option<&[u8]>) -> Result<(), Fault> {
    match spec_version {
        None => return Err(unreadable("no CloudEvent: specversion is missing")),
        Some(b"1.0") => {}
        Some(other) => return Err(unreadable(format!("specversion is {:?}, not 1.0", String::from_utf8_lossy(other)))),
    }
    if source.is_none_or(<[u8]>::is_empty) {
        return Err(unreadable("no CloudEvent: source is missing"));
    }
    Ok(())
}

/// The media type before its parameters, of which a `charset` must be UTF-8.
pub fn utf8_media_type(content_type: &str) -> Result<&str, Fault> {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        let value = value.trim().trim_matches('"');
        let is_utf8 = ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known));
        if name.trim().eq_ignore_ascii_case("charset") && !is_utf8 {
            return Err(unreadable(format!("the charset is {value:?}, not utf-8")));
        }
    }
    Ok(media)
}

/// True if a media type is JSON: `application/json`, or a suffix `+json` that is no CloudEvents form of its own.
pub fn is_json(media: &str) -> bool {
    let lower = media.to_ascii_lowercase();
    lower == JSON || (lower.ends_with("+json") && !lower.starts_with("application/cloudevents"))
}
