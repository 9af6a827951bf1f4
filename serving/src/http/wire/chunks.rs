//! The chunks of a body as bytes pass: only to know where the next request begins. Stricter than the decoder.

use std::io;

/// The longest line that gives a chunk's size, and the longest trailer.
const LINE_BYTES_MAX: usize = 4 << 10;

/// The position of the next byte in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say what their fields are")]
pub enum ChunkedBody {
    /// In a line with a size: the size so far, whether its digits have ended, how long the line is, the byte before.
    Size { size: u64, is_over: bool, length: usize, last: u8 },
    /// So many bytes before the end of a chunk's data.
    Data(u64),
    /// At the CR, then at the LF after a chunk's data.
    DataEnd { has_cr: bool },
    /// In the trailer: how long it is, how long its line is, the byte before.
    Trailer { length: usize, line: usize, last: u8 },
    /// After the end.
    Over,
}

impl ChunkedBody {
    /// Before the first chunk.
    pub const START: ChunkedBody = ChunkedBody::Size { size: 0, is_over: false, length: 0, last: 0 };

    /// Skips bytes; returns how many of them belong to the body.
    pub fn pass(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while at < bytes.len() && *self != ChunkedBody::Over {
            if let ChunkedBody::Data(left) = *self {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += here;
                let left = left - here as u64;
                *self = if left == 0 { ChunkedBody::DataEnd { has_cr: false } } else { ChunkedBody::Data(left) };
            } else {
                *self = self.after(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn after(self, byte: u8) -> io::Result<ChunkedBody> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the body's chunks are not well formed");
        match self {
            ChunkedBody::Size { size, is_over, length, last } => {
                let has_digits = length > usize::from(is_over);
                match byte {
                    b'\n' if last == b'\r' && has_digits && size == 0 => {
                        Ok(ChunkedBody::Trailer { length: 0, line: 0, last: 0 })
                    }
                    b'\n' if last == b'\r' && has_digits => Ok(ChunkedBody::Data(size)),
                    _ if last == b'\r' || byte == b'\n' || length >= LINE_BYTES_MAX => Err(wrong()),
                    b'\r' | b';' if length > 0 => {
                        Ok(ChunkedBody::Size { size, is_over: true, length: length + 1, last: byte })
                    }
                    _ if is_over && length > 0 => {
                        Ok(ChunkedBody::Size { size, is_over, length: length + 1, last: byte })
                    }
                    _ => {
                        let digit = char::from(byte).to_digit(16).ok_or_else(wrong)?;
                        let size = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                        Ok(ChunkedBody::Size { size: size.ok_or_else(wrong)?, is_over, length: length + 1, last: byte })
                    }
                }
            }
            ChunkedBody::DataEnd { has_cr: false } if byte == b'\r' => Ok(ChunkedBody::DataEnd { has_cr: true }),
            ChunkedBody::DataEnd { has_cr: true } if byte == b'\n' => Ok(ChunkedBody::START),
            ChunkedBody::DataEnd { .. } => Err(wrong()),
            ChunkedBody::Trailer { length, line, last } => match byte {
                b'\n' if last == b'\r' && line == 1 => Ok(ChunkedBody::Over),
                b'\n' if last == b'\r' => Ok(ChunkedBody::Trailer { length: length + 1, line: 0, last: byte }),
                _ if last == b'\r' || byte == b'\n' || length >= LINE_BYTES_MAX => Err(wrong()),
                _ => Ok(ChunkedBody::Trailer { length: length + 1, line: line + 1, last: byte }),
            },
            ChunkedBody::Data(_) | ChunkedBody::Over => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the text that are body, given in pieces of that size.
    fn passed(text: &str, piece: usize) -> Option<usize> {
        let (mut chunks, mut sum) = (ChunkedBody::START, 0);
        for part in text.as_bytes().chunks(piece) {
            sum += chunks.pass(part).ok()?;
        }
        (chunks == ChunkedBody::Over).then_some(sum)
    }

    #[test]
    fn the_end_of_a_body_is_found_however_it_comes() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "a;x=\"y\"\r\n0123456789\r\n0\r\nt: u\r\n\r\n",
            "00A\r\n0123456789\r\n0\r\n\r\n",
        ] {
            for piece in 1..=body.len() {
                assert_eq!(passed(&format!("{body}GET"), piece), Some(body.len()), "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn chunks_that_two_readers_could_read_in_two_ways_are_refused() {
        for body in [
            "\r\n",
            ";\r\n",
            "5\nhello",
            "5\r\nhelloX",
            "5\r\nhello\n0",
            "x\r\n",
            "0\r\n\n",
            "10000000000000000\r\n",
            "5 \n",
            "0\r\na\n",
        ] {
            assert!({ ChunkedBody::START }.pass(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
