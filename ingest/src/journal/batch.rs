//! Record batches of Kafka's format version 2, uncompressed: the bytes that the journal keeps and that a Kafka client
//! reads as they are. Not for compression, transactions or control records.

use super::varint::{self, Cursor};
use crate::log::Record;
use bytes::Bytes;
use smol_str::SmolStr;

/// The bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// The bytes that a batch's own length does not count: the base offset and the length itself.
const LENGTH_END: usize = 12;
/// Where the part begins that the batch's checksum covers.
const CHECKED_FROM: usize = 21;
const MAGIC: u8 = 2;
/// Every record has at least so many bytes.
const RECORD_BYTES_MIN: usize = 7;

/// Why bytes are no record batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no record batch: {0}")]
pub struct BadBatch(pub &'static str);

/// What the front of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of its first record.
    pub base_offset: u64,
    /// How many bytes it has.
    pub bytes: usize,
    /// How many records it has; the last one's offset is the first's and this, less one.
    pub count: u32,
    /// What the records' timestamps count from.
    pub base_timestamp_ms: i64,
}

/// Appends the records as one batch at offset 0; [`place`] gives it its offset. There must be at least one.
pub fn encode<'a>(records: impl ExactSizeIterator<Item = &'a Record> + Clone, to: &mut Vec<u8>) {
    let start = to.len();
    let count = i32::try_from(records.len()).expect("batches are cut far below 2^31 records");
    let base_timestamp_ms = records.clone().next().map_or(0, |first| first.timestamp_ms);
    let last_timestamp_ms = records.clone().map(|record| record.timestamp_ms).max().unwrap_or(base_timestamp_ms);
    to.extend_from_slice(&0_i64.to_be_bytes()); // base offset
    to.extend_from_slice(&0_i32.to_be_bytes()); // length, below
    to.extend_from_slice(&0_i32.to_be_bytes()); // leader epoch
    to.push(MAGIC);
    to.extend_from_slice(&0_u32.to_be_bytes()); // checksum, below
    to.extend_from_slice(&0_i16.to_be_bytes()); // attributes: uncompressed, times as given
    to.extend_from_slice(&(count - 1).to_be_bytes()); // last offset delta
    to.extend_from_slice(&base_timestamp_ms.to_be_bytes());
    to.extend_from_slice(&last_timestamp_ms.to_be_bytes());
    to.extend_from_slice(&(-1_i64).to_be_bytes()); // producer id
    to.extend_from_slice(&(-1_i16).to_be_bytes()); // producer epoch
    to.extend_from_slice(&(-1_i32).to_be_bytes()); // sequence
    to.extend_from_slice(&count.to_be_bytes());
    for (delta, record) in (0_i64..).zip(records) {
        encode_record(record, record.timestamp_ms.wrapping_sub(base_timestamp_ms), delta, to);
    }
    let length = i32::try_from(to.len() - start - LENGTH_END).expect("batches are cut far below 2 GiB");
    to[start + 8..start + 12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&to[start + CHECKED_FROM..]);
    to[start + 17..start + 21].copy_from_slice(&checksum.to_be_bytes());
}

/// Gives an encoded batch its place; the checksum does not cover it, so that a broker can do this.
pub fn place(batch: &mut [u8], base_offset: u64) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
}

fn encode_record(record: &Record, timestamp_delta: i64, offset_delta: i64, to: &mut Vec<u8>) {
    let optional = |bytes: &Option<Bytes>| bytes.as_ref().map_or(1, |bytes| varint::sized(bytes.len()));
    let headers: usize =
        record.headers.iter().map(|(name, value)| varint::sized(name.len()) + optional(value)).sum::<usize>();
    let length = 1
        + varint::size(timestamp_delta)
        + varint::size(offset_delta)
        + optional(&record.key)
        + optional(&record.value)
        + varint::size(as_i64(record.headers.len()))
        + headers;
    to.reserve(length + 5);
    varint::put(as_i64(length), to);
    to.push(0); // attributes
    varint::put(timestamp_delta, to);
    varint::put(offset_delta, to);
    put_optional(record.key.as_deref(), to);
    put_optional(record.value.as_deref(), to);
    varint::put(as_i64(record.headers.len()), to);
    for (name, value) in &record.headers {
        put_optional(Some(name.as_bytes()), to);
        put_optional(value.as_deref(), to);
    }
}

fn put_optional(bytes: Option<&[u8]>, to: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => {
            varint::put(as_i64(bytes.len()), to);
            to.extend_from_slice(bytes);
        }
        None => varint::put(-1, to),
    }
}

fn as_i64(length: usize) -> i64 {
    i64::try_from(length).expect("lengths in memory fit 63 bits")
}

/// Reads the front of the batch that the bytes begin with, without looking at its records.
pub fn header(bytes: &[u8]) -> Result<BatchHeader, BadBatch> {
    let fixed = bytes.get(..HEADER_BYTES).ok_or(BadBatch("it is shorter than a header"))?;
    let i32_at = |at: usize| i32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let i64_at = |at: usize| (i64::from(i32_at(at)) << 32) | i64::from(i32_at(at + 4).cast_unsigned());
    if fixed[16] != MAGIC {
        return Err(BadBatch("its format is not version 2"));
    }
    if fixed[21..23] != [0, 0] {
        return Err(BadBatch("it is compressed, transactional or otherwise not ours"));
    }
    let length = usize::try_from(i32_at(8)).map_err(|_| BadBatch("its length is negative"))?;
    let size = length + LENGTH_END;
    if size < HEADER_BYTES || size > bytes.len() {
        return Err(BadBatch("its length does not fit"));
    }
    let base_offset = u64::try_from(i64_at(0)).map_err(|_| BadBatch("its offset is negative"))?;
    let count = u32::try_from(i32_at(57)).map_err(|_| BadBatch("its count is negative"))?;
    if count == 0 || i64::from(i32_at(23)) != i64::from(count) - 1 {
        return Err(BadBatch("its count is not that of its offsets"));
    }
    // A count beyond that is a lie.
    if count as usize > (size - HEADER_BYTES) / RECORD_BYTES_MIN {
        return Err(BadBatch("its count does not fit its length"));
    }
    Ok(BatchHeader { base_offset, bytes: size, count, base_timestamp_ms: i64_at(27) })
}

/// Whether the batch's own checksum is right. The journal has one of its own over more, so this is for other sources.
pub fn checksum_is_right(batch: &[u8]) -> bool {
    batch.len() >= HEADER_BYTES && crc32c::crc32c(&batch[CHECKED_FROM..]).to_be_bytes() == batch[17..21]
}

/// The records of a batch, one after another. They share the batch's bytes.
#[derive(Debug)]
pub struct Records {
    cursor: Cursor,
    header: BatchHeader,
    given: u32,
}

impl Records {
    /// The records of the batch that the bytes are.
    pub fn of(batch: Bytes) -> Result<Records, BadBatch> {
        let header = header(&batch)?;
        Ok(Records { cursor: Cursor::new(batch.slice(HEADER_BYTES..header.bytes)), header, given: 0 })
    }

    /// The records that the bytes are, without the front of a batch, counted from offset 0.
    pub fn within(bytes: Bytes, count: u32, base_timestamp_ms: i64) -> Result<Records, BadBatch> {
        if count as usize > bytes.len() / RECORD_BYTES_MIN {
            return Err(BadBatch("its count does not fit its length"));
        }
        let header = BatchHeader { base_offset: 0, bytes: bytes.len() + HEADER_BYTES, count, base_timestamp_ms };
        Ok(Records { cursor: Cursor::new(bytes), header, given: 0 })
    }

    /// The next record with its offset; none after the last.
    pub fn next_record(&mut self) -> Result<Option<(u64, Record)>, BadBatch> {
        if self.given == self.header.count {
            let rest = self.cursor.left();
            return if rest == 0 { Ok(None) } else { Err(BadBatch("bytes are left after its last record")) };
        }
        let record = self.decode().ok_or(BadBatch("a record is not well formed"))?;
        let offset = self.header.base_offset + u64::from(self.given);
        self.given += 1;
        Ok(Some((offset, record)))
    }

    /// Passes a record by without looking into it.
    pub fn skip_record(&mut self) -> Result<(), BadBatch> {
        let length = self.cursor.length().ok_or(BadBatch("a record is not well formed"))?;
        self.cursor.take(length).ok_or(BadBatch("a record is not well formed"))?;
        self.given += 1;
        Ok(())
    }

    /// The offset of the next record.
    pub const fn next_offset(&self) -> u64 {
        self.header.base_offset + self.given as u64
    }

    /// The offset after the last record.
    pub const fn end(&self) -> u64 {
        self.header.base_offset + self.header.count as u64
    }

    fn decode(&mut self) -> Option<Record> {
        let cursor = &mut self.cursor;
        let length = cursor.length()?;
        let left_after = cursor.left().checked_sub(length)?;
        cursor.byte()?; // attributes
        let timestamp_ms = self.header.base_timestamp_ms.wrapping_add(cursor.varint()?);
        if cursor.varint()? != i64::from(self.given) {
            return None;
        }
        let key = cursor.optional()?;
        let value = cursor.optional()?;
        let count = cursor.length()?;
        // A header has at least two bytes; a count beyond that would only reserve memory for nothing.
        if count > cursor.left() / 2 {
            return None;
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let length = cursor.length()?;
            let name = SmolStr::new(std::str::from_utf8(cursor.peek(length)?).ok()?);
            cursor.advance(length);
            headers.push((name, cursor.optional()?));
        }
        (cursor.left() == left_after).then_some(Record { key, value, headers, timestamp_ms })
    }
}

#[cfg(test)]
mod tests;
