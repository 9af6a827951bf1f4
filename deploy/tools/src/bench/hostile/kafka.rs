//! A few requests of Kafka's protocol as bytes, wrong and excessive ones too. Not a client: it knows what the cases send
//! and no more.

use super::wire;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The bytes of an answer that are read, at most.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A topic of commands.
pub const ORDERS: &str = "tradewind.orders.commands";
/// Another.
pub const STOCK: &str = "tradewind.stock.commands";

/// The kind of a request: its number, and the version that is sent.
#[derive(Clone, Copy, Debug)]
pub struct Api(i16, i16);

/// Appends records.
pub const PRODUCE: Api = Api(0, 7);
/// Notes how far a group has read.
pub const OFFSET_COMMIT: Api = Api(8, 2);
/// Asks for it.
pub const OFFSET_FETCH: Api = Api(9, 1);
/// Enters a group.
pub const JOIN_GROUP: Api = Api(11, 2);
/// Describes groups.
pub const DESCRIBE_GROUPS: Api = Api(15, 0);
/// Lists the requests that are answered.
pub const API_VERSIONS: Api = Api(18, 0);
/// Asks for a producer's number.
pub const INIT_PRODUCER_ID: Api = Api(22, 0);

/// The body of a request as it is written.
#[derive(Clone, Debug, Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// A whole number of 16 bits.
    pub fn i16(mut self, value: i16) -> Body {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A whole number of 32 bits.
    pub fn i32(mut self, value: i32) -> Body {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A whole number of 64 bits.
    pub fn i64(mut self, value: i64) -> Body {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A text with its length.
    pub fn text(self, text: &str) -> Body {
        let length = i16::try_from(text.len()).expect("the cases' texts are short");
        let mut body = self.i16(length);
        body.0.extend_from_slice(text.as_bytes());
        body
    }

    /// No text.
    pub fn no_text(self) -> Body {
        self.i16(-1)
    }

    /// Bytes with their length.
    pub fn bytes(self, bytes: &[u8]) -> Body {
        let mut body = self.i32(length(bytes.len()));
        body.0.extend_from_slice(bytes);
        body
    }

    /// A list with its length.
    pub fn list<T>(self, items: impl ExactSizeIterator<Item = T>, mut put: impl FnMut(Body, T) -> Body) -> Body {
        let body = self.i32(length(items.len()));
        items.fold(body, &mut put)
    }

    /// The whole request.
    pub fn request(self, api: Api) -> Vec<u8> {
        let head = Body::default().i16(api.0).i16(api.1).i32(7).text("hostile").0;
        let mut bytes = length(head.len() + self.0.len()).to_be_bytes().to_vec();
        bytes.extend(head);
        bytes.extend(self.0);
        bytes
    }
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("the cases' requests are below 2 GiB")
}

/// A connection.
pub struct Client(TcpStream);

impl Client {
    /// Connects.
    pub fn new(address: SocketAddr, patience: Duration) -> Result<Client> {
        Ok(Client(wire::connect(address, patience)?))
    }

    /// Sends a request.
    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.0.write_all(request)?)
    }

    /// The bytes of the next answer, after its number.
    pub fn answer(&mut self) -> Result<Fields> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).context("no answer")?;
        let length = usize::try_from(i32::from_be_bytes(length))?;
        ensure!((4..=ANSWER_BYTES_MAX).contains(&length), "an answer of {length} bytes");
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).context("an answer breaks off")?;
        Ok(Fields { bytes, at: 4 })
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, api: Api, body: Body) -> Result<Fields> {
        self.send(&body.request(api))?;
        self.answer()
    }
}

/// The fields of an answer, read in order.
pub struct Fields {
    bytes: Vec<u8>,
    at: usize,
}

impl Fields {
    /// The length of the whole answer.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.bytes.get(self.at..self.at + N).context("an answer is too short")?;
        self.at += N;
        Ok(taken.try_into()?)
    }

    /// A whole number of 16 bits.
    pub fn i16(&mut self) -> Result<i16> {
        self.take().map(i16::from_be_bytes)
    }

    /// A whole number of 32 bits.
    pub fn i32(&mut self) -> Result<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// A whole number of 64 bits.
    pub fn i64(&mut self) -> Result<i64> {
        self.take().map(i64::from_be_bytes)
    }

    /// A text; empty if there is none.
    pub fn text(&mut self) -> Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        let text = self.bytes.get(self.at..self.at + length).context("an answer is too short")?;
        self.at += length;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

/// A request that appends batches: for each its topic, its partition and its bytes.
pub fn produce(batches: &[(&str, i32, &[u8])]) -> Body {
    let body = Body::default().no_text().i16(-1).i32(10_000);
    body.list(batches.iter(), |body, (topic, partition, batch)| body.text(topic).i32(1).i32(*partition).bytes(batch))
}

/// The code and the offset of each batch, in the order of the answer.
pub fn produced(mut answer: Fields) -> Result<Vec<(i16, i64)>> {
    let mut all = Vec::new();
    for _ in 0..answer.i32()? {
        answer.text()?;
        for _ in 0..answer.i32()? {
            answer.i32()?;
            let code = answer.i16()?;
            all.push((code, answer.i64()?));
            // The time of the append, and the start of the log.
            answer.i64()?;
            answer.i64()?;
        }
    }
    Ok(all)
}

/// The compression of a batch's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// They are not.
    Plain = 0,
    /// By gzip.
    Gzip = 1,
    /// By zstd.
    Zstd = 4,
}

/// The sender of a batch: number, epoch, and the sequence of its first record.
pub type Producer = (i64, i16, i32);

/// No particular producer.
pub const NOBODY: Producer = (-1, -1, -1);

/// A batch of so many records, whose bytes are compressed that way already.
pub fn batch(records: &[u8], count: i32, codec: Codec, (producer, epoch, first): Producer) -> Vec<u8> {
    let checked = Body::default().i16(codec as i16).i32(count - 1).i64(0).i64(0);
    let mut checked = checked.i64(producer).i16(epoch).i32(first).i32(count).0;
    checked.extend_from_slice(records);
    // The offset, the length from here on, the leader's epoch, the format, the checksum.
    let mut bytes = Body::default().i64(0).i32(length(checked.len() + 9)).i32(-1).0;
    bytes.push(2);
    bytes.extend_from_slice(&crc32c(&checked).to_be_bytes());
    bytes.extend(checked);
    bytes
}

/// A record as the journal's batches have it, up to its value of `value_bytes`, which follows, and then a zero: no headers.
pub fn record_front(delta: i64, value_bytes: Option<usize>) -> Vec<u8> {
    let mut front = vec![0, 0];
    varint(delta, &mut front);
    varint(-1, &mut front);
    varint(value_bytes.map_or(-1, |bytes| i64::from(length(bytes))), &mut front);
    let all = front.len() + value_bytes.unwrap_or(0) + 1;
    let mut bytes = Vec::new();
    varint(i64::from(length(all)), &mut bytes);
    bytes.extend(front);
    bytes
}

/// A whole record with a key, headers and a value.
pub fn record(delta: i64, key: &str, headers: &[(&str, &str)], value: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0];
    varint(delta, &mut body);
    for bytes in [key.as_bytes(), value] {
        varint(i64::from(length(bytes.len())), &mut body);
        body.extend_from_slice(bytes);
    }
    varint(i64::from(length(headers.len())), &mut body);
    for (name, value) in headers {
        for bytes in [name.as_bytes(), value.as_bytes()] {
            varint(i64::from(length(bytes.len())), &mut body);
            body.extend_from_slice(bytes);
        }
    }
    let mut bytes = Vec::new();
    varint(i64::from(length(body.len())), &mut bytes);
    bytes.extend(body);
    bytes
}

fn varint(value: i64, to: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while left >= 0x80 {
        to.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}

/// A zstd frame of records of zeros, each of `value_bytes`: the zeros are blocks that name one byte and its count.
pub fn zstd_of_zeros(records: i64, value_bytes: usize) -> Vec<u8> {
    const BLOCK_BYTES_MAX: usize = 128 << 10;
    let block = |is_last: bool, kind: usize, bytes: usize| {
        let front = (bytes << 3 | kind << 1 | usize::from(is_last)) as u32;
        let [low, middle, high, _] = front.to_le_bytes();
        [low, middle, high]
    };
    // The magic number; no checksum, no dictionary, no size; a window of 8 MiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    for record in 0..records {
        let front = record_front(record, Some(value_bytes));
        frame.extend(block(false, 0, front.len()));
        frame.extend(front);
        // The value, and the number of headers.
        let mut left = value_bytes + 1;
        while left > 0 {
            let bytes = left.min(BLOCK_BYTES_MAX);
            left -= bytes;
            frame.extend(block(left == 0 && record + 1 == records, 1, bytes));
            frame.push(0);
        }
    }
    frame
}

/// The checksum of a batch: CRC-32C.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let (mut table, mut n) = ([0; 256], 0);
        while n < 256 {
            let (mut value, mut bit) = (n as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0x82f6_3b78 } else { value >> 1 };
                bit += 1;
            }
            table[n] = value;
            n += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum, byte| sum >> 8 ^ TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_request_is_the_protocol_s_byte_for_byte() {
        let request = Body::default().text("g").request(DESCRIBE_GROUPS);
        assert_eq!(request, b"\0\0\0\x14\0\x0f\0\0\0\0\0\x07\0\x07hostile\0\x01g");
    }
}
