//! Records and what they mean: CloudEvents 1.0 in the Kafka binding, both ways. Not for outcomes: a record that can be
//! read as its type is an input, whatever its values.
//!
//! Binary mode is written; binary and structured mode are read. Where a record has more than one fault, the first of
//! this order is its dead letter code:
//!
//! 1. `too_large`: key, value and headers together are over 1 MiB.
//! 2. `unreadable`: no CloudEvent. A missing or other `specversion`, no `type`, no `source`, no data, one of these headers
//!    twice (two readers could take different ones), a content type that is not JSON in UTF-8.
//! 3. `bad_command_id`: the id is absent, or not 1 to 255 visible ASCII characters.
//! 4. `unknown_type`: no command or observation of this topic has that type.
//! 5. `unreadable`: the data is not of the type's shape.
//! 6. `wrong_key`: no key, or not the id in the data. An order that gives no `order_id` has any key, or none; an
//!    observation that says neither customer nor session has any, but one.

use crate::input::cloud_event::{Event, Fault, JSON, check_attributes, is_json, unreadable, utf8_media_type};
use crate::input::structured_event;
use crate::log::{RECORD_BYTES_MAX, Record};
use bytes::Bytes;
use dataflows::contract::input::{CommandEnvelope, DeadLetter, DeadLetterCode, Input, ObservationEnvelope};
use dataflows::contract::topic::{Origin, Topic};
use dataflows::ports::Publication;
use dataflows::shop::command::{Command, CommandType};
use dataflows::shop::searches::observation::{Observation, ObservationType};
use serde::Deserialize;
use serde::de::IgnoredAny;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::sync::Arc;

/// The source of our own commands.
pub const SOURCE: &str = "/tradewind";
/// Characters of a detail that are kept, since it may quote what came from outside.
const DETAIL_CHARS_MAX: usize = 400;

const SPEC_VERSION: &str = "ce_specversion";
const ID: &str = "ce_id";
const TYPE: &str = "ce_type";
const SOURCE_HEADER: &str = "ce_source";
const CONTENT_TYPE: &str = "content-type";

/// The record of a command or an observation that we publish.
pub fn encode(publication: Publication, timestamp_ms: i64) -> Record {
    let Publication { topic: _, key, command_id, record_type, data } = publication;
    let header = |name: &'static str, value: Bytes| (SmolStr::new_static(name), Some(value));
    Record {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::from(data)),
        headers: vec![
            header(SPEC_VERSION, Bytes::from_static(b"1.0")),
            header(ID, Bytes::copy_from_slice(command_id.as_bytes())),
            header(TYPE, Bytes::from(format!("tradewind.{}.v1", record_type.name()))),
            header(SOURCE_HEADER, Bytes::from_static(SOURCE.as_bytes())),
            header(CONTENT_TYPE, Bytes::from_static(JSON.as_bytes())),
        ],
        timestamp_ms,
    }
}

/// The content of a record of an input topic.
pub fn decode(origin: Origin, record: &Record) -> Input {
    match read(origin, record) {
        Ok(input) => input,
        Err(Fault(code, detail)) => {
            let detail = match detail.char_indices().nth(DETAIL_CHARS_MAX) {
                Some((end, _)) => format!("{}…", &detail[..end]),
                None => detail,
            };
            Input::Dead(DeadLetter { origin, code, detail, record: Arc::new(record.raw()) })
        }
    }
}

fn read(origin: Origin, record: &Record) -> Result<Input, Fault> {
    let value = record.value.as_deref();
    let bytes = record.content_bytes();
    if bytes > RECORD_BYTES_MAX {
        let detail = format!("key, value and headers have {bytes} bytes together, over {RECORD_BYTES_MAX}");
        return Err(Fault(DeadLetterCode::TooLarge, detail));
    }
    let headers = Headers::of(record)?;
    let value = value.ok_or_else(|| unreadable("there is no data: the value is null"))?;
    let event = match content(headers.content_type)? {
        Content::Structured => structured_event::read(value)?,
        Content::Binary => headers.event(value)?,
    };
    let command_id = command_id(event.id.as_deref())?;
    if origin.topic == Topic::Activity {
        return sighting(origin, record.key.as_deref(), &event);
    }
    let command_type = command_type(&event.event_type, origin.topic)?;
    let command = Command::read(command_type, command_id, &event.data).map_err(|why| unreadable(why.to_string()))?;
    check_key(record.key.as_deref(), &command, command_id, &event.data)?;
    let fingerprint = command.fingerprint(record.key.as_deref().unwrap_or_default());
    Ok(Input::Command(Box::new(CommandEnvelope { origin, command_id: SmolStr::new(command_id), fingerprint, command })))
}

/// An observation has an id as every event has, but is not known by it: what it says tells it from others.
fn sighting(origin: Origin, key: Option<&[u8]>, event: &Event<'_>) -> Result<Input, Fault> {
    let known = name_of(&event.event_type).and_then(ObservationType::from_name);
    let observation_type = known.ok_or_else(|| unknown_type(&event.event_type, origin.topic))?;
    let read = Observation::read(observation_type, &event.data);
    let observation = read.map_err(|why| unreadable(why.to_string()))?;
    match key {
        Some(key) if observation.may_have_key(key) => {}
        key => {
            let found = key.map(|key| format!("the key is {:?}", String::from_utf8_lossy(key)));
            let found = found.unwrap_or_else(|| "there is no key".to_owned());
            let detail = format!("{found}; it is the id of the customer or the session, {:?}", observation.key());
            return Err(Fault(DeadLetterCode::WrongKey, detail));
        }
    }
    Ok(Input::Observation(Box::new(ObservationEnvelope { origin, observation })))
}

/// The headers that we look at. Any other may be there, and repeat.
#[derive(Default)]
struct Headers<'a> {
    spec_version: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    event_type: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    fn of(record: &'a Record) -> Result<Headers<'a>, Fault> {
        let mut headers = Headers::default();
        for (name, value) in &record.headers {
            // A header without a value says nothing, as if it were not there.
            let Some(value) = value.as_deref() else { continue };
            let place = match name.as_str() {
                SPEC_VERSION => &mut headers.spec_version,
                ID => &mut headers.id,
                TYPE => &mut headers.event_type,
                SOURCE_HEADER => &mut headers.source,
                other if other.eq_ignore_ascii_case(CONTENT_TYPE) => &mut headers.content_type,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(unreadable(format!("the header {name} is there twice")));
            }
        }
        Ok(headers)
    }

    fn event(self, data: &'a [u8]) -> Result<Event<'a>, Fault> {
        let Headers { spec_version, id, event_type, source, content_type: _ } = self;
        check_attributes(spec_version, source)?;
        let event_type = event_type.ok_or_else(|| unreadable("no CloudEvent: ce_type is missing"))?;
        Ok(Event { id: id.map(Cow::Borrowed), event_type: Cow::Borrowed(event_type), data: Cow::Borrowed(data) })
    }
}

enum Content {
    Binary,
    Structured,
}

/// The mode, by the record's content type; data without one is JSON.
fn content(content_type: Option<&[u8]>) -> Result<Content, Fault> {
    let Some(content_type) = content_type else { return Ok(Content::Binary) };
    let text = std::str::from_utf8(content_type).map_err(|_| unreadable("the content type is no text"))?;
    let media = utf8_media_type(text)?;
    if media.eq_ignore_ascii_case("application/cloudevents+json") {
        Ok(Content::Structured)
    } else if is_json(media) {
        Ok(Content::Binary)
    } else {
        Err(unreadable(format!("the content type is {media:?}, not {JSON}")))
    }
}

fn command_id(id: Option<&[u8]>) -> Result<&str, Fault> {
    let bad = |detail: &str| Fault(DeadLetterCode::BadCommandId, detail.to_owned());
    let id = id.ok_or_else(|| bad("there is no id"))?;
    if !(1..=255).contains(&id.len()) {
        return Err(bad("the id has not 1 to 255 characters"));
    }
    match std::str::from_utf8(id) {
        Ok(text) if id.iter().all(u8::is_ascii_graphic) => Ok(text),
        _ => Err(bad("the id has other than visible ASCII characters")),
    }
}

fn command_type(event_type: &[u8], topic: Topic) -> Result<CommandType, Fault> {
    let known = name_of(event_type).and_then(CommandType::from_name).filter(|known| known.topic() == topic);
    known.ok_or_else(|| unknown_type(event_type, topic))
}

/// The name in `tradewind.<Name>.v1`.
fn name_of(event_type: &[u8]) -> Option<&str> {
    std::str::from_utf8(event_type).ok()?.strip_prefix("tradewind.")?.strip_suffix(".v1")
}

fn unknown_type(event_type: &[u8], topic: Topic) -> Fault {
    let found = String::from_utf8_lossy(event_type);
    Fault(DeadLetterCode::UnknownType, format!("{} has no type {found:?}", topic.name()))
}

fn check_key(key: Option<&[u8]>, command: &Command, command_id: &str, data: &[u8]) -> Result<(), Fault> {
    if key == Some(command.key().as_bytes()) {
        return Ok(());
    }
    // An order without an id was given the command's; only the data tells whether it was without.
    if let Command::PlaceOrder(_) = command
        && command.key() == command_id
        && is_without_order_id(data)
    {
        return Ok(());
    }
    let detail = match key {
        Some(key) => {
            format!("the key is {:?}, and the id in the data {:?}", String::from_utf8_lossy(key), command.key())
        }
        None => format!("there is no key; it is the id in the data, {:?}", command.key()),
    };
    Err(Fault(DeadLetterCode::WrongKey, detail))
}

fn is_without_order_id(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct OrderIdField {
        order_id: Option<IgnoredAny>,
    }
    serde_json::from_slice::<OrderIdField>(data).is_ok_and(|given| given.order_id.is_none())
}

#[cfg(test)]
mod tests;
