//! The zigzag numbers of Kafka's records, and a cursor over bytes that may lie. Not for any other format.

use bytes::Bytes;

/// The bytes that a number takes.
pub fn size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// The bytes that a length and that many bytes after it take.
pub fn sized(length: usize) -> usize {
    size(i64::try_from(length).unwrap_or(i64::MAX)) + length
}

/// Appends a number.
pub fn put(value: i64, to: &mut Vec<u8>) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        to.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    to.push((rest & 0x7f) as u8);
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Reads bytes from the front; every step returns none when there are too few.
#[derive(Clone, Debug)]
pub struct Cursor {
    bytes: Bytes,
    at: usize,
}

impl Cursor {
    /// From the first byte on.
    pub const fn new(bytes: Bytes) -> Cursor {
        Cursor { bytes, at: 0 }
    }

    /// The number of bytes left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next number.
    pub fn varint(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        None
    }

    /// The next number as a length or count.
    pub fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    /// The next bytes, if there are that many.
    pub fn peek(&self, length: usize) -> Option<&[u8]> {
        self.bytes.get(self.at..self.at.checked_add(length)?)
    }

    /// Passes bytes that [`Cursor::peek`] has shown.
    pub fn advance(&mut self, length: usize) {
        self.at += length;
    }

    /// Takes the next bytes, shared.
    pub fn take(&mut self, length: usize) -> Option<Bytes> {
        self.peek(length)?;
        let taken = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        Some(taken)
    }

    /// Bytes after their length, or nothing where it is negative.
    #[allow(clippy::option_option)]
    pub fn optional(&mut self) -> Option<Option<Bytes>> {
        match self.varint()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }
}
