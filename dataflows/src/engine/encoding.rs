//! The form in which rows are kept in a checkpoint: every field of a row in the order of its declaration, whole numbers
//! in as few bytes as they need. Not JSON, since rows hold more than they show. A row whose fields change gets another
//! form, and so checkpoints another format; golden files hold every one that was ever written.

use smallvec::SmallVec;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that are no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no row: {0}")]
pub struct DecodeError(pub &'static str);

/// The bytes that are left to read.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }
}

/// A value that can be kept.
pub trait Encoding: Sized {
    /// Appends it.
    fn store(&self, out: &mut Vec<u8>);

    /// Reads it back.
    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Keeps a struct field by field; the compiler asks for those that are new.
macro_rules! encode_struct {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        $(impl $crate::engine::encoding::Encoding for $name {
            fn store(&self, out: &mut Vec<u8>) {
                let $name { $($field),* } = self;
                $($crate::engine::encoding::Encoding::store($field, out);)*
            }

            fn load(from: &mut $crate::engine::encoding::Reader<'_>) -> Result<Self, $crate::engine::encoding::DecodeError> {
                Ok($name { $($field: $crate::engine::encoding::Encoding::load(from)?),* })
            }
        })*
    };
}

/// Keeps an enum by numbers that stay.
macro_rules! encode_enum {
    ($($name:ident { $($word:ident = $number:literal),* $(,)? })*) => {
        $(impl $crate::engine::encoding::Encoding for $name {
            fn store(&self, out: &mut Vec<u8>) {
                out.push(match self { $($name::$word => $number),* });
            }

            fn load(from: &mut $crate::engine::encoding::Reader<'_>) -> Result<Self, $crate::engine::encoding::DecodeError> {
                match <u8 as $crate::engine::encoding::Encoding>::load(from)? {
                    $($number => Ok($name::$word),)*
                    _ => Err($crate::engine::encoding::DecodeError(concat!("no ", stringify!($name), " has that number"))),
                }
            }
        })*
    };
}

pub(crate) use {encode_enum, encode_struct};

impl Encoding for u8 {
    fn store(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.byte()
    }
}

impl Encoding for bool {
    fn store(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError("a yes or no is neither")),
        }
    }
}

impl Encoding for u64 {
    fn store(&self, out: &mut Vec<u8>) {
        let mut left = *self;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = from.byte()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                break;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DecodeError("a number is too large"))
    }
}

impl Encoding for u32 {
    fn store(&self, out: &mut Vec<u8>) {
        u64::from(*self).store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u32::try_from(u64::load(from)?).map_err(|_| DecodeError("a number is too large"))
    }
}

impl Encoding for i64 {
    fn store(&self, out: &mut Vec<u8>) {
        // Numbers near zero are short, whatever their sign.
        ((self << 1 ^ self >> 63) as u64).store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = u64::load(from)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

impl Encoding for u128 {
    fn store(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = from.take(16)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }
}

impl Encoding for i128 {
    fn store(&self, out: &mut Vec<u8>) {
        // Sums are wide only in case; most fit into half.
        match i64::try_from(*self) {
            Ok(narrow) => {
                out.push(0);
                narrow.store(out);
            }
            Err(_) => {
                out.push(1);
                self.cast_unsigned().store(out);
            }
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.byte()? {
            0 => Ok(i64::load(from)?.into()),
            1 => Ok(u128::load(from)?.cast_signed()),
            _ => Err(DecodeError("a sum has no such width")),
        }
    }
}

/// Appends a text.
pub(crate) fn store_text(text: &str, out: &mut Vec<u8>) {
    (text.len() as u64).store(out);
    out.extend_from_slice(text.as_bytes());
}

/// Reads a text back.
pub(crate) fn load_text<'a>(from: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let length = usize::try_from(u64::load(from)?).map_err(|_| DecodeError("a text is too long"))?;
    std::str::from_utf8(from.take(length)?).map_err(|_| DecodeError("a text is not UTF-8"))
}

macro_rules! texts {
    ($($text:ty)*) => {
        $(impl Encoding for $text {
            fn store(&self, out: &mut Vec<u8>) {
                store_text(self, out);
            }

            fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                load_text(from).map(|text| text.to_owned().into())
            }
        })*
    };
}

texts! { String Cow<'static, str> }

impl Encoding for SmolStr {
    fn store(&self, out: &mut Vec<u8>) {
        store_text(self, out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        load_text(from).map(SmolStr::new)
    }
}

impl<T: Encoding> Encoding for Option<T> {
    fn store(&self, out: &mut Vec<u8>) {
        self.is_some().store(out);
        if let Some(some) = self {
            some.store(out);
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(if bool::load(from)? { Some(T::load(from)?) } else { None })
    }
}

impl<T: Encoding> Encoding for Box<T> {
    fn store(&self, out: &mut Vec<u8>) {
        self.as_ref().store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::load(from).map(Box::new)
    }
}

impl<T: Encoding> Encoding for Arc<T> {
    fn store(&self, out: &mut Vec<u8>) {
        self.as_ref().store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::load(from).map(Arc::new)
    }
}

impl<A: Encoding, B: Encoding> Encoding for (A, B) {
    fn store(&self, out: &mut Vec<u8>) {
        self.0.store(out);
        self.1.store(out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::load(from)?, B::load(from)?))
    }
}

/// The number of entries; at most the number of bytes, so that no false count asks for memory.
fn load_count(from: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let count = usize::try_from(u64::load(from)?).ok().filter(|count| *count <= from.0.len());
    count.ok_or(DecodeError("a list is too long"))
}

fn store_all<'a, T: Encoding + 'a>(all: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    (all.len() as u64).store(out);
    all.for_each(|one| one.store(out));
}

impl<T: Encoding> Encoding for Vec<T> {
    fn store(&self, out: &mut Vec<u8>) {
        store_all(self.iter(), out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        (0..load_count(from)?).map(|_| T::load(from)).collect()
    }
}

impl<T: Encoding, const N: usize> Encoding for SmallVec<[T; N]> {
    fn store(&self, out: &mut Vec<u8>) {
        store_all(self.iter(), out);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        (0..load_count(from)?).map(|_| T::load(from)).collect()
    }
}

impl Encoding for BTreeMap<SmolStr, SmolStr> {
    fn store(&self, out: &mut Vec<u8>) {
        (self.len() as u64).store(out);
        for (name, text) in self {
            name.store(out);
            text.store(out);
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        (0..load_count(from)?).map(|_| <(SmolStr, SmolStr)>::load(from)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::code::Code;
    use crate::contract::money::Currency;
    use crate::shop::command::CommandType;

    fn same<T: Encoding + PartialEq + std::fmt::Debug>(of: T) {
        let mut bytes = Vec::new();
        of.store(&mut bytes);
        let mut stored = Reader(&bytes);
        assert_eq!(T::load(&mut stored), Ok(of));
        assert!(stored.0.is_empty());
        for end in 0..bytes.len() {
            assert!(T::load(&mut Reader(&bytes[..end])).is_err(), "{end} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_nothing_shorter_is() {
        for number in [0, 1, 127, 128, 300, u64::MAX / 2, u64::MAX] {
            same(number);
            same(number.cast_signed());
            same(number.wrapping_neg().cast_signed());
            same(i128::from(number) * 3);
            same(-i128::from(number) * 3);
            same(u128::from(number) << 64);
        }
        same(SmolStr::new("日本"));
        same(vec![Some(SmolStr::new("a")), None]);
        same(Currency::parse("GBP").unwrap());
        CommandType::ALL.iter().for_each(|word| same(*word));
        Code::ALL.iter().for_each(|word| same(*word));
    }

    #[test]
    fn numbers_that_were_never_written_are_refused() {
        assert!(u64::load(&mut Reader(&[0xff; 11])).is_err());
        assert!(u64::load(&mut Reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02])).is_err());
        assert!(Vec::<u8>::load(&mut Reader(&[0xff, 0xff, 0x7f, 0])).is_err());
    }
}
