//! How JSON is held against the shape of a command: what is wrong, and what is there beside it, each with its pointer. Not for
//! bounds, which the decider has.

use super::CommandReadError;
use crate::contract::code::ERRORS_MAX;
use serde::Deserialize;

/// Reads JSON as a `T`, or says at which pointer it is not one.
pub fn parse_json<'de, T: Deserialize<'de>>(data: &'de [u8]) -> Result<T, CommandReadError> {
    // The fast way first: the path is only worth tracking for what turns out to be wrong.
    match serde_json::from_slice(data) {
        Ok(value) => Ok(value),
        Err(plain) => {
            let mut json = serde_json::Deserializer::from_slice(data);
            let traced = serde_path_to_error::deserialize::<_, T>(&mut json).err();
            let mut pointer = traced.as_ref().map(|error| pointer_of(error.path())).unwrap_or_default();
            let detail = traced.map_or(plain, |error| error.into_inner()).to_string();
            // The path leads to where it is missing.
            if let Some((name, _)) = detail.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
                pointer = format!("{pointer}/{}", escaped(name));
            }
            Err(CommandReadError::Shape { pointer, detail })
        }
    }
}

/// The pointers of what is there and no part of a `T`, the first 100.
pub fn unknown_fields<'de, T: Deserialize<'de>>(data: &'de [u8]) -> Vec<String> {
    let mut unknown = Vec::new();
    let note = |path: serde_ignored::Path<'_>| {
        if unknown.len() < ERRORS_MAX {
            unknown.push(ignored_pointer(&path));
        }
    };
    let mut json = serde_json::Deserializer::from_slice(data);
    // Whether it can be read at all was seen before.
    drop(serde_ignored::deserialize::<_, _, T>(&mut json, note));
    unknown
}

fn ignored_pointer(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", ignored_pointer(parent)),
        Path::Map { parent, key } => format!("{}/{}", ignored_pointer(parent), escaped(key)),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            ignored_pointer(parent)
        }
    }
}

/// A serde path as a JSON pointer (RFC 6901).
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", escaped(key)),
        Segment::Enum { variant } => format!("{pointer}/{variant}"),
        Segment::Unknown => pointer,
    })
}

/// A name as a part of a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
