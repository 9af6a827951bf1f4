//! The root secrets of a log, and the keys that are derived from them, one for each purpose (HKDF-SHA-256, RFC 5869).

use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac::{self, HMAC_SHA256};
use std::fmt;

/// The size of a root secret.
pub const ROOT_BYTES: usize = 32;
/// The size of a signature.
pub const TAG_BYTES: usize = 32;
/// The number of root secrets that are valid at a time.
pub const ROOTS_MAX: usize = 2;

/// The purpose of a key; its name is part of the derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Cursors of lists.
    Cursor,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Purpose::Cursor => "cursor",
        }
    }
}

/// Root secrets, the newest first.
pub struct Roots(Vec<[u8; ROOT_BYTES]>);

impl Roots {
    /// Of a newest secret and, while it is being replaced, the one before.
    pub fn new(newest: [u8; ROOT_BYTES], before: Option<[u8; ROOT_BYTES]>) -> Roots {
        Roots([Some(newest), before].into_iter().flatten().collect())
    }

    /// The signer for a purpose.
    pub fn signer(&self, purpose: Purpose) -> Signer {
        let derive = |root: &[u8; ROOT_BYTES]| {
            let extracted = Salt::new(HKDF_SHA256, &[]).extract(root);
            let label = [purpose.label().as_bytes()];
            hmac::Key::from(extracted.expand(&label, HMAC_SHA256).expect("a key is shorter than what can be derived"))
        };
        Signer(self.0.iter().map(derive).collect())
    }
}

/// Signs with the newest key, and knows what the keys signed. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Vec<hmac::Key>);

impl Signer {
    /// The signature of these parts; where one ends and the next begins is signed too.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        if let Some(newest) = self.0.first() {
            tag.copy_from_slice(hmac::sign(newest, &joined(parts)).as_ref());
        }
        tag
    }

    /// Returns true if the parts were signed so, in a time that reveals nothing of the key.
    pub fn has_signed(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        let joined = joined(parts);
        self.0.iter().any(|key| hmac::verify(key, &joined, tag).is_ok())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_parts_and_its_key_alone() {
        let (old, new) = ([1; ROOT_BYTES], [2; ROOT_BYTES]);
        let signer = |newest, before| Roots::new(newest, before).signer(Purpose::Cursor);
        let tag = signer(old, None).sign(&[b"ab", b"c"]);
        assert!(signer(old, None).has_signed(&[b"ab", b"c"], &tag));
        assert!(signer(new, Some(old)).has_signed(&[b"ab", b"c"], &tag), "the one before is still valid");
        assert_ne!(signer(new, Some(old)).sign(&[b"ab", b"c"]), tag, "the newest signs");
        assert!(!signer(new, None).has_signed(&[b"ab", b"c"], &tag));
        let parts: [&[&[u8]]; 3] = [&[b"a", b"bc"], &[b"abc"], &[b"ab", b"c", b""]];
        for parts in parts {
            assert!(!signer(old, None).has_signed(parts, &tag));
        }
        assert!(!signer(old, None).has_signed(&[b"ab", b"c"], &tag[..31]));
    }
}
