//! CloudEvents in structured JSON mode: the whole event in the value. Not for batches of events, which the Kafka binding
//! does not have.

use crate::input::cloud_event::{Event, Fault, check_attributes, is_json, unreadable, utf8_media_type};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct StructuredEvent<'a> {
    #[serde(borrow)]
    specversion: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    datacontenttype: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
}

/// Reads the event. `null` is absent; an attribute that is there twice or is no text makes it unreadable.
pub(crate) fn read(value: &[u8]) -> Result<Event<'_>, Fault> {
    // serde would also take an array of the attributes in our order.
    if value.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(unreadable("no CloudEvent: the value is no JSON object"));
    }
    let event: StructuredEvent =
        serde_json::from_slice(value).map_err(|why| unreadable(format!("no CloudEvent: {why}")))?;
    let StructuredEvent { specversion, id, source, event_type, datacontenttype, data, data_base64 } = event;
    let bytes = |text: &'_ Option<Cow<'_, str>>| text.as_ref().map(|text| text.as_bytes().to_vec());
    check_attributes(bytes(&specversion).as_deref(), bytes(&source).as_deref())?;
    let event_type = event_type.ok_or_else(|| unreadable("no CloudEvent: type is missing"))?;
    if let Some(content_type) = &datacontenttype
        && !is_json(utf8_media_type(content_type)?)
    {
        return Err(unreadable(format!("datacontenttype is {content_type:?}, not application/json")));
    }
    let data = match (data, data_base64) {
        (Some(data), None) => Cow::Borrowed(data.get().as_bytes()),
        (None, Some(text)) => {
            Cow::Owned(STANDARD.decode(text.as_bytes()).map_err(|why| unreadable(format!("data_base64: {why}")))?)
        }
        (Some(_), Some(_)) => return Err(unreadable("there are both data and data_base64")),
        (None, None) => return Err(unreadable("there is no data")),
    };
    Ok(Event { id: id.map(bytes_of), event_type: bytes_of(event_type), data })
}

fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
