//! Cursors: where the next page of a list begins, bound to the list's filter and order and to one epoch.
//! Opaque to clients, so the form may change.

use super::problem::{Fault, Problem};
use dataflows::epoch::Epoch;
use xxhash_rust::xxh3::xxh3_64;

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch of all pages.
    pub epoch: Epoch,
    /// The last key of the page before.
    pub after: String,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Cursor {
    /// The cursor as clients get it. `list` names route and filter.
    pub fn text(&self, list: &str) -> String {
        let mut bytes = self.epoch.0.to_le_bytes().to_vec();
        bytes.extend_from_slice(self.after.as_bytes());
        let check = check(list, &bytes);
        bytes.extend_from_slice(&check);
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[digit as usize])).collect()
    }

    /// Reads a cursor of that list, and no other.
    pub fn read(text: &str, list: &str) -> Result<Cursor, Problem> {
        decode(text, list).ok_or_else(|| {
            Problem::new(Fault::BadCursor, "take cursors from `next_cursor` of this list with this filter, unchanged")
        })
    }
}

fn check(list: &str, bytes: &[u8]) -> [u8; 8] {
    (xxh3_64(list.as_bytes()).rotate_left(32) ^ xxh3_64(bytes)).to_le_bytes()
}

fn decode(text: &str, list: &str) -> Option<Cursor> {
    let digits: Option<Vec<u8>> = text
        .bytes()
        .map(|digit| DIGITS.iter().position(|known| *known == digit))
        .map(|digit| digit.map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let (bytes, found) = bytes.split_last_chunk::<8>()?;
    if *found != check(list, bytes) {
        return None;
    }
    let (epoch, after) = bytes.split_first_chunk::<8>()?;
    Some(Cursor { epoch: Epoch(u64::from_le_bytes(*epoch)), after: String::from_utf8(after.to_vec()).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_for_its_list_only() {
        let cursor = Cursor { epoch: Epoch(7), after: "BANK CHARGES ü".to_owned() };
        let text = cursor.text("orders");
        assert_eq!(Cursor::read(&text, "orders"), Ok(cursor));
        assert!(Cursor::read(&text, "stock").is_err());
        for broken in ["", "0", "zz", &text[2..], &format!("{text}00"), &text.replace('0', "1")] {
            assert!(Cursor::read(broken, "orders").is_err(), "{broken}");
        }
    }
}
