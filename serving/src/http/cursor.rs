//! Cursors: where the next page of a list begins, bound to the list's filter and order and to one epoch, and signed, so
//! that no client makes its own. Opaque to clients, so the form may change.

use super::problem::{ApiErrorKind, Problem};
use access::root::{Signer, TAG_BYTES};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dataflows::contract::epoch::Epoch;

/// The position at which a list resumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch of all pages.
    pub epoch: Epoch,
    /// The last key of the page before.
    pub after: String,
}

impl Cursor {
    /// The cursor as clients get it, signed. `list` names route and filter.
    pub fn text(&self, list: &str, signer: &Signer) -> String {
        let mut bytes = self.epoch.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.after.as_bytes());
        let tag = signer.sign(&[list.as_bytes(), &bytes]);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of that list, and no other.
    pub fn read(text: &str, list: &str, signer: &Signer) -> Result<Cursor, Problem> {
        decode(text, list, signer).ok_or_else(|| {
            Problem::new(
                ApiErrorKind::BadCursor,
                "take cursors from `next_cursor` of this list with this filter, unchanged",
            )
        })
    }
}

fn decode(text: &str, list: &str, signer: &Signer) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (bytes, tag) = bytes.split_last_chunk::<TAG_BYTES>()?;
    if !signer.has_signed(&[list.as_bytes(), bytes], tag) {
        return None;
    }
    let (epoch, after) = bytes.split_first_chunk::<8>()?;
    Some(Cursor { epoch: Epoch(u64::from_be_bytes(*epoch)), after: String::from_utf8(after.to_vec()).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::root::{Purpose, Roots};

    #[test]
    fn a_cursor_is_read_back_for_its_list_only() {
        let signer = |root| Roots::new([root; 32], None).signer(Purpose::Cursor);
        let ours = signer(1);
        let cursor = Cursor { epoch: Epoch(7), after: "BANK CHARGES ü".to_owned() };
        let text = cursor.text("orders", &ours);
        assert_eq!(Cursor::read(&text, "orders", &ours), Ok(cursor.clone()));
        assert!(Cursor::read(&text, "stock", &ours).is_err());
        // No client without the secret makes one.
        assert!(Cursor::read(&cursor.text("orders", &signer(2)), "orders", &ours).is_err());
        let other = Cursor { epoch: Epoch(8), ..cursor }.text("orders", &ours);
        let mixed = format!("{}{}", &other[..11], &text[11..]);
        for broken in ["", "0", "zz", &text[2..], &format!("{text}00"), &format!("{text}="), &mixed] {
            assert!(Cursor::read(broken, "orders", &ours).is_err(), "{broken}");
        }
    }
}
